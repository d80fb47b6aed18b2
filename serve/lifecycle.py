"""Bring the service up, find it, take it down: the same from any process."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from autommlab.common.environment import bytecode_environment
from serve.client import ServiceClient
from serve.errors import ServiceError, ServiceStartError
from serve.settings import (
    KEY_VARIABLE,
    PROBE_TIMEOUT_S,
    RECOVERY_TIMEOUT_S,
    STOP_TIMEOUT_S,
    URL_VARIABLE,
    ServiceSettings,
    home,
    service_folder,
)
from serve.state import (
    LOG_FILE,
    STATE_FILE,
    Phase,
    ServiceState,
    end_processes,
    log_tail,
    processes_of,
    read_state,
    write_private,
)

_POLL_S = 0.2
#: What a start writes into its log by itself.
_PHASE_LINE = re.compile(rf"\d\d:\d\d:\d\d ({'|'.join(Phase)})")
_KEY_BYTES = 32
#: Seconds that the background process gets to write its first state.
_SPAWN_TIMEOUT_S = 60.0
LOCK_FILE = "service.lock"
#: Ray's own switch: the engine below a replica that was killed would otherwise stay, with its memory.
_ENGINES_DIE_WITH_REPLICAS = {"RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "true"}


@dataclass(frozen=True)
class ServiceAddress:
    """A service that answered.

    Attributes:
        url: base address, without "/v1".
        api_key: what it asks for, if anything.
        models: names that `chat` takes, the base model first.
    """

    url: str
    api_key: str | None
    models: tuple[str, ...]

    def client(self, timeout_s: float = 60.0) -> ServiceClient:
        """A new client of it."""
        return ServiceClient(self.url, api_key=self.api_key, timeout_s=timeout_s)


def find_service(folder: Path | None = None) -> ServiceAddress | None:
    """The running service, if there is one: what the environment names, else that of the folder.

    Args:
        folder: of the service; None = the user's.
    """
    with contextlib.suppress(ServiceError):
        if url := os.environ.get(URL_VARIABLE):
            return _ask(url, os.environ.get(KEY_VARIABLE))
        state = read_state(folder or service_folder())
        if state is not None and state.phase is Phase.READY and state.alive:
            return _ask(state.url, state.api_key)
    return None


def ensure_service(
    settings: ServiceSettings | None = None, on_progress: Callable[[str], None] = lambda _: None
) -> ServiceAddress:
    """The running service, started if there is none; returns once it has generated an answer.

    Safe to call from several processes at once: one of them starts it, all wait for it.

    Args:
        settings: None = the defaults, with the user's settings file.
        on_progress: told each phase of a start.

    Raises:
        ServiceStartError: it does not come up, with the reason and the end of its log; another base
            model is being served; or the service that the environment names does not answer.
        ServiceSettingsError: the user's settings file holds something that is not allowed.
    """
    if url := os.environ.get(URL_VARIABLE):
        return _of_environment(url)
    settings = _completed(settings)
    deadline = time.monotonic() + settings.start_timeout_s
    settings.folder.mkdir(parents=True, exist_ok=True)
    state = _started(settings, on_progress)
    shown = None
    while time.monotonic() < deadline:
        if state.phase is not shown and state.phase is not Phase.FAILED:
            on_progress(state.phase)
            shown = state.phase
        if state.phase is Phase.FAILED or not state.alive:
            _await_end(state)
            reason = state.error or "its process ended"
            raise ServiceStartError(_with_log(f"the LLM service did not start: {reason}", settings.folder))
        if state.phase is Phase.READY:
            return _ask(state.url, state.api_key)
        time.sleep(_POLL_S)
        state = read_state(settings.folder) or state
    raise ServiceStartError(
        _with_log(
            f"the LLM service gave no answer within {settings.start_timeout_s:g} s (it is at: {state.phase}); "
            "raise start_timeout_s in its settings, or end it with `autommlab serve down`",
            settings.folder,
        )
    )


def stop_service(folder: Path | None = None) -> bool:
    """End the service of that folder with all its processes, also one that is half started or half dead.

    Args:
        folder: of the service; None = the user's.

    Returns:
        Whether there was one.

    Raises:
        ServiceError: it runs on a cluster that cannot be reached.
    """
    folder = folder or service_folder()
    state = read_state(folder)
    if state is not None and state.ray_address is not None:
        _delete_from_cluster(state.ray_address)
    elif state is not None and state.pid is not None and state.alive:
        with contextlib.suppress(psutil.Error):
            end_processes([psutil.Process(state.pid)], STOP_TIMEOUT_S)
    orphans = processes_of(folder)
    end_processes(orphans, STOP_TIMEOUT_S / 4)
    (folder / STATE_FILE).unlink(missing_ok=True)
    return bool(orphans) or (state is not None and state.phase is not Phase.FAILED)


def _completed(settings: ServiceSettings | None) -> ServiceSettings:
    from serve.settings import load_settings

    settings = settings or load_settings()
    # Inside `ray job submit` the service belongs on the same cluster.
    address = settings.ray_address or os.environ.get("RAY_ADDRESS") or None
    return settings.model_copy(update={"ray_address": address})


def _started(settings: ServiceSettings, on_progress: Callable[[str], None]) -> ServiceState:
    """State of a service that runs or is about to; started here if nobody has."""
    from filelock import FileLock

    folder = settings.folder
    with FileLock(folder / LOCK_FILE):
        state = read_state(folder)
        if state is not None and state.alive and state.phase is not Phase.FAILED:
            if state.phase is not Phase.READY or _recovers(state, on_progress):
                _require_same_model(state, settings)
                return state
            on_progress("the service does not answer any more: starting it again")
        stop_service(folder)
        # The key of before: those who used the service go on without asking for it anew.
        key = settings.api_key or (state.api_key if state else None) or secrets.token_urlsafe(_KEY_BYTES)
        return _spawn(settings.model_copy(update={"api_key": key}))


def _recovers(state: ServiceState, on_progress: Callable[[str], None]) -> bool:
    """It answers, at once or after Ray Serve has replaced a dead replica."""
    deadline = time.monotonic() + RECOVERY_TIMEOUT_S
    told = False
    while state.alive and time.monotonic() < deadline:
        with contextlib.suppress(ServiceError):
            _ask(state.url, state.api_key)
            return True
        if not told:
            on_progress("the service is up but does not answer; waiting for Ray Serve to repair it")
            told = True
        time.sleep(_POLL_S)
    return False


def _require_same_model(state: ServiceState, settings: ServiceSettings) -> None:
    if state.base_model != settings.base_model:
        raise ServiceStartError(
            f"a service with the base model {state.base_model!r} is running at {state.url}, asked for was "
            f"{settings.base_model!r}: end it first with `autommlab serve down`"
        )


def _spawn(settings: ServiceSettings) -> ServiceState:
    from serve.daemon import SETTINGS_FILE

    folder = settings.folder
    settings_file = folder / SETTINGS_FILE
    write_private(settings_file, settings.model_dump_json())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_JOB")}
    environment.pop("RAY_ADDRESS", None)
    with (folder / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "serve.daemon", "up", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
            env={**bytecode_environment(environment, home() / "bytecode"), **_ENGINES_DIE_WITH_REPLICAS},
        )
    deadline = time.monotonic() + _SPAWN_TIMEOUT_S
    while time.monotonic() < deadline:
        state = read_state(folder)
        if state is not None:
            return state
        if process.poll() is not None:
            break
        time.sleep(_POLL_S)
    end_processes([psutil.Process(process.pid)] if process.poll() is None else [], STOP_TIMEOUT_S)
    raise ServiceStartError(_with_log("the LLM service's process did not start", folder))


def _await_end(state: ServiceState) -> None:
    """A start that failed cleans up after it has said why; whoever reports it leaves nothing behind."""
    if state.pid is not None and state.alive:
        with contextlib.suppress(psutil.Error):
            psutil.wait_procs([psutil.Process(state.pid)], timeout=STOP_TIMEOUT_S)


def _delete_from_cluster(address: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "serve.daemon", "down", address], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServiceStartError(f"cannot take the service down from its cluster:\n{done.stderr.strip()[-500:]}")


def _of_environment(url: str) -> ServiceAddress:
    try:
        return _ask(url, os.environ.get(KEY_VARIABLE))
    except ServiceError as error:
        raise ServiceStartError(
            f"{URL_VARIABLE} names an LLM service that cannot be used: {error}. Start that one, or unset the variable"
        ) from error


def _ask(url: str, api_key: str | None) -> ServiceAddress:
    client = ServiceClient(url, api_key=api_key, timeout_s=PROBE_TIMEOUT_S)
    return ServiceAddress(client.url, api_key, client.models())


def _with_log(reason: str, folder: Path) -> str:
    tail = log_tail(folder)
    if all(_PHASE_LINE.fullmatch(line) or line in reason for line in tail.splitlines()):
        return reason  # it ended before anything else could write into the log
    return f"{reason}\nEnd of {folder / LOG_FILE}:\n{tail}" if tail else reason
