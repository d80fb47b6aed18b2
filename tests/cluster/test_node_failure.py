"""A study over four raylets on one machine, one of which is killed with -9 in mid-trial."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from tiny import small_space

from autommlab.cluster import ray_session
from autommlab.events import Events
from autommlab.settings import home
from autommlab.training.records import StudyResult
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study import StudyOptions, run_study
from serve.bytecode import keep_bytecode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPACE = small_space(iterations=(24, 30), batch_size=(4, 8))
TRIALS = 3


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without room for trials, two nodes for one trial each, and one that is not for trials."""
    keep_bytecode(home() / "bytecode")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        workers = [nodes.add_node(num_cpus=1, resources={"trainer": 1}) for _ in range(2)]
        nodes.add_node(num_cpus=1, resources={"llm": 1})
        nodes.wait_for_nodes()
        yield nodes, workers
    finally:
        ray.shutdown()
        nodes.shutdown()


def study(setup: TrialSetup, folder: Path, address: str) -> StudyResult:
    with ray_session(address):
        options = StudyOptions(searcher="random", trials=TRIALS, node_resource="trainer")
        result = run_study(setup, SPACE, options, folder=folder, events=Events())
        assert not actor_nodes() & {node["NodeID"] for node in ray.nodes() if "llm" in node["Resources"]}
        return result


def actor_nodes() -> set[str]:
    """Nodes on which this cluster's trials were started, those that ended long ago included."""
    from ray._private.state import actors

    nodes = {actor["Address"]["NodeID"] for actor in actors().values()}
    assert nodes
    return nodes


def outcome(result: StudyResult) -> dict[str, tuple[str, float]]:
    return {repr(trial.hyperparameters): (trial.status, round(trial.score, 6)) for trial in result.trials}


def test_a_killed_node_loses_no_trial_and_changes_no_result(
    tiny_classification: TrialSetup, tmp_path: Path, cluster: Any
) -> None:
    nodes, (first, _) = cluster
    undisturbed = study(tiny_classification, tmp_path / "undisturbed", nodes.address)
    killed: list[float] = []

    def kill_in_mid_trial() -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            if list((tmp_path / "disturbed" / "ray").glob("*/checkpoint_*/progress.json")):
                nodes.remove_node(first, allow_graceful=False)
                killed.append(time.monotonic())
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_in_mid_trial)
    killer.start()
    disturbed = study(tiny_classification, tmp_path / "disturbed", nodes.address)
    killer.join()
    assert killed, "the study ended before a node could be killed"
    assert len(disturbed.trials) == TRIALS
    assert outcome(disturbed) == outcome(undisturbed)
    assert disturbed.best.score == pytest.approx(undisturbed.best.score)
    assert disturbed.test_metrics == pytest.approx(undisturbed.test_metrics)
