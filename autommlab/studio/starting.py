"""Runs as programs of their own: started, gone on with and stopped from the page, whatever becomes of the studio."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from autommlab.studio.background import Work, interrupt, program, start, work_in
from autommlab.studio.settings import studio_folder

#: Mark of a run that was asked to stop.
_STOPPING = "stopping"


def started_folder(run: Path) -> Path:
    """Where the studio keeps what it started for the run in that folder."""
    name = hashlib.sha256(os.fsencode(run.resolve())).hexdigest()[:24]
    return studio_folder() / "started" / name


def start_run(run: Path, words: list[str], text: str) -> None:
    """Start a new run.

    Args:
        run: its folder, which is not there yet.
        words: options of `run`.
        text: the request.
    """
    _start(run, program("run", *words, f"--out={run}", "--", text))


def resume_run(run: Path, words: list[str]) -> None:
    """Go on with a run; `words` are options that extend it."""
    _start(run, program("run", f"--resume={run}", *words))


def _start(run: Path, words: list[str]) -> None:
    folder = started_folder(run)
    (folder / _STOPPING).unlink(missing_ok=True)
    start(folder, words)


def stop_run(run: Path) -> bool:
    """Interrupt a run that the studio started, as Ctrl-C would; what it has finished stays.

    Returns:
        Whether there was one: a run of a terminal is not stopped from here.
    """
    folder = started_folder(run)
    if not interrupt(folder):
        return False
    (folder / _STOPPING).touch()
    return True


def work_of(run: Path) -> Work:
    """What became of the program that the studio started for a run; "none" for a run of a terminal."""
    return work_in(started_folder(run))


def is_stopping(run: Path) -> bool:
    """Whether it was asked to stop."""
    return (started_folder(run) / _STOPPING).exists()
