"""The request's limits against measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autommlab.deployment.limits import check_limits
from autommlab.deployment.records import LimitCheck, Verification
from autommlab.tasks import Task
from autommlab.training.records import Interval
from autommlab.understanding.request import Device, Engine
from tests.helpers.tiny_study import study_records

CHECK = Verification(
    images=10, max_difference=0, tolerance=1e-3, metric="accuracy", torch_metric=0.8, bundle_metric=0.8,
    metric_tolerance=0.01, p50_ms=20, p95_ms=30, end_to_end_p50_ms=40, memory_mb=100, agrees=True,
)  # fmt: skip


def checks(**wishes: Any) -> dict[str, LimitCheck]:
    task = wishes.pop("task", Task.CLASSIFICATION)
    request, choice, study = study_records(task, Path("unused"), **wishes)
    found = check_limits(request, choice, study, CHECK, engine=Engine.ONNXRUNTIME, device=Device.CPU)
    return {check.name: check for check in found}


def test_nothing_asked_nothing_checked() -> None:
    assert checks() == {}


@pytest.mark.parametrize(
    ("wish", "holds"),
    [
        ({"metrics": [{"name": "accuracy", "value": 0.85}]}, True),
        ({"metrics": [{"name": "accuracy", "value": 0.851}]}, False),
        ({"metrics": [{"name": "F1", "value": 0.5}]}, None),
        ({"parameters": {"value": 4, "unit": "M"}}, True),
        ({"parameters": {"value": 3900, "unit": "K"}}, False),
        ({"flops": {"value": 50, "unit": "MFLOPs"}}, True),
        ({"flops": {"value": 49, "unit": "MFLOPs"}}, False),
        ({"speed": {"value": 20, "unit": "ms"}}, True),
        ({"speed": {"value": 51, "unit": "fps"}}, False),
        ({"gpu": "cpu"}, True),
        ({"gpu": "gpu"}, False),
        ({"engine": "onnxruntime"}, True),
        ({"engine": "ncnn"}, False),
    ],
)
def test_each_limit(wish: dict[str, Any], holds: bool | None) -> None:
    (check,) = checks(**wish).values()
    assert check.holds is holds


@pytest.mark.parametrize(
    ("name", "value", "holds", "got"),
    [
        (
            "accuracy",
            0.82,
            True,
            "0.820 on test (accuracy, of which INT8 changes -0.030 on 10 images, 95 % interval 0.770 to 0.870)",
        ),
        ("accuracy", 0.83, False, "0.820 on test"),
        ("F1", 0.5, None, "0.700 on test by the float model; not measured for INT8"),
    ],
)
def test_a_figure_of_int8_is_not_that_of_the_trained_model(name: str, value: float, holds: bool, got: str) -> None:
    metrics = [{"name": name, "value": value}]
    request, choice, study = study_records(Task.CLASSIFICATION, Path("unused"), metrics=metrics)
    interval = Interval(low=0.8, high=0.9, pictures=50)
    study = study.model_copy(
        update={"test_metrics": {**study.test_metrics, "F1": 0.7}, "test_intervals": {"accuracy": interval}}
    )
    int8 = CHECK.model_copy(update={"precision": "int8", "bundle_metric": 0.77, "tolerance": None})
    (check,) = check_limits(request, choice, study, int8, engine=Engine.ONNXRUNTIME, device=Device.CPU)
    assert check.holds is holds
    assert check.got.startswith(got)


def test_a_metric_under_another_name() -> None:
    check = checks(task=Task.DETECTION, metrics=[{"name": "AP", "value": 0.9}])["AP"]
    assert check.got == "0.850 on test (mAP)"
    assert check.holds is False


@pytest.mark.parametrize(
    ("value", "holds", "unsure"), [(0.7, True, False), (0.8, True, True), (0.9, False, True), (0.95, False, False)]
)
def test_a_limit_inside_the_interval_of_the_figure_is_in_doubt(value: float, holds: bool, unsure: bool) -> None:
    metrics = [{"name": "accuracy", "value": value}]
    request, choice, study = study_records(Task.CLASSIFICATION, Path("unused"), metrics=metrics)
    study = study.model_copy(update={"test_intervals": {"accuracy": Interval(low=0.75, high=0.92, pictures=45)}})
    (check,) = check_limits(request, choice, study, CHECK, engine=Engine.ONNXRUNTIME, device=Device.CPU)
    assert check.got == "0.850 on test (accuracy, 95 % interval 0.750 to 0.920)"
    assert (check.holds, check.unsure) == (holds, unsure)
    assert check.doubt == (", but the 95 % interval includes the limit" if unsure else "")


def test_texts_carry_units() -> None:
    check = checks(speed={"value": 100, "unit": "fps"})["speed"]
    assert check.wanted == "at most 10 ms an image (100 fps)"
    assert check.got.startswith("20.00 ms an image (50 fps)")
