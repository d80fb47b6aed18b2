"""Searchers inside real Ray Tune runs, killed and restored."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchers import SearcherError, create
from searchers.space import Point
from searchers.testing import METRIC, SPACE, propose, quadratic, report
from searchers.tune.snapshots import recover

STUDY = Path(__file__).with_name("quadratic_study.py")
REPORTS = 3


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    # Ray's socket paths must stay below 107 characters, which tmp_path may exceed.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        yield environment_with(folder)


def environment_with(ray_folder: str) -> dict[str, str]:
    """Of a study that saves at every step however slow the machine is: these trials take no time, saves may."""
    return {
        **os.environ,
        "RAY_FOLDER": ray_folder,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TUNE_GLOBAL_CHECKPOINT_S": "0",
    }


def command(folder: Path, searcher: str, scheduler: str, trials: int, seconds: float, *more: str) -> list[str]:
    return [sys.executable, str(STUDY), str(folder), searcher, scheduler, str(trials), str(seconds), *more]


def reports(folder: Path) -> list[dict[str, Any]]:
    log = folder / "reports.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def finished(folder: Path) -> list[dict[str, Any]]:
    return [line for line in reports(folder) if line["report"] == REPORTS]


def uninterrupted(searcher: str, trials: int) -> list[Point]:
    """What the searcher proposes when each trial ends before the next one starts."""
    reference = create(searcher, SPACE, metric=METRIC, seed=0)
    points = []
    for number in range(trials):
        points.append(propose(reference, f"t{number}"))
        reference.on_trial_complete(f"t{number}", report(quadratic(points[-1])))
    return points


@pytest.mark.slow
def test_a_study_runs_what_the_searcher_proposes(tmp_path: Path, environment: dict[str, str]) -> None:
    subprocess.run(command(tmp_path, "random", "none", 5, 0.01), env=environment, check=True)
    assert [line["point"] for line in finished(tmp_path)] == uninterrupted("random", 5)
    assert len({line["process"] for line in reports(tmp_path)}) == 1, "the actor was not reused"


@pytest.mark.slow
def test_asha_stops_trials_early(tmp_path: Path, environment: dict[str, str]) -> None:
    subprocess.run(command(tmp_path, "tpe", "asha", 8, 0.05), env=environment, check=True)
    lengths = [trial["reports"] for trial in json.loads((tmp_path / "summary.json").read_text())]
    assert len(lengths) == 8
    assert min(lengths) < REPORTS
    assert max(lengths) == REPORTS


def kill_after(run: subprocess.Popen[bytes], folder: Path, trials: int, patience_s: float = 240) -> None:
    deadline = time.monotonic() + patience_s
    while len(finished(folder)) < trials:
        assert run.poll() is None, "the study ended before it was killed"
        assert time.monotonic() < deadline, "the study did not get far enough to be killed"
        time.sleep(0.02)
    # By now Tune has heard of the trial before the last one for sure, of the last one perhaps.
    run.send_signal(signal.SIGKILL)
    run.wait()


@pytest.mark.slow
def test_a_killed_study_goes_on_and_repeats_no_finished_trial(tmp_path: Path, environment: dict[str, str]) -> None:
    args = command(tmp_path, "tpe-few", "none", 8, 0.2)
    kill_after(subprocess.Popen(args, env=environment), tmp_path, trials=5)
    before = [line["trial"] for line in finished(tmp_path)]
    subprocess.run([*args, "restore"], env=environment, check=True)
    after = [line["trial"] for line in finished(tmp_path)][len(before) :]
    assert not set(before[:-1]) & set(after), "a finished trial was repeated"
    assert len(set(before) | set(after)) == 8
    points = {line["trial"]: line["point"] for line in finished(tmp_path)}
    assert list(points.values()) == uninterrupted("tpe-few", 8)
    assert len(json.loads((tmp_path / "summary.json").read_text())) == 8


NAMES = ("experiment_state-1.json", "search_gen_state-1.json", "searcher-state-1.json")


def bundle(study: Path, names: tuple[str, ...]) -> None:
    with zipfile.ZipFile(study / "snapshot.zip", "w") as pack:
        for name in names:
            pack.writestr(name, f"whole {name}")


def test_recover_replaces_torn_files_by_those_of_one_moment(tmp_path: Path) -> None:
    bundle(tmp_path, NAMES)
    for name in ("searcher-state-1.json", "experiment_state-2.json", "tuner.pkl"):
        (tmp_path / name).write_text("")
    assert recover(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*NAMES, "snapshot.zip", "tuner.pkl"])
    assert (tmp_path / NAMES[2]).read_text() == f"whole {NAMES[2]}"


def test_recover_says_when_there_is_nothing_to_restore(tmp_path: Path) -> None:
    assert not recover(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_recover_refuses_a_broken_bundle_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / NAMES[0]).write_text("old")
    bundle(tmp_path, NAMES[:2])
    with pytest.raises(SearcherError, match=r"snapshot.zip holds 2 of 3 files \(experiment_state-1.json"):
        recover(tmp_path)
    (tmp_path / "snapshot.zip").write_bytes(b"PK torn")
    with pytest.raises(SearcherError, match=r"snapshot.zip cannot be read .*start the study anew"):
        recover(tmp_path)
    assert (tmp_path / NAMES[0]).read_text() == "old"
