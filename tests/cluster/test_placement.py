"""Replicas land on the nodes that carry their custom resource, and only trainers count for trials: three raylets here.

That trials land on trainers is seen in `test_node_failure`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from autommlab.cluster import TrialNeed, ray_session, require_resources, trial_slots
from autommlab.common.errors import RequestError, TrainingError
from serve.settings import ServiceSettings
from tests.helpers.small_study import HEAD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """Connected to a head without CPUs, a trainer with 2 and an LLM node with 8; role -> id of the node."""
    nodes = Cluster(initialize_head=True, head_node_args=HEAD)
    try:
        ids = {
            role: nodes.add_node(num_cpus=cpus, resources={role: 1}).node_id
            for role, cpus in (("trainer", 2), ("llm", 8))
        }
        nodes.wait_for_nodes()
        with ray_session(nodes.address):
            yield ids
    finally:
        ray.shutdown()
        nodes.shutdown()


def test_only_nodes_that_carry_the_resource_count(cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert trial_slots(TrialNeed(1, resource="trainer")) == 2
    assert trial_slots(TrialNeed(1)) == 10
    assert trial_slots(TrialNeed(1.5)) == 1 + 5, "no trial is split over two nodes"
    require_resources(TrialNeed(2, resource="trainer"))
    with pytest.raises(TrainingError, match=r"4 CPU.*the largest with 2 CPU"):
        require_resources(TrialNeed(4, resource="trainer"))
    with pytest.raises(TrainingError, match=r"'gpu-box'.*none of this Ray's 3 node.*AUTOMMLAB_TRIALS_AT_ONCE"):
        require_resources(TrialNeed(1, resource="gpu-box"))
    monkeypatch.setenv("AUTOMMLAB_TRIALS_AT_ONCE", "16")
    require_resources(TrialNeed(1, resource="gpu-box"))
    assert trial_slots(TrialNeed(1, resource="trainer")) == 16
    monkeypatch.setenv("AUTOMMLAB_TRIALS_AT_ONCE", "many")
    with pytest.raises(RequestError, match="AUTOMMLAB_TRIALS_AT_ONCE is 'many'"):
        trial_slots(TrialNeed(1))


def test_replicas_of_the_service_land_on_llm_nodes(cluster: dict[str, str]) -> None:
    from ray import serve

    from serve.app import deployment_options

    class Where:
        """A stand-in for the engine, which takes a minute to load: only its place is asked for."""

        def reconfigure(self, user_config: dict[str, Any]) -> None:
            """Adapters are not loaded here."""

        def __call__(self) -> str:
            return ray.get_runtime_context().get_node_id()

    options = deployment_options(ServiceSettings(node_resource="llm", gpus_per_replica=0, replicas=2))
    serve.start(proxy_location="Disabled")
    try:
        handle = serve.run(serve.deployment()(Where).options(**options).bind(), name="where", route_prefix=None)
        assert {handle.remote().result() for _ in range(8)} == {cluster["llm"]}
    finally:
        serve.shutdown()


def test_the_environment_names_the_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    from autommlab.training.study_options import StudyOptions

    assert StudyOptions(searcher="random", trials=1).node_resource is None
    assert ServiceSettings().node_resource is None
    monkeypatch.setenv("AUTOMMLAB_TRIAL_RESOURCE", "trainer")
    monkeypatch.setenv("AUTOMMLAB_LLM_RESOURCE", "llm")
    assert StudyOptions(searcher="random", trials=1).node_resource == "trainer"
    assert ServiceSettings().node_resource == "llm"
