"""Which process is which: numbers are given again, and clocks are set."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import BaseModel, ConfigDict, Field

#: Number of a process in a record; psutil takes no other.
Pid = Annotated[int, Field(gt=0, lt=2**31)]
#: Seconds in a record.
Seconds = Annotated[float, Field(allow_inf_nan=False)]
#: Waits for the end of its input, which comes with that of the process that started it.
_GUARD = """
import os, signal, sys
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_IGN)
def created(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return None
known = {pid: created(pid) for pid in map(int, sys.stdin.readline().split())}
sys.stdin.read()
for pid, since in known.items():
    if since is not None and created(pid) == since:
        os.kill(pid, signal.SIGKILL)
"""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CLOCK_TICK_S = 0.01


def created_after_boot_s(process: psutil.Process) -> float:
    """Seconds from the boot to its creation.

    Its time of day would not do: that moves whenever the clock is set, and the service would seem dead.
    For the same reason both are read anew if the clock was set between the two.
    """
    while True:
        boot = psutil.boot_time()
        created = psutil.Process(process.pid).create_time()
        if psutil.boot_time() == boot:
            return created - boot


def is_still(process: psutil.Process, started: float | None, boot: str | None) -> bool:
    """Whether a process is the one that was recorded, and not one that has been given its number since.

    Args:
        process: of that number.
        started: when the recorded one was created, in seconds since the boot; None = not known, so nothing is.
        boot: id of the boot that it was created under.

    Raises:
        psutil.Error: it has ended.
    """
    if started is None or boot != boot_id():
        return False
    return abs(created_after_boot_s(process) - started) < _CLOCK_TICK_S


def boot_id() -> str | None:
    """Linux's id of this boot; None elsewhere."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


class ProcessMark(BaseModel):
    """One process, told from later ones of its number.

    Attributes:
        started: when it was created, in seconds since the boot.
        boot: id of the boot; None where the system gives none.
    """

    model_config = ConfigDict(frozen=True)

    pid: Pid
    started: Seconds
    boot: str | None

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """Of a process that runs.

        Raises:
            psutil.Error: there is none of that number.
        """
        return cls(pid=pid, started=created_after_boot_s(psutil.Process(pid)), boot=boot_id())

    def process(self) -> psutil.Process | None:
        """The process while it lives; None once it has ended, whoever has its number now."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if is_still(process, self.started, self.boot) and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


@contextlib.contextmanager
def ending_with_us(processes: Iterable[psutil.Process]) -> Iterator[None]:
    """While the block runs, a guard waits for the death of this process, and then kills those.

    Ray's agents would stay for ever after a `kill -9` of the process that started Ray.
    """
    # The pipe ends with this process however it dies; the guard ignores the signals of a terminal.
    line = [sys.executable, "-S", "-c", _GUARD]
    guard = subprocess.Popen(line, stdin=subprocess.PIPE, text=True)  # noqa: S603 - our own text
    assert guard.stdin is not None  # noqa: S101 - as asked for
    try:
        guard.stdin.write(" ".join(str(process.pid) for process in processes) + "\n")
        guard.stdin.flush()
        yield
    finally:
        guard.kill()
        guard.wait()
        guard.stdin.close()
