"""Connecting to Ray: a private one on this machine, or the cluster that `RAY_ADDRESS` names."""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

from autommlab import settings
from autommlab.common.environment import home, keep_bytecode
from autommlab.common.errors import TrainingError
from autommlab.common.placement import resources_of_node
from autommlab.common.private_folder import restore_variables
from autommlab.common.private_ray import (
    own_signal_handlers,
    prepare_ray_environment,
    start_private_ray,
    stop_private_ray,
)
from autommlab.common.ray_address import HOW_TO_AUTHENTICATE, require_ray, send_token_if_asked

#: Ray namespace of every driver that runs studies, followed by its priority: so they know of each other.
_NAMESPACE = "autommlab-study-"


@contextlib.contextmanager
def ray_session(address: str | None = None, *, priority: int = 1) -> Iterator[None]:
    """Be connected to Ray inside the block; a Ray that this call started is stopped after it.

    Args:
        address: of a running Ray; None takes `RAY_ADDRESS` (set inside `ray job submit`), and
            without that starts a private Ray on this machine, listening on loopback only.
        priority: weight of this session's studies against those of others on the cluster, at least 1.

    Raises:
        TrainingError: no Ray answers at that address, or it asks for another token than the user's.
    """
    prepare_ray_environment()
    keep_bytecode(home() / "bytecode")
    import ray

    if ray.is_initialized():
        yield
        return
    target = address or os.environ.get("RAY_ADDRESS")
    kept: dict[str, str | None] = {}
    try:
        if target:
            require_ray(target)
            kept = send_token_if_asked(target)
        _connect(target, priority)
        yield
    finally:
        stop_private_ray()  # also one that was being started when a signal came
        if kept:
            restore_variables(kept)


def _connect(target: str | None, priority: int) -> None:
    import ray

    try:
        if target:
            name = f"{_NAMESPACE}{priority}"
            with own_signal_handlers():
                ray.init(address=target, namespace=name, log_to_driver=False, logging_level=logging.ERROR)
        else:
            start_private_ray(resources=resources_of_node(settings.trial_resource()))
    except ray.exceptions.AuthenticationError as error:
        raise TrainingError(
            f"the Ray at {target} asks for another token than this machine has. {HOW_TO_AUTHENTICATE}"
        ) from error
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise TrainingError(
            f"cannot connect to Ray at {target or 'this machine'}: {error}. Check the address, start a cluster "
            "with `ray start --head`, or unset RAY_ADDRESS to use a private Ray on this machine"
        ) from error


def cluster_share() -> float:
    """This driver's part of the cluster, in (0, 1]: its priority over those of all that run studies now.

    1 where this driver is alone, or not one of `ray_session`.
    """
    import ray
    from ray.experimental.internal_kv import internal_kv_get_gcs_client

    mine = _priority(ray.get_runtime_context().namespace)
    if not mine:
        return 1.0
    # Ray's list of drivers: a driver that dies, however it dies, is out of it without a doing of ours.
    drivers = internal_kv_get_gcs_client().get_all_job_info(
        skip_submission_job_info_field=True, skip_is_running_tasks_field=True
    )
    total = sum(_priority(driver.config.ray_namespace) for driver in drivers.values() if not driver.is_dead)
    return mine / max(mine, total)


def _priority(namespace: str) -> int:
    kind, _, number = namespace.rpartition("-")
    return int(number) if f"{kind}-" == _NAMESPACE and number.isdigit() else 0


@dataclass(frozen=True, slots=True)
class TrialNeed:
    """What one trial asks of Ray.

    Attributes:
        cpus, gpus: of each worker of the trial; GPUs may be fractional.
        workers: of the trial; each fits on one node, all together may lie on several.
        resource: custom resource that their nodes must carry, None = any node.
    """

    cpus: float
    gpus: float = 0
    workers: int = 1
    resource: str | None = None

    def rooms(self, node: dict[str, float]) -> float:
        """Workers that fit on a node with these resources."""
        if self.resource is not None and not node.get(self.resource):
            return 0
        needs = [(kind, need) for kind, need in (("CPU", self.cpus), ("GPU", self.gpus)) if need > 0]
        # 1e-9: a node of 1 GPU holds ten trials of 0.1.
        return min((int(node.get(kind, 0) / need + 1e-9) for kind, need in needs), default=math.inf)


def require_resources(need: TrialNeed) -> None:
    """Check before the first trial that the cluster can ever run one.

    Raises:
        TrainingError: no node is large enough or there is no room for all workers, and no node can be added
            (`settings.trials_at_once`); or the workers' share of a GPU is odd.
    """
    if need.workers > 1 and need.gpus not in (0, 1):
        raise TrainingError(
            f"--gpus-per-trial is {need.gpus:g}, but each of the {need.workers} workers of a trial needs a GPU of its "
            "own or none: with --workers-per-trial it must be 0 or 1"
        )
    alive = _alive_nodes()
    room = sum(need.rooms(node) for node in alive)
    if settings.trials_at_once() or room >= need.workers:
        return
    if room:
        raise TrainingError(
            f"a trial needs {need.workers} workers with {need.cpus:g} CPU and {need.gpus:g} GPU each; this Ray has "
            f"room for {int(room)}. Lower --workers-per-trial, --cpus-per-trial or --gpus-per-trial, or connect to a "
            "larger cluster"
        )
    nodes = [node for node in alive if need.resource is None or node.get(need.resource)]
    if not nodes:
        raise TrainingError(
            f"trials may run on nodes with the custom resource {need.resource!r} only "
            f"({settings.TRIAL_RESOURCE_VARIABLE}), and none of this Ray's {len(alive)} node(s) carries it. Start one "
            f"with `ray start --resources='{{\"{need.resource}\": 1}}'`, unset the variable, or, where an autoscaler "
            f"adds such nodes, tell how many trials fit then with {settings.TRIALS_AT_ONCE_VARIABLE}"
        )
    largest = max(node.get("CPU", 0) for node in nodes)
    total_gpus = sum(node.get("GPU", 0) for node in nodes)
    raise TrainingError(
        f"a trial needs {need.cpus:g} CPU and {need.gpus:g} GPU on one node; this Ray has {len(nodes)} node(s), the "
        f"largest with {largest:g} CPU, and {total_gpus:g} GPU in all. Choose another --profile, lower "
        "--cpus-per-trial or --gpus-per-trial, or connect to a larger cluster"
    )


def trial_slots(need: TrialNeed) -> int:
    """Trials that the cluster has room for at once, at least 1; with an autoscaler, once it has grown."""
    room = sum(need.rooms(node) for node in _alive_nodes())
    return max(1, settings.trials_at_once(), int(room // need.workers) if room < math.inf else 1)


def _alive_nodes() -> list[dict[str, float]]:
    """The resources of each node."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
