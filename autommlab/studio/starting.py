"""Runs as programs of their own: started, gone on with and stopped from the page, whatever becomes of the studio.

Here a run is a process of this machine; on a cluster it is a job, which `autommlab submit` sends and `stop` ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common.files import write_text
from autommlab.common.stored import record_of
from autommlab.studio.background import OUT, Work, interrupt, program, start, start_errand, work_in
from autommlab.studio.settings import studio_folder

#: Mark of a run that was asked to stop.
_STOPPING = "stopping"
#: What `submit` says of a job that it has sent.
_JOB = re.compile(r"^job (\S+), results: ", re.MULTILINE)
_SENT = "sent.json"
#: Seconds that a program may take from the end of its run to its own, and between two looks at it.
_PATIENCE_S, _PAUSE_S = 15.0, 0.2


class Sent(BaseModel):
    """That a run was sent to a cluster.

    Attributes:
        address: of the job server.
    """

    model_config = ConfigDict(frozen=True)

    address: str


def started_folder(run: Path) -> Path:
    """Where the studio keeps what it started for the run in that folder."""
    name = hashlib.sha256(os.fsencode(run.resolve())).hexdigest()[:24]
    return studio_folder() / "started" / name


def start_run(run: Path, words: list[str], text: str, address: str | None = None) -> None:
    """Start a new run.

    Args:
        run: its folder, which is not there yet.
        words: options of `run`.
        text: the request.
        address: job server of the cluster that it is sent to; None = this machine.
    """
    _start(run, [*words, f"--out={run}", "--", text], address)


def resume_run(run: Path, words: list[str], address: str | None = None) -> None:
    """Go on with a run; `words` are options that extend it."""
    _start(run, [f"--resume={run}", *words], address)


def _start(run: Path, words: list[str], address: str | None) -> None:
    folder = started_folder(run)
    for name in (_STOPPING, _SENT):
        (folder / name).unlink(missing_ok=True)
    if address is None:
        start(folder, program("run", *words))
        return
    write_text(folder / _SENT, Sent(address=address).model_dump_json())
    start_errand(folder, program("submit", "--detach", f"--address={address}", *words))


def sent_to(run: Path) -> str | None:
    """Job server of the cluster that a run was sent to; None for a run of this machine."""
    with contextlib.suppress(OSError, ValueError):
        return record_of(Sent, (started_folder(run) / _SENT).read_bytes()).address
    return None


def job_of(run: Path) -> str:
    """Name of its job on the cluster, "" while it is not accepted."""
    with contextlib.suppress(OSError):
        found = _JOB.search((started_folder(run) / OUT).read_text(encoding="utf-8", errors="replace"))
        return found[1] if found else ""
    return ""


def stop_run(run: Path) -> bool:
    """Interrupt a run that the studio started, as Ctrl-C would; what it has finished stays.

    Returns:
        Whether there was one: a run of a terminal is not stopped from here.
    """
    folder, address, job = started_folder(run), sent_to(run), job_of(run)
    if address is not None and job:
        start_errand(folder / "stop", program("stop", f"--address={address}", job))
    elif not interrupt(folder):
        return False
    (folder / _STOPPING).touch()
    return True


def work_of(run: Path) -> Work:
    """What became of the program that the studio started for a run; "none" for a run of a terminal."""
    return work_in(started_folder(run))


def has_ended(run: Path, patience_s: float = _PATIENCE_S) -> bool:
    """Whether the program that the studio started for a run is gone; one that tidies up gets some seconds for it."""
    deadline = time.monotonic() + patience_s
    while work_of(run).is_running:
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


def is_stopping(run: Path) -> bool:
    """Whether it was asked to stop."""
    return (started_folder(run) / _STOPPING).exists()
