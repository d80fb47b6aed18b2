"""Ctrl-C and SIGTERM in every stage: an exit code that tells, a line on how to go on, nothing left behind."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.program import autommlab
from tests.helpers.signals import require_policy, signalled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

#: One moment in each stage; in training also while Ray starts.
MARKS = (
    "understanding:stage-started",
    "data:stage-started",
    "model:stage-started",
    "training:stage-started",
    "training:trial",
    "deployment:progress",
)


@pytest.mark.long
def test_a_run_ends_and_goes_on_whatever_stage_a_signal_meets(
    home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    """In the usual run, `tests/cli/test_run_cli.py` ends a run by each signal once."""
    out = tmp_path / "run"
    asked = ["--parse", parse, "--data", shapes, "--trials", 3, "--concurrent", 1, "--searcher", "random"]
    line: list[object] = ["run", "which material", *asked, "--out", out]
    for mark, number in itertools.product(MARKS, (signal.SIGINT, signal.SIGTERM)):
        ended = signalled(home, out / "events.jsonl", mark, number, *line)
        require_policy(ended, number, f"Go on with: autommlab run --resume {out}")
        line = ["run", "--resume", out]
        if mark.startswith("training"):
            assert not (out / "study.json").exists(), "an interrupted study is not a finished one"
    done = autommlab(home, *line)
    assert done.returncode == 0, done.stderr
    trials = [json.loads(trial) for trial in (out / "study" / "trials.jsonl").read_text().splitlines()]
    assert [trial["status"] for trial in trials] == ["ok"] * 3


@pytest.mark.long
def test_a_comparison_and_a_benchmark_end_alike(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    asked = ["--parse", parse, "--data", shapes, "--seeds", 1, "--out"]
    compare = ["compare", "x", "--searchers", "random", *asked, tmp_path / "compare"]
    ended = signalled(home, tmp_path / "compare" / "events.jsonl", "training:trial", signal.SIGINT, *compare)
    require_policy(ended, signal.SIGINT, "Go on with: autommlab compare x")
    bench = ["bench", "workers", *asked, tmp_path / "bench"]
    ended = signalled(home, tmp_path / "bench" / "events.jsonl", "data:stage-started", signal.SIGTERM, *bench)
    require_policy(ended, signal.SIGTERM, "Go on with: autommlab bench workers")


def test_a_signal_that_a_library_swallows_is_raised_at_the_next_event() -> None:
    code = """
import os, signal, sys
from autommlab.progress.events import Events
from autommlab.common.stopping import Stopped, obey_signals
obey_signals()
try:
    os.kill(os.getpid(), signal.SIGTERM)
    sys.exit("nothing was raised")
except BaseException:
    pass
Events().emit("note", "", "words alone go through")
try:
    Events().emit("stage-started", "deployment", "")
except Stopped as stopped:
    sys.exit(stopped.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True)
    assert done.returncode == 143, done.stderr


def test_an_echo_of_a_signal_changes_nothing_and_a_second_one_ends_at_once() -> None:
    code = """
import os, signal, time
from autommlab.common.stopping import obey_signals
obey_signals()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGINT)
    print("tidying up", flush=True)
    time.sleep(2.5)
    os.kill(os.getpid(), signal.SIGTERM)
    print("never", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (143, "tidying up\n"), done.stderr


def test_ray_tune_takes_no_signal_for_itself() -> None:
    code = """
import os, signal, sys
from autommlab.common.stopping import Stopped, obey_signals
from autommlab.training.tune_settings import quiet_tune
obey_signals()
quiet_tune()
import ray.tune
tune = sys.modules["ray.tune.tune"]
assert not tune._setup_signal_catching().is_set()
assert os.environ["TUNE_DISABLE_SIGINT_HANDLER"] == "1"
try:
    os.kill(os.getpid(), signal.SIGUSR1)
except Stopped as stopped:
    sys.exit(stopped.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=120, capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGUSR1, done.stderr
