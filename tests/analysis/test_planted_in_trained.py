"""Wrong annotations in the test pictures of models that the toolboxes have trained: they come first in the gallery."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.analysis.records import Analysis
from autommlab.deployment.stage import deploy
from autommlab.tasks import Task
from tests.helpers.planting import plant_wrong_labels
from tests.helpers.tiny_study import make_study

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.parametrize(("task", "iterations"), [(Task.DETECTION, 300), (Task.CLASSIFICATION, 60)])
def test_planted_wrong_labels_come_first(task: Task, iterations: int, tmp_path: Path) -> None:
    sizes = {"train": 64, "val": 8, "test": 150}
    study = make_study(task, tmp_path / "study", iterations=iterations, sizes=sizes)  # type: ignore[arg-type]
    planted = plant_wrong_labels(study.bag, 20)
    kept: list[Analysis] = []
    deploy(study.request, study.bag, study.choice, study.result, folder=tmp_path / "run", keep=kept.append)
    (found,) = kept
    assert found.pictures == 150
    assert len({one.path for one in found.mistakes(30)} & planted) >= 18, found.figures
