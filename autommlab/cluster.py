"""Connecting to Ray: a private one on this machine, or the cluster that `RAY_ADDRESS` names."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

from autommlab.errors import TrainingError
from autommlab.settings import home
from serve.bytecode import keep_bytecode
from serve.private_ray import prepare_ray_environment, start_private_ray

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
            name = f"{_NAMESPACE}{priority}"
            ray.init(address=target, namespace=name, log_to_driver=False, logging_level=logging.ERROR)
        else:
            start_private_ray()
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise TrainingError(
            f"cannot connect to Ray at {target or 'this machine'}: {error}. Check the address, start a cluster "
            "with `ray start --head`, or unset RAY_ADDRESS to use a private Ray on this machine"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


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


def require_resources(cpus: float, gpus: float, workers: int = 1) -> None:
    """Check before the first trial that the cluster can ever run one.

    Args:
        cpus, gpus: of each worker of a trial.
        workers: of a trial; each has to fit on one node.

    Raises:
        TrainingError: no node is large enough, there is no room for all workers, or their share of a GPU is odd.
    """
    import ray

    if workers > 1 and gpus not in (0, 1):
        raise TrainingError(
            f"--gpus-per-trial is {gpus:g}, but each of the {workers} workers of a trial needs a GPU of its own or "
            "none: with --workers-per-trial it must be 0 or 1"
        )
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    rooms = [_rooms(node, cpus, gpus) for node in nodes]
    if sum(rooms) >= workers:
        return
    if any(rooms):
        raise TrainingError(
            f"a trial needs {workers} workers with {cpus:g} CPU and {gpus:g} GPU each; this Ray has room for "
            f"{int(sum(rooms))}. Lower --workers-per-trial, --cpus-per-trial or --gpus-per-trial, or connect to a "
            "larger cluster"
        )
    largest = max((node.get("CPU", 0) for node in nodes), default=0)
    total_gpus = sum(node.get("GPU", 0) for node in nodes)
    raise TrainingError(
        f"a trial needs {cpus:g} CPU and {gpus:g} GPU on one node; this Ray has {len(nodes)} node(s), the largest "
        f"with {largest:g} CPU, and {total_gpus:g} GPU in all. Choose another --profile, lower --cpus-per-trial or "
        "--gpus-per-trial, or connect to a larger cluster"
    )


def _rooms(node: dict[str, float], cpus: float, gpus: float) -> float:
    """Workers that fit on a node."""
    needs = [node.get(kind, 0) // need for kind, need in (("CPU", cpus), ("GPU", gpus)) if need > 0]
    return min(needs, default=float("inf"))
