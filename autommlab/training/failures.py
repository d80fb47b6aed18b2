"""How a trial fails: by itself, which is recorded, or by losing a process, which is tried again. No torch in here."""

from __future__ import annotations

import traceback

from autommlab.training.records import TrialStatus

_TRACEBACK_LINES = 12
_REASON_CHARACTERS = 300


class TrialFailure(Exception):
    """A trial that failed by itself, in words that travel between processes without the toolbox's classes.

    Attributes:
        status: kind of failure.
        reason: one line.
        trace: the last lines of the traceback where it happened; "" where it tells nothing.
    """

    def __init__(self, status: TrialStatus, reason: str, trace: str = "") -> None:
        super().__init__(status, reason, trace)
        self.status, self.reason, self.trace = status, reason, trace


class WorkerLostError(Exception):
    """A process of a trial over several workers died, or a connection between them; Tune tries the trial again."""


def failure_status(error: BaseException) -> TrialStatus:
    """What kind of failure an exception in a trial is."""
    name, text = type(error).__name__, str(error).lower()
    if name == "DivergedError":
        return "diverged"
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "out of memory" in text:
        return "out-of-memory"
    return "failed"


def trial_failure(error: BaseException) -> TrialFailure:
    """The exception that is being handled, in words; one that is in words already as it is."""
    if isinstance(error, TrialFailure):
        return error
    status = failure_status(error)
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:_REASON_CHARACTERS]
    return TrialFailure(status, reason, "" if status in ("diverged", "out-of-memory") else _tail_of_traceback())


def _tail_of_traceback() -> str:
    return "\n".join(traceback.format_exc().splitlines()[-_TRACEBACK_LINES:])
