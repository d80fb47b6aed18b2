"""A tiny real run of `autommlab trials`: killed in mid-bag, gone on with, prolonged, and nothing trained twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from program import autommlab, command

from searchers.space import SearchSpace
from training_data_gen.triplets.quasi import plan_points
from training_data_gen.triplets.records import Triplet
from training_data_gen.triplets.store import read_triplets

pytestmark = pytest.mark.slow

_DEADLINE_S = 240


def test_a_killed_run_goes_on_and_trains_nothing_twice(home: Path, shapes: Path, tmp_path: Path) -> None:
    added = autommlab(home, "data", "add", shapes, "--name", "materials")
    assert added.returncode == 0, added.stderr
    out = tmp_path / "triplets"
    asked = ("trials", "--data", "materials", "--tasks", "classification", "--bags", 2, "--out", out)

    _kill_after_trial(home, out, *asked, "--per-bag", 3)
    ledger = out / "bags" / "materials-0" / "seed-0" / "trials.jsonl"
    survived = ledger.read_text().splitlines()
    assert survived
    assert not (out / "triplets.jsonl").exists(), "a bag's triplets come when it is done"

    done = autommlab(home, *asked, "--per-bag", 3)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 studies done, 8 triplets" in done.stdout
    assert "left: materials-1" in done.stderr
    assert ledger.read_text().splitlines()[: len(survived)] == survived
    triplets = read_triplets(out)
    assert len({t.key for t in triplets}) == len(triplets) == 8
    assert {t.planned for t in triplets} == {"materials-0", "materials-1"}
    for name in ("materials-0", "materials-1"):
        own = [t for t in triplets if t.planned == name]
        assert {t.config for t in own} == {None, 0, 1, 2}
        assert sum(t.test is not None for t in own) == 1
        points = plan_points(_space(own[0]), 3)
        assert [next(t.point for t in own if t.config == n) for n in range(3)] == points
        for triplet in own:
            assert triplet.held_out and triplet.left_out
            assert triplet.status == "ok", triplet.reason
            assert len(triplet.curve) == 3 and triplet.curve[-1][1] == pytest.approx(triplet.score, abs=1e-4)
            assert triplet.readback["optimizer"] == triplet.point["optimizer"]

    before = (out / "triplets.jsonl").read_text()
    again = autommlab(home, *asked, "--per-bag", 3, "--json")
    assert json.loads(again.stdout)["triplets"] == 8
    assert (out / "triplets.jsonl").read_text() == before

    longer = autommlab(home, *asked[:-3], 1, *asked[-2:], "--per-bag", 4, "--test-all")
    assert longer.returncode == 0, longer.stderr
    after = (out / "triplets.jsonl").read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == 9
    assert json.loads(after.splitlines()[-1])["test"] is not None, "a trial of this call was not measured on TEST"
    assert not list(out.glob("bags/*/seed-0/all/*/*.pth")), "weights that nobody needs any more stay on the disk"


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
