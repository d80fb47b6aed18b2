"""A tiny real run of `autommlab trials`: killed in mid-bag, gone on with, and nothing trained twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from autommlab.tasks import Task
from searchers.space import SearchSpace
from tests.helpers.program import autommlab, autommlab_here, command
from training_data_gen.trials.menus import MENUS
from training_data_gen.trials.quasi import near_configs, plan_configs
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.store import read_trials

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_DEADLINE_S = 240


def test_a_killed_run_goes_on_and_trains_nothing_twice(home: Path, shapes: Path, tmp_path: Path) -> None:
    added = autommlab_here("data", "add", shapes, "--name", "materials", home=home)
    assert added.code == 0, added.err
    out = tmp_path / "recorded"
    asked = ("trials", "--data", "materials", "--tasks", "classification", "--datasets", 1, "--near", 1, "--out", out)

    _kill_after_trial(home, out, *asked, "--per-dataset", 2)
    ledger = out / "bags" / "materials-0" / "seed-0" / "trials.jsonl"
    survived = ledger.read_text().splitlines()
    assert survived
    assert not (out / "trials.jsonl").exists(), "a bag's trials come when it is done"

    done = autommlab(home, *asked, "--per-dataset", 2)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 studies done, 4 trials" in done.stdout
    assert ledger.read_text().splitlines()[: len(survived)] == survived
    recorded = read_trials(out)
    assert len({t.key for t in recorded}) == len(recorded) == 4
    assert {t.planned for t in recorded} == {"materials-0"}
    assert {t.sobol_number for t in recorded} == {None, 0, 1}
    assert sum(t.test is not None for t in recorded) == 2, "the winner of each study"
    (near,) = [t for t in recorded if t.near]
    (default,) = [t for t in recorded if t.sobol_number is None and not t.near]
    assert near.config == near_configs(_space(near), default.config, 1, sequence=0)[0]
    configs = plan_configs(_space(recorded[0]), 2)
    assert [next(t.config for t in recorded if t.sobol_number == n) for n in range(2)] == configs
    for trial in recorded:
        assert trial.held_out
        assert trial.left_out
        assert trial.status == "ok", trial.reason
        assert len(trial.curve) == MENUS[Task.CLASSIFICATION].reports
        assert trial.curve[-1][1] == pytest.approx(trial.score, abs=1e-4)
        assert trial.readback["optimizer"] == trial.config["optimizer"]

    before = (out / "trials.jsonl").read_text()
    again = autommlab_here(*asked, "--per-dataset", 2, "--json", home=home)
    assert json.loads(again.out)["recorded"] == 4
    assert (out / "trials.jsonl").read_text() == before

    elsewhere = tmp_path / "elsewhere"
    moved = autommlab_here(*asked[:-1], elsewhere, "--per-dataset", 2, "--known", out, "--json", home=home)
    assert json.loads(moved.out)["studies_done"] == 2, moved.err
    assert {t.key for t in read_trials(elsewhere)} == {t.key for t in recorded}
    assert not list(elsewhere.glob("bags/**/trials.jsonl")), "it was trained again"


def _space(trial: RecordedTrial) -> SearchSpace:
    return SearchSpace(parameters=trial.parameters)


def _kill_after_trial(home: Path, out: Path, *asked: object) -> None:
    """Start the command and end it, with its workers, as a power cut would, once a first trial is recorded."""
    line, environment = command(home, *asked)
    process = subprocess.Popen(line, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _DEADLINE_S
        while not [p for p in out.glob("bags/*/seed-0/trials.jsonl") if p.stat().st_size]:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline, "no trial finished"
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
