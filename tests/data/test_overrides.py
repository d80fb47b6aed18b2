"""What the command line knows constrains how a sentence is read; what will not be done is said first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from autommlab.data.embedded import is_drawn, of_drawings, specs
from autommlab.data.overrides import known_set, with_overrides
from autommlab.data.records import Bag
from autommlab.foreseen import foreseen
from autommlab.options import RunOptions
from autommlab.tasks import Task
from autommlab.understanding.answer import answer_text, no_task_answer
from autommlab.understanding.llm import Understander
from autommlab.understanding.outcome import Understood
from autommlab.understanding.request import ModelRequest
from tests.helpers.faulty_llm import FaultyLLM


def parse(task: str = "detection", things: tuple[str, ...] = ("cat",), **model: Any) -> ModelRequest:
    return ModelRequest.parse({"data": {"object": things}, "model": {"task": task, **model}})


def read(text: str, request: ModelRequest | str, options: RunOptions) -> Understood:
    """A sentence whose LLM says `request`, as a run reads it."""
    answer = request if isinstance(request, str) else answer_text(request)
    known = known_set(options)
    outcome = Understander(FaultyLLM(*[answer] * 3)).understand(text, needs_object=False, task=known.task)
    assert isinstance(outcome, Understood), outcome
    return with_overrides(outcome, options, known)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recognise handwritten digits", parse("classification", ("digit",))),
        ("read the numbers that a hand has written", parse("keypoint", ("hand",))),
        ("find digits with PCK over 0.8", parse("keypoint", ("digits",), metrics=[{"name": "PCK", "value": 0.8}])),
        ("a YOLO for digits", parse("detection", ("digits",), specific_model="YOLO")),
        ("which number is it", parse("detection", ("number",))),
        ("just do it well", no_task_answer()),
        ("tell three from eight", parse("detection", ("three", "eight"))),
    ],
)
def test_a_set_that_is_given_constrains_every_wording(text: str, said: ModelRequest | str) -> None:
    outcome = read(text, said, RunOptions(text=text, data="digits"))
    assert outcome.request.model.task is Task.CLASSIFICATION
    assert outcome.request.model.specific_model == "none"
    assert not {"hand", "cat"} & set(outcome.request.data.object)


def test_objects_that_the_set_lacks_are_left_out_and_told() -> None:
    text = "tell three from seven and from any horse"
    outcome = read(text, parse("classification", ("three", "seven", "horse")), RunOptions(text=text, data="digits"))
    assert outcome.request.data.object == ("three", "seven")
    assert any("has no 'horse': the model learns three, seven alone" in note for note in outcome.notes)


def test_a_folder_says_its_task_as_well(tmp_path: Path) -> None:
    for name in ("brick", "leaf"):
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / name / f"{index}.png")
    outcome = read("find brick", parse("detection", ("brick",)), RunOptions(text="x", data=str(tmp_path)))
    assert outcome.request.model.task is Task.CLASSIFICATION


def test_options_override_a_finished_parse_as_well() -> None:
    options = RunOptions(
        parse=Path("p.json"), task="keypoint", classes=("dog", "cat"), engine="ncnn", device="gpu", data="digits"
    )
    outcome = with_overrides(Understood(text="", request=parse()), options, known_set(options))
    request = outcome.request
    assert request.model.task is Task.KEYPOINT
    assert request.data.object == ("dog", "cat")
    assert (request.deploy.inference_engine, request.deploy.gpu) == ("ncnn", "gpu")
    plain = RunOptions(parse=Path("p.json"), data="digits")
    same = with_overrides(Understood(text="", request=parse()), plain, known_set(plain))
    assert same.request == parse(), "a finished parse speaks for itself"


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("name", ["happiness", "mIoU", "PCK", "mAP", "accuracy", "top-5 accuracy"])
def test_a_metric_that_will_not_be_measured_is_told(task: Task, name: str) -> None:
    from autommlab.tasks import measured_metric

    request = parse(task.value, metrics=[{"name": name, "value": 0.9}])
    told = [words for words in foreseen(request, data=None) if repr(name) in words]
    assert bool(told) == (measured_metric(task, name) is None)
    if name == "happiness":
        assert "is no figure that is known here" in told[0]
    elif told:
        assert f"not of {task}" in told[0]


def test_sets_devices_and_engines_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    request = ModelRequest.parse(
        {
            "data": {"object": ["cat"], "specific": ["COCO", "digits"]},
            "model": {"task": "detection"},
            "deploy": {"gpu": "gpu", "inference engine": "ncnn"},
        }
    )
    told = foreseen(request, data=None)
    assert any("'COCO' that the request names is not here" in words for words in told)
    assert any("'digits' that the request names is for classification, not detection" in words for words in told)
    assert any("ncnn runs on the CPU" in words for words in told)
    assert not any("COCO" in words for words in foreseen(request, data="mine"))
    assert not any("INT8" in words for words in told)
    assert any("No INT8 model will be made" in words for words in foreseen(request, data=None, quantize="always"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert any("ncnn is not installed here" in words for words in foreseen(request, data=None))
    assert foreseen(parse(), data=None) == []


@pytest.mark.parametrize("name", [spec.name for spec in specs()])
def test_a_model_of_drawings_says_so(name: str) -> None:
    bag = Bag(
        task=Task.CLASSIFICATION, folder=Path("x"), classes=("a",), sources={}, datasets=(name,), splits={},
        median_size=(8, 8), seed=0, digest="",
    )  # fmt: skip
    assert is_drawn(name) == (name != "digits")
    assert bool(of_drawings(bag)) == is_drawn(name)
    assert "photographs" in of_drawings(bag) or name == "digits"
    assert of_drawings(bag.model_copy(update={"datasets": (name, "mine")})) == ""
