"""A study whose second node is cut off in mid-trial, for so long that Ray takes it for dead, and then is back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import ray
from ray.cluster_utils import Cluster

from autommlab.common.environment import home, keep_bytecode
from autommlab.training.runner_config import TrialSetup
from tests.helpers.namespace_node import OUTSIDE, Cable, cable, node_behind, why_not
from tests.helpers.small_study import HEAD, HEALTH, disturbed_study, require_same, study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CUT_S = 12.0


class TwoNodes(NamedTuple):
    address: str
    cable: Cable
    behind: subprocess.Popen[bytes]


@pytest.fixture
def two_nodes() -> Iterator[TwoNodes]:
    """A head without room for trials, a node for one trial beside it, and one behind a cable."""
    if reason := why_not():
        pytest.skip(reason)
    keep_bytecode(home() / "bytecode")
    with cable() as line:
        cluster = Cluster(
            initialize_head=True,
            head_node_args={**HEAD, "node_ip_address": OUTSIDE, "_system_config": HEALTH},
        )
        try:
            cluster.add_node(num_cpus=1, resources={"trainer": 1}, node_ip_address=OUTSIDE)
            with node_behind(line, cluster.address, num_cpus=1, resources='{"trainer": 1}') as behind:
                cluster.wait_for_nodes()
                yield TwoNodes(cluster.address, line, behind)
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.mark.long
def test_a_cut_that_heals_loses_no_trial_and_changes_no_result(
    tiny_classification: TrialSetup, tmp_path: Path, two_nodes: TwoNodes
) -> None:
    def cut() -> None:
        two_nodes.cable.pull()
        time.sleep(CUT_S)
        two_nodes.cable.plug()

    disturbed = disturbed_study(tiny_classification, tmp_path / "cut", two_nodes.address, cut, after=2)
    assert all("goes on from its last checkpoint" in told for told in disturbed.warnings)
    assert two_nodes.behind.wait(60) is not None  # Ray ends a node that was taken for dead and comes back
    alone = study(tiny_classification, tmp_path / "alone", two_nodes.address)
    require_same(disturbed.result, alone.result)
