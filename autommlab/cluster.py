"""Connecting to Ray: a private one on this machine, or the cluster that `RAY_ADDRESS` names."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

from autommlab import settings
from autommlab.errors import TrainingError
from autommlab.settings import home
from serve.bytecode import keep_bytecode
from serve.placement import whole
from serve.private_ray import prepare_ray_environment, start_private_ray


@contextlib.contextmanager
def ray_session(address: str | None = None) -> Iterator[None]:
    """Be connected to Ray inside the block; a Ray that this call started is stopped after it.

    Args:
        address: of a running Ray; None takes `RAY_ADDRESS` (set inside `ray job submit`), and
            without that starts a private Ray on this machine, listening on loopback only.

    Raises:
        TrainingError: no Ray answers at that address.
    """
    prepare_ray_environment()
    keep_bytecode(home() / "bytecode")
    import ray

    if ray.is_initialized():
        yield
        return
    target = address or os.environ.get("RAY_ADDRESS")
    try:
        if target:
            ray.init(address=target, log_to_driver=False, logging_level=logging.ERROR)
        else:
            start_private_ray(resources=whole(settings.trial_resource()))
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise TrainingError(
            f"cannot connect to Ray at {target or 'this machine'}: {error}. Check the address, start a cluster "
            "with `ray start --head`, or unset RAY_ADDRESS to use a private Ray on this machine"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def require_resources(cpus: float, gpus: float, resource: str | None = None) -> None:
    """Check before the first trial that the cluster can ever run one.

    Args:
        cpus, gpus: of a trial.
        resource: custom resource that its node must carry, None = any node.

    Raises:
        TrainingError: no node is large enough, and none can be added (`settings.trials_at_once`).
    """
    if settings.trials_at_once() or _room(cpus, gpus, resource):
        return
    alive = _alive_nodes()
    nodes = [node for node in alive if resource is None or node.get(resource)]
    if not nodes:
        raise TrainingError(
            f"trials may run on nodes with the custom resource {resource!r} only ({settings.TRIAL_RESOURCE_VARIABLE}), "
            f"and none of this Ray's {len(alive)} node(s) carries it. Start one with `ray start "
            f"--resources='{{\"{resource}\": 1}}'`, unset the variable, or, where an autoscaler adds such nodes, "
            f"tell how many trials fit then with {settings.TRIALS_AT_ONCE_VARIABLE}"
        )
    largest = max(node.get("CPU", 0) for node in nodes)
    total_gpus = sum(node.get("GPU", 0) for node in nodes)
    raise TrainingError(
        f"a trial needs {cpus:g} CPU and {gpus:g} GPU on one node; this Ray has {len(nodes)} node(s), the largest "
        f"with {largest:g} CPU, and {total_gpus:g} GPU in all. Choose another --profile, lower --cpus-per-trial or "
        "--gpus-per-trial, or connect to a larger cluster"
    )


def trial_slots(cpus: float, gpus: float, resource: str | None = None) -> int:
    """Trials that the cluster has room for at once, at least 1; with an autoscaler, once it has grown.

    Args:
        cpus, gpus: of a trial.
        resource: custom resource that its node must carry, None = any node.
    """
    return max(1, settings.trials_at_once(), _room(cpus, gpus, resource))


def _room(cpus: float, gpus: float, resource: str | None) -> int:
    """Trials that the nodes that are there hold; a trial is never split over two of them."""
    needs = [(kind, need) for kind, need in (("CPU", cpus), ("GPU", gpus)) if need > 0]
    # 1e-9: a node of 1 GPU holds ten trials of 0.1.
    rooms = [
        min((int(node.get(kind, 0) / need + 1e-9) for kind, need in needs), default=1)
        for node in _alive_nodes()
        if resource is None or node.get(resource)
    ]
    return sum(rooms)


def _alive_nodes() -> list[dict[str, float]]:
    """The resources of each node."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
