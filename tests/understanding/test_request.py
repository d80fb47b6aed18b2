"""The request schema: round trips, units, canonical names, messages."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from autommlab.understanding.request import (
    Flops,
    FlopsUnit,
    Metric,
    ModelRequest,
    Parameters,
    ParametersUnit,
    Speed,
    SpeedUnit,
)
from autommlab.understanding.understand import understand
from tests.helpers.request_strategies import quantity, requests

positive = st.floats(min_value=1e-6, max_value=1e9)
names = st.text(min_size=1, max_size=20).filter(str.strip)


speeds = quantity(Speed, SpeedUnit, positive)
flops = quantity(Flops, FlopsUnit, positive)
parameters = quantity(Parameters, ParametersUnit, positive)
any_request = requests(names, st.text(max_size=20), positive, st.builds(Metric, name=names, value=st.floats(0, 1)))


@given(any_request)
def test_parse_of_dump_is_the_same_request(request_: ModelRequest) -> None:
    assert ModelRequest.parse(json.dumps(request_.to_dict())) == request_


@given(any_request)
def test_normalisation_is_idempotent(request_: ModelRequest) -> None:
    once = request_.normalised()
    assert once.normalised() == once
    assert once.model.parameters.unit in ("M", "none")
    assert once.model.flops.unit in ("GFLOPs", "none")
    assert once.model.speed.unit in ("ms", "none")


@given(parameters, parameters)
def test_normalisation_preserves_the_order_of_parameters(a: Parameters, b: Parameters) -> None:
    in_millions = {"K": 1e-3, "M": 1.0, "B": 1e3, "none": 0.0}
    left, right = a.value * in_millions[a.unit], b.value * in_millions[b.unit]
    if left < right * (1 - 1e-12):
        assert a.normalised().value < b.normalised().value


@given(positive, positive, st.sampled_from([u for u in SpeedUnit if u not in ("none", "fps")]))
def test_a_longer_time_is_fewer_frames(a: float, b: float, unit: SpeedUnit) -> None:
    slow, fast = Speed(value=max(a, b), unit=unit), Speed(value=min(a, b), unit=unit)
    assert slow.ms_per_image() >= fast.ms_per_image()  # type: ignore[operator]
    assert slow.fps() <= fast.fps()  # type: ignore[operator]


def test_units_of_the_labelling_rules() -> None:
    assert Parameters(value=2500, unit=ParametersUnit.K).millions() == pytest.approx(2.5)
    assert Flops(value=0.5, unit=FlopsUnit.GFLOPS).giga() == pytest.approx(0.5)
    assert Flops(value=600, unit=FlopsUnit.MFLOPS).giga() == pytest.approx(0.6)
    assert Speed(value=30, unit=SpeedUnit.FPS).ms_per_image() == pytest.approx(33.333, abs=1e-3)
    assert Speed(value=1, unit=SpeedUnit.S).fps() == pytest.approx(1)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("F1-score", "F1"),
        ("top-1 accuracy", "accuracy"),
        ("Sensitivity", "recall"),
        ("map", "mAP"),
        ("mean IoU", "mIoU"),
        ("Dice", "Dice coefficient"),
        ("my own figure", "my own figure"),
    ],
)
def test_metric_names_become_canonical(written: str, canonical: str) -> None:
    assert Metric(name=written, value=0.5).name == canonical


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"task": "dancing"}}, r"model\.task.*dancing"),
        ({"model": {"task": "detection", "parameters": {"value": 10, "unit": "none"}}}, "specified one is above 0"),
        ({"model": {"task": "detection", "metrics": [{"name": "mAP", "value": 45}]}}, r"metrics\.0\.value.*45"),
        ({"model": {"task": "detection"}, "deploy": {"gpu": "tpu"}}, r"deploy\.gpu.*tpu"),
        ({"model": {"task": "detection", "speeed": 3}}, r"model\.speeed"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(change: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        ModelRequest.parse({"data": {}, **change})


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(RequestError, match="2 problem") as caught:
        ModelRequest.parse({"data": {}, "model": {"task": "x"}, "deploy": {"gpu": "y"}})
    assert "model.task" in str(caught.value)
    assert "deploy.gpu" in str(caught.value)


def test_broken_json_and_missing_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not valid JSON"):
        ModelRequest.parse("{oops")
    with pytest.raises(RequestError, match=r"cannot read the parse .*nothing\.json"):
        ModelRequest.read(tmp_path / "nothing.json")


def test_shipped_examples_are_valid_and_cover_all_tasks() -> None:
    folder = Path(__file__).resolve().parents[2] / "autommlab" / "examples"
    tasks = {understand("", parse=path).request.model.task for path in folder.glob("*.json")}
    assert tasks == set(Task)
