"""What a text asks for and its parse does not hold: each case was once lost in silence."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.understanding.corrections import FIELDS
from autommlab.understanding.outcome import Doubt
from autommlab.understanding.request import Metric, ModelRequest
from autommlab.understanding.reverse_check.check import doubts, not_used
from autommlab.understanding.text import clean
from tests.helpers.request_strategies import requests
from training_data_gen.benchmarks.doubts import alarms, development, found, handwritten

any_request = requests(
    st.text(min_size=1, max_size=10).filter(str.strip),
    st.text(max_size=10),
    st.floats(min_value=1e-9, max_value=1e12),
    st.builds(Metric, name=st.sampled_from(["accuracy", "mAP", "NME"]), value=st.floats(0, 1)),
)


def parsed(*things: str, task: str = "detection", deploy: dict[str, Any] | None = None, **model: Any) -> ModelRequest:
    return ModelRequest.parse(
        {"data": {"object": things}, "model": {"task": task, **model}, "deploy": deploy or {}},
    )


def amount(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit}


def metric(name: str, value: float) -> list[dict[str, Any]]:
    return [{"name": name, "value": value}]


def doubted(text: str, request: ModelRequest) -> dict[str, Doubt]:
    return {doubt.field: doubt for doubt in doubts(clean(text), request)}


@pytest.mark.parametrize(
    ("text", "request_", "field", "says"),
    [
        (
            "Detect cats, accuracy 120 %",
            parsed("cat", metrics=metric("accuracy", 0.12)),
            "metric",
            "is more than all: figures end at 1, or 100 %",
        ),
        (
            "Detect cats with at least 10 M parameters",
            parsed("cat", parameters=amount(10, "M")),
            "parameters",
            "at least 10 M parameters.*only the most parameters",
        ),
        (
            "Detect cats, under 0.001 parameters",
            parsed("cat", parameters=amount(0.001, "B")),
            "parameters",
            '"0.001 parameters" became parameters 0.001 B',
        ),
        (
            "Detect cats with TensorRT, no more than 5 MB",
            parsed("cat"),
            "engine",
            '"TensorRT" is not used: engines here are onnxruntime, ncnn, openvino',
        ),
        ("Detect cats with TensorRT, no more than 5 MB", parsed("cat"), "parameters", '"5 MB" is a limit of storage'),
        (
            "Detect the dogs and segment the cats",
            parsed("dog", "cat"),
            "task",
            "two tasks; a run does one, here detection, and segmentation is not used",
        ),
        ("Classify the species and detect the nests", parsed("nest"), "task", "classification is not used"),
        (
            "Depth estimation of rooms",
            parsed("room", task="segmentation"),
            "task",
            "depth estimation is none of the tasks",
        ),
        ("Do OCR of number plates", parsed("number plate"), "task", r"reading text \(OCR\) is none of the tasks"),
        ("Read the license plates of parked cars", parsed("license plate"), "task", r"reading text \(OCR\)"),
        ("cats", parsed("cat"), "task", "does not say what to do with cat: detection is a guess"),
        (
            "Katzen und Hunde auf dem Sofa erkennen",
            parsed("Katze", "Hund"),
            "object",
            "German; .* understood in English",
        ),
        ("Обнаружить кошек на фото", parsed("кошка"), "object", "understood in English"),
        (
            "Classify cats, accuracy below 0.5",
            parsed("cat", task="classification", metrics=metric("accuracy", 0.5)),
            "metric",
            "only the least accuracy",
        ),
        ("Detect cats in more than 20 ms", parsed("cat", speed=amount(20, "ms")), "speed", "only the longest time"),
        (
            "Detect cats at most at 5 fps",
            parsed("cat", speed=amount(50, "fps")),
            "speed",
            '"5 fps" became speed 50 fps',
        ),
        (
            "Detect cats, at most 5 fps",
            parsed("cat", speed=amount(5, "fps")),
            "speed",
            "only the fewest images a second",
        ),
        (
            "Detect cats, 2.500 MFLOPs",
            parsed("cat", flops=amount(2.5, "MFLOPs")),
            "flops",
            "was read as 2.5 MFLOPs; the mark may set thousands apart",
        ),
        ("Detect cats, 1,250 ms", parsed("cat", speed=amount(1.25, "ms")), "speed", "the mark may set thousands apart"),
        ("Detect cats, GPU-free", parsed("cat", deploy={"gpu": "gpu"}), "device", "GPU-free.*became device gpu"),
        ("Detect cats, there is no GPU", parsed("cat", deploy={"gpu": "gpu"}), "device", "no GPU.*became device gpu"),
        ("Detect cats without a graphics card", parsed("cat"), "device", "graphics card.*is not used"),
        (
            "Detect cats on a CPU",
            parsed("cat", deploy={"gpu": "gpu"}),
            "device",
            '"CPU" is named, and the device is gpu',
        ),
        ("Detect cats", parsed("cat", deploy={"gpu": "gpu"}), "device", "became gpu, and the text names none"),
        (
            "Detect cats; the camera films at 30 fps",
            parsed("cat", speed=amount(30, "fps")),
            "speed",
            "reads like what a camera does",
        ),
        (
            "Classify coins. It takes me 20 seconds by hand",
            parsed("coin", task="classification", speed=amount(20, "s")),
            "speed",
            "people need",
        ),
        ("Detect cats within 20 ms", parsed("cat"), "speed", '"20 ms" is not used'),
        (
            "Detect cats, 10 M parameters",
            parsed("cat", parameters=amount(10, "K")),
            "parameters",
            "became parameters 10 K",
        ),
        ("Detect cats, mAP over 0.5", parsed("cat"), "metric", '"mAP over 0.5" is not used'),
        ("Detect cats with RetinaNet", parsed("cat"), "model", '"RetinaNet" is not used'),
        (
            "crossvein gone or there, wing picture",
            parsed("wing", task="classification", specific_model="crossvein"),
            "model",
            "does not look like one",
        ),
        ("Detect cats on a Raspberry Pi", parsed("cat"), "device", '"Raspberry Pi" is named, and the device is none'),
        ("Detect cats, train on COCO", parsed("cat"), "data set", '"COCO" is not used'),
        ("Segmentation of cats", parsed("cat"), "task", '"Segmentation" became the task detection'),
    ],
)
def test_what_is_lost_or_turned_round_is_doubted(text: str, request_: ModelRequest, field: str, says: str) -> None:
    told = doubted(text, request_)
    assert field in told, told
    assert re.search(says, told[field].says), told[field].says


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        (
            "Detect cats and dogs, mAP over 0.5, under 10 M parameters, on a CPU with OpenVINO",
            parsed(
                "cat",
                "dog",
                metrics=metric("mAP", 0.5),
                parameters=amount(10, "M"),
                deploy={"gpu": "cpu", "inference engine": "openvino"},
            ),
        ),
        ("Detect cats, 4 M parameters, no, make that 3 M", parsed("cat", parameters=amount(3, "M"))),
        ("Detect cats. No more than 3,000,000 parameters", parsed("cat", parameters=amount(3, "M"))),
        ("Detect cats, half a second an image", parsed("cat", speed=amount(0.5, "s"))),
        (
            "Detect cats in 4,000 photos. The camera films at 60 fps, 15 fps is enough",
            parsed("cat", speed=amount(15, "fps")),
        ),
        (
            "Classify beans, accuracy 90 %. We cannot accept less than that",
            parsed("bean", task="classification", metrics=metric("accuracy", 0.9)),
        ),
        ("Detect cats; not TensorRT", parsed("cat")),
        ("Detect cats, any model but not SSD", parsed("cat")),
        ("Find the depth gauges. A depth camera took the pictures", parsed("depth gauge")),
        (
            "Faces: eyes and nose as keypoints, NME below 0.05",
            parsed("face", task="keypoint", metrics=metric("NME", 0.05)),
        ),
    ],
)
def test_what_is_held_is_not_doubted(text: str, request_: ModelRequest) -> None:
    assert doubts(clean(text), request_) == ()


def test_everything_else_is_listed_as_it_is_written() -> None:
    text = "Detect cats in 4,000 photos at 3 gates; the camera films at 60 fps, 15 fps is enough. COCO has no such cats"
    request = parsed("cat", speed=amount(15, "fps"))
    told = doubts(text, request)
    assert told == ()
    assert not_used(text, request, told) == ("4,000 photos", "3 gates", "60 fps", "COCO")


def test_what_a_doubt_tells_is_not_listed_again() -> None:
    text = "Detect cats with TensorRT"
    told = doubts(text, parsed("cat"))
    assert [doubt.about for doubt in told] == ["TensorRT"]
    assert not_used(text, parsed("cat"), told) == ()


def test_likely_answers_are_offered() -> None:
    assert doubted("Detect cats, 10 M parameters", parsed("cat"))["parameters"].choices == ("10 M",)
    both = doubted("Detect cats, mAP 0.5 and recall 90 %", parsed("cat", metrics=metric("mAP", 0.5)))
    assert both["metric"].choices == ("mAP 0.5, recall 0.9",)
    assert doubted("Detect the dogs and segment the cats", parsed("dog"))["task"].choices == ("segmentation",)


def test_one_of_two_asks_for_a_classification_and_a_models_name_for_no_reading() -> None:
    either = ModelRequest.parse({"data": {"object": ["ripe date", "unripe date"]}, "model": {"task": "classification"}})
    assert "task" not in doubted("ripe or unripe date?", either)
    assert "task" in doubted("ripe date, unripe date", either)
    areas = ModelRequest.parse({"data": {"object": ["dyke"]}, "model": {"task": "segmentation"}})
    assert "task" not in doubted("colour in the dyke with HRNet-OCR", areas)


@given(st.text(max_size=80), any_request)
def test_any_text_is_taken(text: str, request_: ModelRequest) -> None:
    told = doubts(text, request_)
    assert all(doubt.says and doubt.field in FIELDS for doubt in told)
    assert isinstance(not_used(text, request_, told), tuple)


@pytest.mark.parametrize(
    "part",
    ["half a ", "parameters : = ", "one hundred ", "1,", "1 ", "9", "accuracy of ", "resnet1", "ms 5 "],
)
def test_no_pattern_runs_away_on_what_repeats(part: str) -> None:
    text = (part * 4000)[:3999] + "\u00e9"
    doubts(text, parsed("cat"))
    not_used(text, parsed("cat"))


def test_few_of_the_requests_labelled_by_hand_are_doubted() -> None:
    counted = alarms([*development(), *handwritten()[::10]])
    assert counted["doubted"] / counted["requests"] < 0.03, counted


def test_most_faults_of_amounts_and_names_are_found() -> None:
    counted = found(handwritten()[::80])
    kinds = ("parameters: another unit", "flops / 1000", "speed: another unit", "device invented: gpu", "model dropped")
    made = sum(counted[kind]["made"] for kind in kinds)
    assert sum(counted[kind]["either"] for kind in kinds) >= 0.75 * made > 0
