"""What the services of this project need of Ray Serve beyond its API."""

from __future__ import annotations

import importlib
from typing import Any


def replica_on_loopback() -> None:
    """In a replica on a node of 127.0.0.1: its port for calls between deployments listens there alone.

    Ray Serve binds it to all addresses and has no setting for it; what comes in is unpickled. To be called first in
    the replica's constructor.
    """
    import ray

    if ray.util.get_node_ip_address() != "127.0.0.1":
        return
    replica: Any = importlib.import_module("ray.serve._private.replica")
    bind = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, _address: bind(server, "127.0.0.1:0")


def why_not_running(application: str) -> str:
    """Why an application did not come up: the last line that says it, of what Ray Serve kept."""
    from ray import serve

    found = serve.status().applications.get(application)
    messages = [deployment.message for deployment in found.deployments.values()] if found else []
    lines = [line.strip() for message in messages for line in message.splitlines() if line.strip()]
    said = [line for line in lines if "Error" in line.split(":")[0]]
    return (said or lines or ["Ray Serve gave no reason"])[-1]
