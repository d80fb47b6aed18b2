"""The processes of an LLM service, to kill or to halt in tests of faults."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable

import psutil

from serve.settings import ServiceSettings
from serve.state import processes_of

REPLICA, ENGINE = "ServeReplica", "EngineCore"


def processes(settings: ServiceSettings, name: str) -> list[psutil.Process]:
    """Those of the service with `name` in their title; none while they are being replaced."""
    found = []
    for process in processes_of(settings.folder):
        with contextlib.suppress(psutil.Error):
            if name in " ".join(process.cmdline()):
                found.append(process)
    return found


def send(to: Iterable[psutil.Process], what: signal.Signals) -> None:
    """Signal those that are still there."""
    for process in to:
        with contextlib.suppress(psutil.Error):
            process.send_signal(what)
