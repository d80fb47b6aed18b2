"""A study over several raylets on one machine, one of which is lost, frozen, or fails in its own way."""

from __future__ import annotations

import contextlib
import functools
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from autommlab.common.environment import home, keep_bytecode
from autommlab.training.records import StudyResult
from autommlab.training.runner_config import TrialSetup
from tests.helpers.fault_in_worker import BROKEN_GPU, SLOW_AND_LATE, environment_with
from tests.helpers.small_study import HEAD, HEALTH, TRIALS, Studied, disturbed_study, require_same, study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHORT_S, LONG_S = 1.5, 9.0
#: Less than a checkpoint, more than a log.
FILE_LIMIT = 2 << 20


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head without room for trials, a node for one trial, and one that is not for trials."""
    keep_bytecode(home() / "bytecode")
    cluster = Cluster(initialize_head=True, head_node_args={**HEAD, "_system_config": HEALTH})
    try:
        trainer(cluster)
        cluster.add_node(num_cpus=1, resources={"llm": 1})
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def beside_a_full_disk(
    nodes: Any, tiny_classification: TrialSetup, tmp_path_factory: pytest.TempPathFactory
) -> StudyResult:
    """The study with a node whose disk fails; other disturbances may not lead to another result."""
    node = trainer(nodes)
    for process in processes(node):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    studied = study(tiny_classification, tmp_path_factory.mktemp("full") / "study", nodes.address)
    require_left(node, studied, "the disk fails (File too large: ", nodes)
    return studied.result


def trainer(nodes: Any, **more: Any) -> Any:
    """A node for one trial."""
    return nodes.add_node(num_cpus=1, resources={"trainer": 1}, **more)


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


@pytest.mark.parametrize(
    "disturb",
    # What a silence does is also shown by the cut network; here it is more of the same.
    [
        kill,
        pytest.param(spot_notice, marks=pytest.mark.long),
        pytest.param(short_silence, marks=pytest.mark.long),
        pytest.param(long_silence, marks=pytest.mark.long),
    ],
)
def test_a_node_that_is_lost_in_mid_trial_loses_no_trial_and_changes_no_result(
    disturb: Callable[[Any, Any], None], tiny_classification: TrialSetup, tmp_path: Path, nodes: Any,
    beside_a_full_disk: StudyResult,
) -> None:  # fmt: skip
    node, folder = trainer(nodes), tmp_path / "study"
    nodes.wait_for_nodes()
    try:
        disturbed, warnings = disturbed_study(
            tiny_classification, folder, nodes.address, functools.partial(disturb, nodes, node)
        )
    finally:
        if node in nodes.list_all_nodes():
            nodes.remove_node(node, allow_graceful=False)
    require_same(disturbed, beside_a_full_disk)
    assert all("goes on from its last checkpoint" in warning for warning in warnings)


def test_a_node_with_a_full_disk_takes_no_more_trials(beside_a_full_disk: StudyResult) -> None:
    assert [trial.status for trial in beside_a_full_disk.trials] == ["ok"] * TRIALS


@pytest.mark.long
def test_without_any_disturbance_the_result_is_the_same(
    tiny_classification: TrialSetup, tmp_path: Path, nodes: Any, beside_a_full_disk: StudyResult
) -> None:
    second = trainer(nodes)
    studied = study(tiny_classification, tmp_path / "study", nodes.address)
    nodes.remove_node(second)
    assert studied.warnings == []
    require_same(beside_a_full_disk, studied.result)


@pytest.mark.long
def test_a_node_with_a_broken_gpu_takes_no_more_trials(
    tiny_classification: TrialSetup, tmp_path: Path, nodes: Any, beside_a_full_disk: StudyResult
) -> None:
    node = trainer(nodes, env_vars=environment_with(BROKEN_GPU, tmp_path / "fault"))
    studied = study(tiny_classification, tmp_path / "study", nodes.address)
    require_left(node, studied, "the GPU fails (RuntimeError: CUDA error: uncorrectable ECC error", nodes)
    require_same(studied.result, beside_a_full_disk)


@pytest.mark.long
def test_a_node_with_a_slow_disk_and_a_late_clock_changes_no_result(
    tiny_classification: TrialSetup, tmp_path: Path, nodes: Any, beside_a_full_disk: StudyResult
) -> None:
    node = trainer(nodes, env_vars=environment_with(SLOW_AND_LATE, tmp_path / "fault"))
    try:
        studied = study(tiny_classification, tmp_path / "study", nodes.address)
        yesterday = [trial for trial in studied.result.trials if trial.ended_at < time.time() - 80_000]
        assert yesterday, "no trial ran on the node with the late clock"
    finally:
        nodes.remove_node(node, allow_graceful=False)
    require_same(studied.result, beside_a_full_disk)


def require_left(node: Any, studied: Studied, reason: str, nodes: Any) -> None:
    """The node was told to go, one trial's warning says why, and Ray has ended it or will."""
    try:
        told = [warning for warning in studied.warnings if "takes no more trials" in warning]
        assert len(told) == 1, studied.warnings
        assert reason in told[0]
    finally:
        nodes.remove_node(node, allow_graceful=False)
