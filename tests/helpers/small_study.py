"""A study of three short trials on a cluster of the test's own, and what a disturbance may not change in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import ray

from autommlab.cluster import ray_session
from autommlab.progress.events import Event, Events
from autommlab.training.records import StudyResult
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study import run_study
from autommlab.training.study_options import StudyOptions
from tests.helpers.tiny_trials import small_space

SPACE = small_space(iterations=(24, 30), batch_size=(4, 8))
TRIALS = 3
#: A node that does not answer for about 4 s counts as dead; Ray's defaults take half a minute.
HEALTH = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 1000, "health_check_timeout_ms": 1000,
          "health_check_failure_threshold": 4}  # fmt: skip
#: A head without room for trials, and without the dozen processes of dashboard and autoscaler.
HEAD = {"num_cpus": 0, "include_dashboard": False, "no_monitor": True, "include_log_monitor": False}


class Studied(NamedTuple):
    """A study's result and the warnings that it gave."""

    result: StudyResult
    warnings: list[str]


def study(setup: TrialSetup, folder: Path, address: str) -> Studied:
    warnings: list[str] = []

    def listen(event: Event) -> None:
        if event.kind == "warning":
            warnings.append(event.message)

    with ray_session(address):
        options = StudyOptions(searcher="random", trials=TRIALS, node_resource="trainer")
        result = run_study(setup, SPACE, options, folder=folder, events=Events(listen))
        assert not actor_nodes() & {node["NodeID"] for node in ray.nodes() if "llm" in node["Resources"]}
    return Studied(result, warnings)


def actor_nodes() -> set[str]:
    """Nodes on which this cluster's trials were started, those that ended long ago included."""
    from ray._private.state import actors

    found = {actor["Address"]["NodeID"] for actor in actors().values()}
    assert found
    return found


def outcome(result: StudyResult) -> dict[str, tuple[str, float]]:
    return {repr(trial.hyperparameters): (trial.status, round(trial.score, 6)) for trial in result.trials}


def wait_for_checkpoints(folder: Path, trials: int) -> bool:
    """Until that many trials have left one."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        saved = (folder / "ray").glob("*/checkpoint_*/progress.json")
        if len({file.parent.parent for file in saved}) >= trials:
            return True
        time.sleep(0.02)
    return False


def disturbed_study(
    setup: TrialSetup, folder: Path, address: str, disturb: Callable[[], None], *, after: int = 1
) -> Studied:
    """`study`, with `disturb` called once from a thread as soon as `after` trials have left a checkpoint."""
    done: list[bool] = []

    def disturb_in_mid_trial() -> None:
        if wait_for_checkpoints(folder, after):
            disturb()
            done.append(True)

    disturber = threading.Thread(target=disturb_in_mid_trial)
    disturber.start()
    try:
        studied = study(setup, folder, address)
    finally:
        disturber.join()
    assert done, "the study ended before it could be disturbed"
    return studied


def require_same(disturbed: StudyResult, undisturbed: StudyResult) -> None:
    assert len(disturbed.trials) == TRIALS
    assert outcome(disturbed) == outcome(undisturbed)
    assert disturbed.best.score == pytest.approx(undisturbed.best.score)
    assert disturbed.test_metrics == pytest.approx(undisturbed.test_metrics)
