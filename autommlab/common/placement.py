"""Which nodes of a Ray cluster a replica or a trial may run on: those that carry a named custom resource.

Nodes are told apart by `ray start --resources='{"llm": 1}'`; who asks for a little of "llm" lands on such a node.
"""

from __future__ import annotations

import os

#: Environment variable with the resource that the LLM service's replicas ask for; unset = any node.
LLM_RESOURCE_VARIABLE = "AUTOMMLAB_LLM_RESOURCE"
#: Of a node's one unit: so little that CPUs and GPUs, never the name, say how many fit on it.
NODE_FRACTION = 0.001


def llm_resource() -> str | None:
    """The custom resource that the environment names for the service's replicas."""
    return os.environ.get(LLM_RESOURCE_VARIABLE) or None


def resource_request(resource: str | None) -> dict[str, float]:
    """What to ask Ray for so that a trial or replica lands on a node that carries `resource`; None asks for nothing."""
    return {resource: NODE_FRACTION} if resource else {}


def resources_of_node(resource: str | None) -> dict[str, float]:
    """What a node carries for that; a private Ray is one node for everything."""
    return {resource: 1.0} if resource else {}
