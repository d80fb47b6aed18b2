"""A study over several raylets on one machine, one of which is lost, frozen, or fails in its own way."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import ray
from fault_in_worker import BROKEN_GPU, SLOW_AND_LATE, environment_with
from ray.cluster_utils import Cluster
from tiny import small_space

from autommlab.cluster import ray_session
from autommlab.events import Event, Events
from autommlab.settings import home
from autommlab.training.records import StudyResult
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study import StudyOptions, run_study
from serve.bytecode import keep_bytecode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPACE = small_space(iterations=(24, 30), batch_size=(4, 8))
TRIALS = 3
#: A node that does not answer for about 4 s counts as dead; Ray's defaults take half a minute.
HEALTH = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 1000, "health_check_timeout_ms": 1000,
          "health_check_failure_threshold": 4}  # fmt: skip
SHORT_S, LONG_S = 1.5, 9.0
#: Less than a checkpoint, more than a log.
FILE_LIMIT = 2 << 20


class Studied(NamedTuple):
    """A study's result and the warnings that it gave."""

    result: StudyResult
    warnings: list[str]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head without room for trials, a node for one trial, and one that is not for trials."""
    keep_bytecode(home() / "bytecode")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": HEALTH})
    try:
        trainer(cluster)
        cluster.add_node(num_cpus=1, resources={"llm": 1})
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def undisturbed(nodes: Any, tiny_classification: TrialSetup, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """The study with two nodes for trials and no disturbance."""
    second = trainer(nodes)
    folder = tmp_path_factory.mktemp("undisturbed")
    studied = study(tiny_classification, folder / "study", nodes.address)
    nodes.remove_node(second)
    assert studied.warnings == []
    return studied.result


def trainer(nodes: Any, **more: Any) -> Any:
    """A node for one trial."""
    return nodes.add_node(num_cpus=1, resources={"trainer": 1}, **more)


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


def kill(nodes: Any, node: Any) -> None:
    nodes.remove_node(node, allow_graceful=False)


def spot_notice(nodes: Any, node: Any) -> None:
    """What a cloud's notice makes of a node: Ray is told, then SIGTERM comes."""
    notice = ["drain-node", "--address", nodes.address, "--node-id", node.node_id, "--reason-message", "spot notice",
              "--reason", "DRAIN_NODE_REASON_PREEMPTION", "--deadline-remaining-seconds", "2"]  # fmt: skip
    subprocess.run([sys.executable, "-m", "ray.scripts.scripts", *notice], check=True, capture_output=True)
    time.sleep(0.5)
    with contextlib.suppress(Exception):  # an idle node that was told to go may be gone by now
        nodes.remove_node(node, allow_graceful=True)


def short_silence(nodes: Any, node: Any) -> None:
    freeze(node, SHORT_S)


def long_silence(nodes: Any, node: Any) -> None:
    """Ray takes the node for dead; then it is back."""
    freeze(node, LONG_S)


def freeze(node: Any, seconds: float) -> None:
    """To the others, a node that is halted is one behind a network that is cut."""
    halted = processes(node)
    for process in halted:
        process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    for process in halted:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def processes(node: Any) -> list[psutil.Process]:
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return [raylet, *raylet.children(recursive=True)]


def wait_for_a_checkpoint(folder: Path) -> bool:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if list((folder / "ray").glob("*/checkpoint_*/progress.json")):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("disturb", [kill, spot_notice, short_silence, long_silence])
def test_a_node_that_is_lost_in_mid_trial_loses_no_trial_and_changes_no_result(
    disturb: Callable[[Any, Any], None], tiny_classification: TrialSetup, tmp_path: Path, nodes: Any,
    undisturbed: StudyResult,
) -> None:  # fmt: skip
    node, folder = trainer(nodes), tmp_path / "study"
    nodes.wait_for_nodes()
    done: list[bool] = []

    def disturb_in_mid_trial() -> None:
        if wait_for_a_checkpoint(folder):
            disturb(nodes, node)
            done.append(True)

    disturber = threading.Thread(target=disturb_in_mid_trial)
    disturber.start()
    try:
        disturbed, warnings = study(tiny_classification, folder, nodes.address)
    finally:
        disturber.join()
        if node in nodes.list_all_nodes():
            nodes.remove_node(node, allow_graceful=False)
    assert done, "the study ended before the node could be disturbed"
    require_same(disturbed, undisturbed)
    assert all("goes on from its last checkpoint" in warning for warning in warnings)


def test_a_node_with_a_full_disk_takes_no_more_trials(
    tiny_classification: TrialSetup, tmp_path: Path, nodes: Any, undisturbed: StudyResult
) -> None:
    node = trainer(nodes)
    for process in processes(node):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    studied = study(tiny_classification, tmp_path / "study", nodes.address)
    require_left(node, studied, ": File too large)", nodes)
    require_same(studied.result, undisturbed)


def test_a_node_with_a_broken_gpu_takes_no_more_trials(
    tiny_classification: TrialSetup, tmp_path: Path, nodes: Any, undisturbed: StudyResult
) -> None:
    node = trainer(nodes, env_vars=environment_with(BROKEN_GPU, tmp_path / "fault"))
    studied = study(tiny_classification, tmp_path / "study", nodes.address)
    require_left(node, studied, "the GPU fails (RuntimeError: CUDA error: uncorrectable ECC error", nodes)
    require_same(studied.result, undisturbed)


def test_a_node_with_a_slow_disk_and_a_late_clock_changes_no_result(
    tiny_classification: TrialSetup, tmp_path: Path, nodes: Any, undisturbed: StudyResult
) -> None:
    node = trainer(nodes, env_vars=environment_with(SLOW_AND_LATE, tmp_path / "fault"))
    try:
        studied = study(tiny_classification, tmp_path / "study", nodes.address)
        yesterday = [trial for trial in studied.result.trials if trial.ended_at < time.time() - 80_000]
        assert yesterday, "no trial ran on the node with the late clock"
    finally:
        nodes.remove_node(node, allow_graceful=False)
    require_same(studied.result, undisturbed)


def require_same(disturbed: StudyResult, undisturbed: StudyResult) -> None:
    assert len(disturbed.trials) == TRIALS
    assert outcome(disturbed) == outcome(undisturbed)
    assert disturbed.best.score == pytest.approx(undisturbed.best.score)
    assert disturbed.test_metrics == pytest.approx(undisturbed.test_metrics)


def require_left(node: Any, studied: Studied, reason: str, nodes: Any) -> None:
    """The node was told to go, one trial's warning says why, and Ray has ended it or will."""
    try:
        told = [warning for warning in studied.warnings if "takes no more trials" in warning]
        assert len(told) == 1, studied.warnings
        assert reason in told[0]
    finally:
        nodes.remove_node(node, allow_graceful=False)
