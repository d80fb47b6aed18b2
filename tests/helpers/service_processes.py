"""The processes of an LLM service, to kill or to halt in tests of faults."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections.abc import Iterable

import psutil

from serve.settings import ServiceSettings
from serve.state import processes_of

#: Patterns of command lines. vLLM gives its engine a title of its own, which does not take on every machine.
REPLICA, ENGINE = "ServeReplica", r"EngineCore|multiprocessing\.spawn "
#: Seconds for a replica to be replaced on a busy machine.
BACK_WITHIN_S = 300


def processes(settings: ServiceSettings, pattern: str) -> list[psutil.Process]:
    """Those of the service whose command line matches `pattern`; none while they are being replaced."""
    found = []
    for process in processes_of(settings.folder):
        with contextlib.suppress(psutil.Error):
            if re.search(pattern, " ".join(process.cmdline())):
                found.append(process)
    return found


def wait_for(settings: ServiceSettings, pattern: str) -> list[psutil.Process]:
    """Those of the service whose command line matches `pattern`, once there are any."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while not (found := processes(settings, pattern)):
        titles = [" ".join(one.cmdline())[:80] for one in processes_of(settings.folder)]
        assert time.monotonic() < deadline, f"no {pattern} among {titles}"
        time.sleep(0.5)
    return found


def send(to: Iterable[psutil.Process], what: signal.Signals) -> None:
    """Signal those that are still there."""
    for process in to:
        with contextlib.suppress(psutil.Error):
            process.send_signal(what)
