"""What does not follow from a text is found and left out; what a person may mean stays."""

import json
from pathlib import Path

import jsonschema
import pytest

from autommlab.tasks import Task
from autommlab.understanding.answer import answer_schema, answer_text
from autommlab.understanding.checks import findings, names_thing, repaired
from autommlab.understanding.outcome import essentials
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.text import clean, is_refused, made_for, names_number


def parse(task: str = "detection", things: tuple[str, ...] = ("cat",), **model: object) -> ModelRequest:
    return ModelRequest.parse({"data": {"object": things}, "model": {"task": task, **model}})


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("find the mice", "mouse"),
        ("count people in a queue", "person"),
        ("Buses, please", "bus"),
        ("is it a cat?", "cat"),
        ("several knives", "knife"),
        ("hardhats on site", "hard hat"),
        ("hard hats on site", "hardhat"),
        ("traffic-lights", "traffic light"),
        ("find the elefants", "elephant"),
        ("T-shirts in a shop", "t-shirt"),
        ("検出 猫と犬", "犬"),
        ("Erkenne Hunde und Katzen", "Hund"),
    ],
)
def test_a_thing_is_known_in_any_form(text: str, thing: str) -> None:
    assert names_thing(text, thing)


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("I want a model", "ant"),
        ("detect cats", "dog"),
        ("be careful", "car"),
        ("a lightweight model", "lobster"),
        ("", "cat"),
        ("cats", ""),
        ("categories", "cat"),
    ],
)
def test_a_thing_that_is_not_there_is_missed(text: str, thing: str) -> None:
    assert not names_thing(text, thing)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("accuracy over 90 %", 0.9),
        ("90% please", 0.9),
        ("mAP of 45", 0.45),
        ("nine out of ten", 0.9),
        ("at least 0.755", 0.755),
        ("about .5", 0.5),
        ("0,85 mAP", 0.85),
        ("2,500 K parameters", 2500),
        ("1 200 000 weights", 1.2),
        ("3.2 million", 3.2),
        ("ten million parameters", 10),
        ("twenty-five frames", 25),
        ("two hundred and fifty ms", 250),
        ("half a GFLOP", 0.5),
        ("three and a half million", 3.5),
        ("three quarters", 0.75),
        ("two thirds", 0.67),
        ("ninety-five percent", 0.95),
        ("point nine", 0.9),
        ("a dozen fps", 12),
        ("15fps", 15),
        ("an answer within a second", 1),
        ("6e8 FLOPs", 600),
        ("twice a second", 2),
        ("in an eighth of a second", 0.125),
        ("recall nought point nine five", 0.95),
        ("accuracy seventy-five, 1.1 million parameters", 0.75),
    ],
)
def test_a_number_is_known_however_it_is_written(text: str, value: float) -> None:
    assert names_number(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("detect cats", 0.9), ("under 10 M parameters", 25), ("one model", 7), ("90 %", 0.8), ("1e999", 5)],
)
def test_a_number_that_is_not_there_is_missed(text: str, value: float) -> None:
    assert not names_number(text, value)


def test_everything_that_the_text_does_not_bear_out_is_found_and_left_out() -> None:
    text = "Find cats and dogs with YOLOX s, under 10 M parameters, mAP over 50 %, for COCO, on ONNX Runtime"
    request = ModelRequest.parse(
        {
            "data": {"object": ["cat", "lobster", "dog"], "specific": ["COCO", "AP-10K"]},
            "model": {
                "task": "detection",
                "specific_model": "YOLOX-s",
                "speed": {"value": 25, "unit": "fps"},
                "parameters": {"value": 10, "unit": "M"},
                "metrics": [{"name": "mAP", "value": 0.5}, {"name": "recall", "value": 0.9}],
            },
            "deploy": {"inference engine": "ncnn"},
        }
    )
    found = findings(text, request)
    assert [(problem.field, problem.value) for problem in found] == [
        ("object", "lobster"),
        ("specific", "AP-10K"),
        ("speed", "25 fps"),
        ("metrics", "recall 0.9"),
        ("engine", "ncnn"),
    ]
    left = repaired(request, found)
    assert left.data.object == ("cat", "dog")
    assert left.data.specific == ("COCO",)
    assert left.model.specific_model == "YOLOX-s"
    assert left.model.speed.unit == "none"
    assert left.model.parameters == request.model.parameters
    assert [metric.name for metric in left.model.metrics] == ["mAP"]
    assert left.deploy.inference_engine == "none"
    assert findings(text, left) == []


def test_an_object_is_neither_a_kind_of_picture_nor_a_data_set() -> None:
    request = ModelRequest.parse(
        {"data": {"object": ["leaf", "sky"], "modality": "sky", "specific": ["Leaf"]}, "model": {"task": "detection"}}
    )
    found = findings("find the leaf in the sky", request)
    assert [problem.field for problem in found] == ["specific", "modality"]
    left = repaired(request, found)
    assert (left.data.modality, left.data.specific) == ("rgb", ())


def test_a_model_that_nobody_named_is_left_out() -> None:
    request = parse(specific_model="YOLOX-s")
    assert repaired(request, findings("find cats", request)).model.specific_model == "none"


@pytest.mark.parametrize("name", ["ResNet-50", "resnet50", "ResNet 50", "Resnet_50"])
def test_a_model_name_is_known_however_it_is_punctuated(name: str) -> None:
    assert findings("use a ResNet50 for cats", parse(specific_model=name)) == []


def test_people_may_go_unnamed_where_their_joints_are_asked_for() -> None:
    request = parse("keypoint", ("person",))
    assert findings("estimate the pose of dancers", request) == []
    assert [problem.field for problem in findings("find dancers", parse("detection", ("person",)))] == ["object"]


def test_a_report_is_no_wish_for_onnx_runtime() -> None:
    request = ModelRequest.parse(
        {
            "data": {"object": ["cat"]},
            "model": {"task": "detection"},
            "deploy": {"inference engine": "onnxruntime"},
        }
    )
    assert [problem.field for problem in findings("a short report on cats", request)] == ["engine"]
    assert findings("cats, with ORT", request) == []


def test_a_figure_of_another_task_is_a_contradiction_to_ask_about() -> None:
    text = "classify cats with mIoU 0.7"
    request = parse("classification", metrics=[{"name": "mIoU", "value": 0.7}])
    found = findings(text, request)
    lacking = essentials(request, found)
    assert lacking is not None
    assert "classification, but mIoU is a figure of segmentation" in lacking[1]
    assert findings(text, parse("segmentation", metrics=[{"name": "mIoU", "value": 0.7}])) == []


@pytest.mark.parametrize("task", list(Task))
def test_without_object_and_data_set_it_is_asked_for_the_object(task: Task) -> None:
    request = parse(task.value, ())
    missing, question = essentials(request, []) or ((), "")
    assert missing == ("object",)
    assert task in question
    assert essentials(request, [], needs_object=False) is None
    named = request.model_copy(update={"data": request.data.model_copy(update={"specific": ("COCO",)})})
    assert essentials(named, []) is None


def test_the_checks_raise_no_alarm_on_parses_made_by_hand() -> None:
    folder = Path(__file__).resolve().parents[2] / "training_data_gen"
    lines = [
        json.loads(line)
        for path in [*folder.glob("requests/handwritten/*.jsonl"), folder / "benchmarks" / "ru_dev.jsonl"]
        for line in path.read_text().splitlines()
    ]
    assert len(lines) > 400
    alarms = []
    answers = jsonschema.Draft202012Validator(answer_schema())
    for line in lines:
        if line["parse"] is None:  # a text without a task
            continue
        request = ModelRequest.parse(line["parse"])
        answers.validate(json.loads(answer_text(request)))
        alarms += [(line["id"], problem.says) for problem in findings(clean(line["request"]), request)]
    assert alarms == []


@pytest.mark.parametrize(
    ("text", "name", "refused"),
    [
        ("ResNet-18 was too slow on the Pi, use something smaller", "ResNet-18", True),
        ("anything but Open Pose please", "OpenPose", True),
        ("our old U-Net missed half of them", "U-Net", True),
        ("Faster R-CNN doesn't fit, so YOLOX-s", "Faster R-CNN", True),
        ("Faster R-CNN doesn't fit, so YOLOX-s", "YOLOX-s", False),
        ("BiSeNetV2 at 8 fps, as UPerNet was miles too slow", "BiSeNetV2", False),
        ("not Mask R-CNN, no: a ResNet-50", "ResNet-50", False),
        ("ResNet-18 didn't do it", "ResNet-18", True),
        ("UPerNet choked our box, DeepLabV3+ didn't, go with that", "DeepLabV3+", False),
        ("with ResNet-50, which must not be too slow", "ResNet-50", True),  # wrong, and rare: the LLM is asked again
        ("no model is named", "VGG", False),
    ],
)
def test_a_model_is_refused_where_every_mention_is(text: str, name: str, refused: bool) -> None:
    assert is_refused(text, name) is refused


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("DeepLabCut", Task.KEYPOINT),
        ("DeepLab-v3", Task.SEGMENTATION),
        ("Faster R-CNN", Task.DETECTION),
        ("YOLOv8n", Task.DETECTION),
        ("yolov8n-seg", None),
        ("RTMDet-Ins", None),
        ("unet", Task.SEGMENTATION),
        ("RTMPose-s", Task.KEYPOINT),
        ("ResNet-50", None),
        ("none", None),
    ],
)
def test_some_models_are_made_for_one_task(name: str, task: Task | None) -> None:
    assert made_for(name) is task


def test_what_small_models_mix_up_is_found() -> None:
    text = "Classify mugs and cups on a picture a minute. SSD300 was too slow. 12 GFLOPs, AP-10K, mAP of .6"
    given = {
        "data": {"object": ["mug", "picture"], "specific": ["AP-10K"]},
        "model": {
            "task": "classification",
            "specific_model": "SSD300",
            "speed": {"value": 1, "unit": "ms"},
            "metrics": [{"name": name, "value": 0.6} for name in ("FLOPs", "AP-10K", "mAP")],
        },
    }
    found = findings(text, ModelRequest.parse(given))
    assert {(problem.field, problem.value) for problem in found} == {
        ("object", "picture"), ("model", "SSD300"), ("speed", "1 ms"), ("metrics", "FLOPs 0.6"),
        ("metrics", "AP-10K 0.6"), ("task", "classification"),
    }  # fmt: skip
    other = {"data": {"object": ["violin"]}, "model": {"task": "detection", "specific_model": "Violin"}}
    assert [(p.field, p.value) for p in findings("Violin, where?", ModelRequest.parse(other))] == [("model", "Violin")]
    left = repaired(ModelRequest.parse(given), found)
    assert left.data.object == ("mug",)
    assert [metric.name for metric in left.model.metrics] == ["mAP"]
