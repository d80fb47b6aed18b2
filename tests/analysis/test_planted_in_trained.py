"""Wrong annotations in the test pictures of models that were really trained: they come first in the gallery."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.analysis.records import Analysis
from autommlab.data.records import Bag
from autommlab.deployment.stage import deploy
from autommlab.report.evaluation import evaluate
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task
from tests.helpers.planting import plant_wrong_labels
from tests.helpers.program import EXAMPLES, autommlab
from tests.helpers.tiny_study import make_study

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]
WRONG, SHOWN = 20, 30


def test_in_a_classification_set(tmp_path: Path) -> None:
    study = make_study(
        Task.CLASSIFICATION, tmp_path / "study", iterations=60, sizes={"train": 64, "val": 8, "test": 150}
    )
    planted = plant_wrong_labels(study.bag, WRONG)
    kept: list[Analysis] = []
    deploy(study.request, study.bag, study.choice, study.result, folder=tmp_path / "run", keep=kept.append)
    (found,) = kept
    assert found.pictures == 150
    assert len({one.path for one in found.mistakes(SHOWN)} & planted) >= 18, found.figures


def test_in_an_embedded_detection_set(home: Path, tmp_path: Path) -> None:
    """A whole run on drawn scenes, whose test annotations are then made wrong."""
    out = tmp_path / "run"
    budget = ("--trials", 1, "--iterations", 250, "--batch", 8, "--images", 600, "--searcher", "surrogate-grid")
    parse = EXAMPLES / "detect_cats_and_dogs.json"
    done = autommlab(home, "run", "find cats and dogs", "--parse", parse, *budget, "--out", out, timeout=1200)
    assert done.returncode == 0, done.stderr
    run = RunFolder(out)
    clean = run.require("analysis", Analysis)
    planted = plant_wrong_labels(run.require("bag", Bag), WRONG)
    found = evaluate(out, tmp_path / "judged").found
    assert found.pictures == clean.pictures
    surest = [one.path for one in found.mistakes(SHOWN)]
    assert len(set(surest) & planted) >= 18, (clean.figures, [surest.index(one) for one in planted if one in surest])
