"""Whether the LLM service works, what it serves, and how long its queue is."""

from __future__ import annotations

import os

from autommlab.status.records import ServiceStatus


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
            return ServiceStatus(state="does not answer", url=named)
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
