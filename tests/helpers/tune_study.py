"""Real Ray Tune studies in processes of their own, which tests kill and restore."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from searchers import create
from searchers.space import Configuration
from searchers.testing import METRIC, SPACE, propose, quadratic, report

STUDY = Path(__file__).with_name("quadratic_study.py")
REPORTS = 3


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


def uninterrupted(searcher: str, trials: int) -> list[Configuration]:
    """What the searcher proposes when each trial ends before the next one starts."""
    reference = create(searcher, SPACE, metric=METRIC, seed=0)
    configs = []
    for number in range(trials):
        configs.append(propose(reference, f"t{number}"))
        reference.on_trial_complete(f"t{number}", report(quadratic(configs[-1])))
    return configs


def kill_after(run: subprocess.Popen[bytes], folder: Path, trials: int, patience_s: float = 240) -> None:
    deadline = time.monotonic() + patience_s
    while len(finished(folder)) < trials:
        assert run.poll() is None, "the study ended before it was killed"
        assert time.monotonic() < deadline, "the study did not get far enough to be killed"
        time.sleep(0.02)
    # By now Tune has heard of the trial before the last one for sure, of the last one perhaps.
    run.send_signal(signal.SIGKILL)
    run.wait()
