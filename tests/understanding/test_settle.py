"""Asking about what is uncertain: in a terminal, without one, with --strict; corrections and the sentence said back."""

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.common.errors import DataError, RequestError
from autommlab.options import RunOptions
from autommlab.pipeline.run import run_pipeline
from autommlab.progress.events import Event, Events
from autommlab.understanding import understand as seam
from autommlab.understanding.answer import answer_text
from autommlab.understanding.corrections import corrected, field_named, value_of
from autommlab.understanding.outcome import Doubt, Understood
from autommlab.understanding.request import Metric, ModelRequest
from autommlab.understanding.said_back import said_back
from autommlab.understanding.settle import KEPT, UncertainRequest, settled
from tests.helpers.answering import Terminal, command
from tests.helpers.faulty_llm import FaultyLLM
from tests.helpers.program import autommlab_here
from tests.helpers.request_strategies import requests

TEXT = "Detect cats and dogs with TensorRT, accuracy 120 %"
PARSE: dict[str, Any] = {
    "data": {"object": ["cat", "dog"]},
    "model": {"task": "detection", "metrics": [{"name": "accuracy", "value": 0.12}]},
}
REQUEST = ModelRequest.parse(PARSE)
DOUBTS = (
    Doubt(field="engine", about="TensorRT", says='"TensorRT" is not used', choices=("onnxruntime", "ncnn")),
    Doubt(field="metric", about="accuracy 120 %", says='"accuracy 120 %" is more than all', choices=("none",)),
)
OUTCOME = Understood(text=TEXT, request=REQUEST, doubts=DOUBTS)


name = st.text(string.ascii_letters + "-+ äß", min_size=1, max_size=20).filter(
    lambda text: text.strip() == text != "none"
)
any_request = requests(
    name,
    st.text(string.ascii_letters + " ", max_size=20),
    st.integers(1, 99_999) | st.integers(1, 99_999).map(lambda number: number / 100),
    st.builds(
        Metric,
        name=st.sampled_from(["accuracy", "F1", "mAP", "PCK", "NME"]),
        value=st.integers(0, 100).map(lambda n: n / 100),
    ),
)


def answered(*answers: str) -> tuple[Understood, list[str]]:
    """(outcome, questions) where a person answers so."""
    left, asked = list(answers), []

    def ask(question: str) -> str:
        asked.append(question)
        return left.pop(0)

    return settled(OUTCOME, seam.Lent(ask=ask)), asked


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("object: horse", "object", "horse"),
        ("objects: Horse, foal and rider", "object", "Horse, foal, rider"),
        ("metric: mAP 0.6", "metric", "mAP 0.6"),
        ("Metrics: mAP >= 60 %, recall of 0,9", "metric", "mAP 0.6, recall 0.9"),
        ("metric: top-5 accuracy 90", "metric", "top-5 accuracy 0.9"),
        ("metric: none", "metric", "none"),
        ("task: Segmentation", "task", "segmentation"),
        ("parameters: 10 million", "parameters", "10 M"),
        ("params: 2,500 K", "parameters", "2500 K"),
        ("speed: 30 fps", "speed", "30 fps"),
        ("latency: 20ms", "speed", "20 ms"),
        ("flops: 0.5 GFLOPs", "flops", "0.5 GFLOPs"),
        ("gpu: CPU", "device", "cpu"),
        ("engine: ONNX Runtime", "engine", "onnxruntime"),
        ("data set: COCO", "data set", "COCO"),
        ("model: ResNet-50", "model", "ResNet-50"),
        ("scene: harbour at night", "scene", "harbour at night"),
        ("modality: thermal", "modality", "thermal"),
        ("modality: none", "modality", "rgb"),
    ],
)
def test_a_correction_is_one_line(line: str, field: str, value: str) -> None:
    assert field_named(line) == field
    assert value_of(corrected(REQUEST, line), field) == value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("horse", "unknown field 'horse'"),
        ("colour: red", "unknown field 'colour'"),
        ("object:", "says no value"),
        ("task: tracking", "unknown task 'tracking'.*classification"),
        ("engine: TensorRT", "unknown engine.*onnxruntime"),
        ("parameters: many", 'no amount with a unit; write "10 M"'),
        ("speed: 20", 'write "20 ms"'),
        ("metric: good", 'must be a name and a figure, such as "mAP 0.6"'),
        ("metric: mAP 250", "less than or equal to 1"),
    ],
)
def test_a_correction_that_cannot_be_says_what_can(line: str, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        corrected(REQUEST, line)


@given(any_request)
def test_what_a_field_holds_corrects_it_to_the_same(request_: ModelRequest) -> None:
    for field in ("task", "model", "speed", "flops", "parameters", "metric", "device", "engine"):
        again = corrected(request_, f"{field}: {value_of(request_, field)}")
        assert value_of(again, field) == value_of(request_, field)


@given(any_request)
def test_every_field_is_said_back(request_: ModelRequest) -> None:
    sentence = said_back(request_)
    data, model, deploy = request_.data, request_.model, request_.deploy
    kinds = {
        "classification": "classifier",
        "detection": "detector",
        "segmentation": "segmentation",
        "keypoint": "keypoint",
    }
    engines = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn"}
    expected = [kinds[model.task], *data.object, data.scenario, *data.specific]
    expected += [data.modality] if data.modality != "rgb" else []
    expected += [model.specific_model] if model.specific_model != "none" else []
    expected += [part for metric in model.metrics for part in (metric.name, f"{metric.value:g}")]
    expected += [
        f"{limit.value:g} {limit.unit}"
        for limit in (model.speed, model.flops, model.parameters)
        if limit.unit != "none"
    ]
    expected += [deploy.gpu.upper()] if deploy.gpu != "none" else []
    expected += [engines[deploy.inference_engine]] if deploy.inference_engine != "none" else []
    for value in expected:
        assert value in sentence


def test_the_sentence_reads_as_one() -> None:
    request = ModelRequest.parse(
        {
            "data": {"object": ["cat", "dog"]},
            "model": {
                "task": "detection",
                "parameters": {"value": 10, "unit": "M"},
                "metrics": [{"name": "mAP", "value": 0.5}],
            },
            "deploy": {"gpu": "cpu", "inference engine": "openvino"},
        }
    )
    assert said_back(request) == (
        "I will train a detector of cat and dog, aiming for mAP >= 0.5, with at most 10 M parameters, "
        "to run on a CPU with OpenVINO."
    )


def test_a_number_a_value_a_correction_or_nothing_answers() -> None:
    outcome, asked = answered("2", "accuracy 0.9")
    assert [doubt.answer for doubt in outcome.doubts] == ["engine: ncnn", "metric: accuracy 0.9"]
    assert value_of(outcome.request, "engine") == "ncnn"
    assert value_of(outcome.request, "metric") == "accuracy 0.9"
    assert "  1  engine: onnxruntime\n  2  engine: ncnn\n  3  no engine, as understood\n  or another value" in asked[0]
    kept, _ = answered("", "object: horse")
    assert [doubt.answer for doubt in kept.doubts] == [KEPT, "object: horse"]
    assert kept.request.data.object == ("horse",)
    assert kept.warnings() == ()
    assert 'asked: "TensorRT" is not used; answer: kept' in kept.remarks()


def test_an_answer_that_cannot_be_is_asked_for_again_and_then_kept() -> None:
    outcome, asked = answered("TensorRT", "9", "tensorrt", "")
    assert "unknown engine 'TensorRT'" in asked[1]
    assert outcome.doubts[0].answer == KEPT
    assert outcome.request == REQUEST


def test_one_field_is_asked_about_once() -> None:
    twice = OUTCOME.model_copy(update={"doubts": (DOUBTS[0], DOUBTS[0].model_copy(update={"about": "x"}))})
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "1"

    outcome = settled(twice, seam.Lent(ask=ask))
    assert len(asked) == 1
    assert [doubt.answer for doubt in outcome.doubts] == ["engine: onnxruntime"] * 2


def test_nobody_to_ask_leaves_warnings_and_strict_stops() -> None:
    assert settled(OUTCOME) == OUTCOME
    assert OUTCOME.warnings() == ('uncertain: "TensorRT" is not used', 'uncertain: "accuracy 120 %" is more than all')
    with pytest.raises(UncertainRequest, match=r"uncertain in 2 point[\s\S]*TensorRT[\s\S]*--parse FILE") as caught:
        settled(OUTCOME, seam.Lent(strict=True))
    assert caught.value.exit_code == 2
    assert settled(OUTCOME, seam.Lent(ask=lambda _: "", strict=True)).open_doubts == ()


def test_a_missing_object_may_be_said_as_a_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = answer_text(ModelRequest.parse({"data": {}, "model": {"task": "detection"}}))
    llm = FaultyLLM(nothing)
    monkeypatch.setattr(seam, "connect", lambda *_, **__: llm)
    outcome = seam.understand("Find them, please", lent=seam.Lent(ask=lambda _: "object: horse"))
    assert outcome.request.data.object == ("horse",)
    assert outcome.doubts[0].answer == "object: horse"
    assert len(llm.asked) == 1


def test_at_a_terminal_the_table_is_shown_and_the_doubts_asked(tmp_path: Path) -> None:
    terminal = Terminal(command(PARSE, "understand", TEXT), tmp_path)
    terminal.answer("Your answer:", "1")
    terminal.answer("Your answer:", "metric: mAP 0.6")
    code, out = terminal.end()
    assert code == 0, terminal.seen
    assert "uncertain" in terminal.seen.partition("Your answer")[0]
    assert '"TensorRT" is not used' in terminal.seen
    assert "mAP at least 0.6" in out
    assert "I will train a detector of cat and dog, aiming for mAP >= 0.6, to run with ONNX Runtime." in out


def test_without_a_terminal_the_doubts_are_warnings_and_strict_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam, "connect", lambda *_, **__: FaultyLLM(*[answer_text(REQUEST)] * 3))
    plain = autommlab_here("understand", TEXT, "--json")
    assert plain.code == 0, plain.err
    assert json.loads(plain.out)["data"]["object"] == ["cat", "dog"]
    assert 'warning: uncertain: "TensorRT" is not used' in plain.err
    assert autommlab_here("understand", TEXT, "--strict").code == 2
    strict = autommlab_here("run", TEXT, "--strict", "--searcher", "random", "--out", tmp_path / "run")
    assert strict.code == 2, strict.err
    assert "--strict asks for none" in strict.err
    assert not (tmp_path / "run").exists()


def test_a_run_records_doubts_answers_and_what_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = {"data": {"object": ["zorble"]}, "model": {"task": "detection"}}
    monkeypatch.setattr(seam, "connect", lambda *_, **__: FaultyLLM(*[answer_text(ModelRequest.parse(parse))] * 3))
    told: list[Event] = []
    text = "Detect each zorble with TensorRT; COCO has no zorble"
    options = RunOptions(text=text, searcher="random")
    with pytest.raises(DataError):
        run_pipeline(
            options, tmp_path / "run", Events(told.append), person=seam.Lent(ask=lambda _: "3"), keep_typos=True
        )
    stored = json.loads((tmp_path / "run/understanding.json").read_text())
    assert stored["doubts"][0]["answer"] == "engine: openvino"
    assert stored["unused"] == ["COCO"]
    said = [event.message for event in told]
    assert "I will train a detector of zorble, to run with OpenVINO." in said
    assert "not used of the text: COCO" in said
    report = (tmp_path / "run/report.html").read_text()
    assert "not used of the text: COCO" in report
    assert "answer: engine: openvino" in report
