"""What is known about the service of a folder: its state file, its log, its processes."""

from __future__ import annotations

import contextlib
import os
from enum import StrEnum
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from autommlab.common.files import write_private
from autommlab.common.log_tail import last_lines
from autommlab.common.processes import Pid, Seconds, boot_id, is_still

STATE_FILE = "service.json"
LOG_FILE = "service.log"
_TAIL_LINES = 12


class Phase(StrEnum):
    """How far a start has come; the text is for a person."""

    SETTINGS = "checking the settings"
    RAY = "starting Ray"
    ENGINE = "loading the model into vLLM"
    FIRST_ANSWER = "waiting for the first answer"
    READY = "ready"
    FAILED = "failed"


class ServiceState(BaseModel):
    """Contents of the state file.

    Attributes:
        pid, started: process that holds the service and when it was created (seconds since the boot),
            for a process id may be used again; None on a Ray cluster.
        boot: id of the boot that it was started under; None where the system gives none.
        ray_address: of the cluster that it was deployed on; None for a private Ray.
        error: why it failed.
    """

    model_config = ConfigDict(frozen=True)

    pid: Pid | None
    started: Seconds | None
    boot: str | None = None
    ray_address: str | None
    url: str
    api_key: str | None
    base_model: str
    phase: Phase
    error: str | None = None

    @property
    def alive(self) -> bool:
        """Its process is there; on a cluster only asking the service can tell."""
        if self.pid is None:
            return self.phase is not Phase.FAILED
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            return self.is_of(process) and process.status() != psutil.STATUS_ZOMBIE
        return False

    def is_of(self, process: psutil.Process) -> bool:
        """That process holds the service, and has not just been given its number."""
        return process.pid == self.pid and is_still(process, self.started, self.boot)


def read_state(folder: Path) -> ServiceState | None:
    """The state file; None where there is none, or a damaged one."""
    try:
        return ServiceState.model_validate_json((folder / STATE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def write_state(folder: Path, state: ServiceState) -> None:
    """Replace the state file in one step; readable by the user only, for it holds the key."""
    write_private(folder / STATE_FILE, state.model_dump_json(indent=1))


def service_key(url: str, folder: Path) -> str | None:
    """The key of the service at this address, if it is the one of the folder."""
    state = read_state(folder)
    return state.api_key if state is not None and state.url == url else None


def log_tail(folder: Path) -> str:
    """The last lines of the log, without colours."""
    return last_lines(folder / LOG_FILE, _TAIL_LINES)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process of the service of this folder on this machine, orphans included.

    They are told by their session, which the service opened: Ray and vLLM write over the titles and
    the environments of theirs.
    """
    state = read_state(folder)
    if state is None or state.pid is None or state.boot != boot_id():
        return []
    with contextlib.suppress(psutil.NoSuchProcess):
        if not state.is_of(psutil.Process(state.pid)):  # the number was given to somebody else
            return []
    found = []
    # Not process_iter: it remembers who had a number before, and such a process cannot be signalled.
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(pid) == state.pid:
                found.append(psutil.Process(pid))
    return found


def end_processes(processes: list[psutil.Process], timeout_s: float) -> None:
    """Ask them to end, and kill those that have not after `timeout_s`."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=timeout_s)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=timeout_s)
