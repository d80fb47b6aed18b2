"""The connection to the LLM service: a named one, the running one, or one that is started."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from autommlab.common.errors import LLMServiceError

if TYPE_CHECKING:
    from serve.client import ServiceClient
    from serve.lifecycle import ServiceAddress

Tell = Callable[[str], None]
#: The way out for requests; other uses of the service name their own.
WITHOUT_UNDERSTANDING = "give the parse as a JSON file with --parse FILE (examples: autommlab/examples/*.json)"
STARTING = "no LLM service is running: starting one, which stays up for later; `autommlab serve down` ends it"
_TICK_S = 2.0


def connect(
    url: str | None = None, *, tell: Tell | None = None, meanwhile: Callable[[], None] | None = None
) -> ServiceClient:
    """A client of the service.

    Args:
        url: of the service; None takes the running one, and starts one where none runs.
        tell: shows what is being done while a service starts.
        meanwhile: useful work for the time that a start takes; not called where a service runs.

    Raises:
        ServiceError: no service could be started.
    """
    from serve.client import ServiceClient, known_key
    from serve.lifecycle import ensure_service, find_service
    from serve.settings import URL_VARIABLE

    if url is not None:
        return ServiceClient(url, api_key=known_key(url))
    # One that the environment names is never started here; asking for it says what is wrong with it.
    address = find_service() or (
        ensure_service() if os.environ.get(URL_VARIABLE) else _started(tell or _silent, meanwhile)
    )
    return ServiceClient(address.url, api_key=address.api_key)


def start_ahead(names: Iterable[str], tell: Tell) -> threading.Thread | None:
    """Begin to start the service in the background if one of these searchers cannot do without it and none runs.

    Whoever needs it calls `service_for` later, which waits for it or tells why it does not come up.

    Args:
        names: of searchers.
        tell: told that one is started.

    Returns:
        The thread that starts it.
    """
    import searchers
    from serve.lifecycle import ensure_service, find_service
    from serve.settings import URL_VARIABLE

    if not any(map(searchers.needs_service, names)) or os.environ.get(URL_VARIABLE) or find_service() is not None:
        return None

    def start() -> None:
        with contextlib.suppress(Exception):  # `service_for` meets it again and says so
            ensure_service()

    tell(STARTING)
    starting = threading.Thread(target=start, name="llm-service-ahead", daemon=True)
    starting.start()
    return starting


def service_for(names: Iterable[str], *, tell: Tell) -> ServiceClient | None:
    """The service for these searchers: started if one of them cannot do without, else only if one runs.

    Args:
        names: of searchers.
        tell: shows what is being done while a service starts.

    Raises:
        LLMServiceError: it is needed and cannot be started.
    """
    import searchers

    asked = tuple(names)
    if any(map(searchers.needs_service, asked)):
        with service_errors("--searcher zero-shot or tpe+default (`autommlab searchers` lists them all)"):
            return connect(tell=tell)
    if any(map(searchers.takes_service, asked)):
        from serve.lifecycle import find_service

        address = find_service()
        return address.client() if address else None
    return None


@contextlib.contextmanager
def service_errors(instead: str = WITHOUT_UNDERSTANDING) -> Iterator[None]:
    """Turn errors of the service inside the block into one for a person, with the way out.

    Args:
        instead: how to do without the service.

    Raises:
        LLMServiceError: with the service's own reason.
    """
    from serve.errors import ServiceError

    try:
        yield
    except ServiceError as error:
        raise LLMServiceError(
            f"the LLM service fails: {error}.\nSee `autommlab serve status`; or do without it: {instead}"
        ) from error


def _started(tell: Tell, meanwhile: Callable[[], None] | None) -> ServiceAddress:
    """A service that is up; the waiting is done in a thread, because imports (`meanwhile`) belong into the main one."""
    begun = time.monotonic()
    phase = "looking for one"
    outcome: list[ServiceAddress | Exception] = []

    def show(new_phase: str | None = None) -> None:
        nonlocal phase
        phase = new_phase or phase
        tell(f"starting the LLM service, {time.monotonic() - begun:.0f} s ({phase})")

    def start() -> None:
        from serve.lifecycle import ensure_service

        try:
            outcome.append(ensure_service(on_progress=show))
        except Exception as error:  # raised again in the caller's thread
            outcome.append(error)

    # A daemon: whoever interrupts the program does not wait for a service; it goes on starting by itself.
    waiting = threading.Thread(target=start, name="llm-service-start", daemon=True)
    waiting.start()
    if meanwhile is not None:
        meanwhile()
    while waiting.is_alive():
        waiting.join(_TICK_S)
        show()
    address = outcome[0]
    if isinstance(address, Exception):
        raise address
    return address


def _silent(_: str) -> None:
    """Nobody wants to know."""
