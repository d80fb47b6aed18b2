"""Which process is which: numbers are given again, and clocks are set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import psutil
from pydantic import Field

#: Number of a process in a record; psutil takes no other.
Pid = Annotated[int, Field(gt=0, lt=2**31)]
#: Seconds in a record.
Seconds = Annotated[float, Field(allow_inf_nan=False)]
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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
