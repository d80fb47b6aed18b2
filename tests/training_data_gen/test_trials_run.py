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
from tests.helpers.program import autommlab, command
from training_data_gen.trials.menus import MENUS
from training_data_gen.trials.quasi import near_points, plan_points
from training_data_gen.trials.records import Triplet
from training_data_gen.trials.store import read_triplets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_DEADLINE_S = 240


def test_a_killed_run_goes_on_and_trains_nothing_twice(home: Path, shapes: Path, tmp_path: Path) -> None:
    added = autommlab(home, "data", "add", shapes, "--name", "materials")
    assert added.returncode == 0, added.stderr
    out = tmp_path / "triplets"
    asked = ("trials", "--data", "materials", "--tasks", "classification", "--bags", 1, "--near", 1, "--out", out)

    _kill_after_trial(home, out, *asked, "--per-bag", 2)
    ledger = out / "bags" / "materials-0" / "seed-0" / "trials.jsonl"
    survived = ledger.read_text().splitlines()
    assert survived
    assert not (out / "triplets.jsonl").exists(), "a bag's triplets come when it is done"

    done = autommlab(home, *asked, "--per-bag", 2)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 studies done, 4 triplets" in done.stdout
    assert ledger.read_text().splitlines()[: len(survived)] == survived
    triplets = read_triplets(out)
    assert len({t.key for t in triplets}) == len(triplets) == 4
    assert {t.planned for t in triplets} == {"materials-0"}
    assert {t.sobol_number for t in triplets} == {None, 0, 1}
    assert sum(t.test is not None for t in triplets) == 2, "the winner of each study"
    (near,) = [t for t in triplets if t.near]
    (recipe,) = [t for t in triplets if t.sobol_number is None and not t.near]
    assert near.point == near_points(_space(near), recipe.point, 1, sequence=0)[0]
    points = plan_points(_space(triplets[0]), 2)
    assert [next(t.point for t in triplets if t.sobol_number == n) for n in range(2)] == points
    for triplet in triplets:
        assert triplet.held_out
        assert triplet.left_out
        assert triplet.status == "ok", triplet.reason
        assert len(triplet.curve) == MENUS[Task.CLASSIFICATION].reports
        assert triplet.curve[-1][1] == pytest.approx(triplet.score, abs=1e-4)
        assert triplet.readback["optimizer"] == triplet.point["optimizer"]

    before = (out / "triplets.jsonl").read_text()
    again = autommlab(home, *asked, "--per-bag", 2, "--json")
    assert json.loads(again.stdout)["triplets"] == 4
    assert (out / "triplets.jsonl").read_text() == before

    elsewhere = tmp_path / "elsewhere"
    moved = autommlab(home, *asked[:-1], elsewhere, "--per-bag", 2, "--known", out, "--json")
    assert json.loads(moved.stdout)["studies_done"] == 2, moved.stderr
    assert {t.key for t in read_triplets(elsewhere)} == {t.key for t in triplets}
    assert not list(elsewhere.rglob("trials.jsonl")), "it was trained again"


def _space(triplet: Triplet) -> SearchSpace:
    return SearchSpace(parameters=triplet.parameters)


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
