"""Which process is which: numbers are given again, and clocks are set."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import BaseModel, ConfigDict, Field

#: Number of a process in a record; psutil takes no other.
Pid = Annotated[int, Field(gt=0, lt=2**31)]
#: Seconds in a record.
Seconds = Annotated[float, Field(allow_inf_nan=False)]
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
            same = self.boot == boot_id() and abs(created_after_boot_s(process) - self.started) < _CLOCK_TICK_S
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None
