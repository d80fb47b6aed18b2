"""Nodes and jobs of a Ray, asked of its head without a driver or the dashboard; and the LLM service."""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from autommlab.common.errors import TrainingError
from autommlab.common.private_folder import authenticated, token_of
from autommlab.common.ray_address import HOW_TO_AUTHENTICATE, TIMEOUT_S, require_ray, token_where_asked
from autommlab.common.storage import shown_uri
from autommlab.status.records import ClusterStatus, JobStatus, NodeStatus, ServiceStatus

#: Ray's own patience with a head that accepts connections and does not answer, 30 s by default; read at its import.
_PATIENCE = {"RAY_py_gcs_connect_timeout_s": str(int(TIMEOUT_S))}
_BUILT_IN = ("CPU", "GPU", "memory", "object_store_memory")
#: Resources that Ray adds: "node:IP", "accelerator_type:A100", and those of placement groups ("CPU_group_0_1f3c").
_OF_RAY = re.compile(r":|_group_")
_INTERNAL_NAMESPACE = "_ray_internal"


def clusters(address: str | None = None) -> tuple[ClusterStatus, ...]:
    """The named Ray, or every Ray whose head is on this machine; none is no error, nor is one of somebody else.

    Args:
        address: HOST:PORT of a head; None = RAY_ADDRESS, without that all heads on this machine.

    Raises:
        TrainingError: no Ray answers at a named address, or it asks for another token than the user's.
    """
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    from ray._private.services import find_gcs_addresses

    named = address or os.environ.get("RAY_ADDRESS")
    if named and named != "auto":
        require_ray(named)
        return (_cluster(named),)
    found = []
    find_gcs_addresses.cache_clear()  # type: ignore[attr-defined]
    for each in sorted(find_gcs_addresses()):
        try:
            require_ray(each)
        except TrainingError:  # it ended a moment ago
            continue
        try:
            with authenticated(token_of(each)):  # a private Ray of a run or the service has a token of its own
                found.append(_cluster(each))
        except TrainingError as error:
            found.append(ClusterStatus(address=each, problem=str(error)))
    return tuple(found)


def _cluster(address: str) -> ClusterStatus:
    import ray
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.autoscaler.v2.sdk import get_cluster_status

    try:
        with token_where_asked(address):
            status = get_cluster_status(address, timeout=int(TIMEOUT_S))
            jobs = _jobs(GcsClient(address=address))
    except ray.exceptions.AuthenticationError as error:
        raise TrainingError(
            f"the Ray at {address} asks for another token than this machine has. {HOW_TO_AUTHENTICATE}"
        ) from error
    except (RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise TrainingError(f"the Ray at {address} cannot be asked: {error}") from error
    up = [_node(node) for node in (*status.active_nodes, *status.idle_nodes)]
    coming = [_node(node) for node in (*status.pending_nodes, *status.failed_nodes)]
    demands = status.resource_demands
    waiting = [*demands.ray_task_actor_demand, *demands.placement_group_demand]
    return ClusterStatus(
        address=address,
        nodes=(*sorted(up, key=lambda node: node.ip), *coming),
        waiting=sum(_count(demand) for demand in waiting),
        jobs=jobs,
    )


def _count(demand: Any) -> int:
    return sum(bundles.count for bundles in demand.bundles_by_count)


def _node(node: Any) -> NodeStatus:
    total, used = node.total_resources(), node.used_resources()
    return NodeStatus(
        ip=node.ip_address,
        state=node.node_status or node.failure_detail or node.details or "STARTING",
        cpus=total.get("CPU", 0),
        cpus_used=used.get("CPU", 0),
        gpus=total.get("GPU", 0),
        gpus_used=used.get("GPU", 0),
        roles=tuple(sorted(name for name in total if name not in _BUILT_IN and not _OF_RAY.search(name))),
    )


def _jobs(client: Any) -> tuple[JobStatus, ...]:
    from ray.dashboard.modules.job.common import JobInfoStorageClient

    submitted = [
        JobStatus(
            name=name,
            state=str(info.status),
            command=info.entrypoint,
            started=info.start_time / 1000 if info.start_time else None,
        )
        for name, info in asyncio.run(JobInfoStorageClient(client).get_all_jobs(int(TIMEOUT_S))).items()
    ]
    others = [
        JobStatus(
            name=job.job_id.hex(),
            state="STOPPED" if job.is_dead else "RUNNING",
            command=job.entrypoint,
            started=job.start_time / 1000,
        )
        for job in client.get_all_job_info(timeout=int(TIMEOUT_S)).values()
        if "job_submission_id" not in job.config.metadata
        and not job.config.ray_namespace.startswith(_INTERNAL_NAMESPACE)
    ]
    return tuple(sorted((*submitted, *others), key=lambda job: -(job.started or float("inf"))))


def service_status() -> ServiceStatus:
    """The service that a run here would ask; it is only looked at, never started."""
    from serve.errors import ServiceError
    from serve.lifecycle import find_service
    from serve.settings import URL_VARIABLE, service_folder
    from serve.state import read_state

    service = find_service()
    if service is None:
        named = os.environ.get(URL_VARIABLE)
        state = None if named else read_state(service_folder())
        if named:
            return ServiceStatus(state="does not answer", url=shown_uri(named))
        if state is None:
            return ServiceStatus(state="down")
        why = state.error or (f"{state.phase}, does not answer" if state.alive else "its process is gone")
        return ServiceStatus(state=why, url=state.url, base_model=state.base_model)
    try:
        load = service.client().load()
    except ServiceError:  # another server of the same API tells nothing of its queue
        load = None
    return ServiceStatus(
        state="healthy",
        url=service.url,
        base_model=service.models[0] if service.models else None,
        adapters=service.models[1:],
        running=load.running if load else None,
        waiting=load.waiting if load else None,
    )
