"""A run within a time, through the real command line: its trainings, killed in each, and more time afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.killing import kill_when
from tests.helpers.program import autommlab

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]


def trials(folder: Path) -> list[dict]:
    path = folder / "trials.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_killed_at_each_fidelity_it_trains_no_finished_trial_again_and_goes_on_for_more_time(
    home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    asked = ("--parse", parse, "--data", shapes, "--time", 5, "--searcher", "random", "--refit", "auto")
    kill_when(home, out, "training:trial", "run", "which material", *asked, "--out", out)
    searched = trials(out / "study")
    assert searched
    plan = json.loads((out / "plan.json").read_text())
    assert plan["refit"], "val of this set is small"
    kill_when(home, out, "folds:trial", "run", "--resume", out)
    folds = trials(out / "folds")
    assert folds
    kill_when(home, out, "final:trial", "run", "--resume", out)
    assert trials(out / "folds")[: len(folds)] == folds
    compared = trials(out / "folds")
    finals = trials(out / "final")
    assert finals
    assert trials(out / "study")[: len(searched)] == searched
    done = autommlab(home, "run", "--resume", out, timeout=900)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "plan.json").read_text()) == plan
    assert trials(out / "final")[: len(finals)] == finals
    assert trials(out / "folds") == compared
    for part in ("study", "folds", "final"):
        tried = [json.dumps([trial["hyperparameters"], trial["fold"]], sort_keys=True) for trial in trials(out / part)]
        assert len(tried) == len(set(tried))
    study = json.loads((out / "study.json").read_text())
    assert study["checkpoint"] == "final/best/checkpoint.pth"
    assert len(study["finals"]) == plan["full"]["finalists"]
    assert study["best"] in study["finals"]
    validated = study["cross_validation"]
    assert validated["folds"] == 1 or validated["folds"] == plan["refit"]["folds"]
    winner = next(one for one in validated["finalists"] if one["number"] == validated["best"])
    assert study["val_metrics"] == winner["metrics"], "nothing is measured on pictures that were trained on"
    told = (out / "bundle" / "model_card.md").read_text()
    assert "The delivered model is trained on train and val" in told
    _require_train_without_test(out)
    model = json.loads((out / "bundle" / "bundle.json").read_text())
    assert str(plan["full"]["input_size"][0]) in json.dumps(model["input"])

    before, delivered = trials(out / "study"), trials(out / "final")
    more = autommlab(home, "run", "--resume", out, "--time", 9, timeout=900)
    assert more.returncode == 0, more.stderr
    assert "the rest of the time is planned anew" in more.stderr
    assert trials(out / "study")[: len(before)] == before
    assert trials(out / "final-1") == delivered != trials(out / "final")
    assert trials(out / "folds-1") == compared


def _require_train_without_test(run: Path) -> None:
    lists = [*(run / "bag").glob("fold-*-train.txt"), run / "bag" / "train-and-val.txt"]
    test = set((run / "bag" / "test.txt").read_text().splitlines())
    assert test
    for listing in lists:
        assert not test & set(listing.read_text().splitlines()), listing


def test_a_minute_says_what_cannot_be_done_in_it(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = autommlab(
        home, "run", "x", "--parse", parse, "--data", shapes, "--time", 1, "--searcher", "random", "--refit", "auto",
        "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "have no room for a search" in done.stderr
    assert len(trials(out / "final")) == 1
    assert json.loads((out / "plan.json").read_text())["refit"] is None


def test_unless_asked_for_val_stays_out_of_training(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = ("--parse", parse, "--data", shapes, "--time", 3, "--searcher", "random")
    done = autommlab(home, "run", "x", *asked, "--out", out)
    assert done.returncode == 0, done.stderr
    study = json.loads((out / "study.json").read_text())
    assert study["cross_validation"] is None
    assert not (out / "folds").exists()
    assert (out / "bundle" / "predict.py").exists()
