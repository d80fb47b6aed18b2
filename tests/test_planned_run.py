"""A run within a time, through the real command line: both fidelities, killed in each, and more time afterwards."""

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
    asked = ("--parse", parse, "--data", shapes, "--time", 5, "--searcher", "random")
    kill_when(home, out, "training:trial", "run", "which material", *asked, "--out", out)
    searched = trials(out / "study")
    assert searched
    plan = json.loads((out / "plan.json").read_text())
    kill_when(home, out, "final:trial", "run", "--resume", out)
    finals = trials(out / "final")
    assert finals
    assert trials(out / "study")[: len(searched)] == searched
    done = autommlab(home, "run", "--resume", out, timeout=900)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "plan.json").read_text()) == plan
    assert trials(out / "final")[: len(finals)] == finals
    for part in ("study", "final"):
        tried = [json.dumps(trial["hyperparameters"], sort_keys=True) for trial in trials(out / part)]
        assert len(tried) == len(set(tried))
    study = json.loads((out / "study.json").read_text())
    assert study["checkpoint"] == "final/best/checkpoint.pth"
    assert len(study["finals"]) == plan["full"]["finalists"]
    assert study["best"] in study["finals"]
    model = json.loads((out / "bundle" / "bundle.json").read_text())
    assert str(plan["full"]["input_size"][0]) in json.dumps(model["input"])

    before, delivered = trials(out / "study"), trials(out / "final")
    more = autommlab(home, "run", "--resume", out, "--time", 9, timeout=900)
    assert more.returncode == 0, more.stderr
    assert "the rest of the time is planned anew" in more.stderr
    assert trials(out / "study")[: len(before)] == before
    assert trials(out / "final-1") == delivered != trials(out / "final")


def test_a_minute_says_what_cannot_be_done_in_it(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = autommlab(
        home, "run", "x", "--parse", parse, "--data", shapes, "--time", 1, "--searcher", "random", "--out", out
    )
    assert done.returncode == 0, done.stderr
    assert "have no room for a search" in done.stderr
    assert len(trials(out / "final")) == 1
    assert (out / "bundle" / "predict.py").exists()
