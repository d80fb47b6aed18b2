"""How the program ends when it is told to: Ctrl-C, or SIGTERM of Slurm, Kubernetes and `autommlab stop`.

One policy for every command and stage: the signal is raised as `Stopped` wherever the main thread is, everything
that was started is ended on the way out, and the exit code is 128 + the signal's number (SIGINT 130, SIGTERM 143).
A library that swallows the exception delays it to the next event of the run, see `raise_if_stopped`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

#: Seconds in which another signal is an echo: a shell, `uv run` or a job system passes on what the terminal has sent.
_ECHO_S = 2.0


class Stopped(KeyboardInterrupt):
    """A signal asks the program to end. Libraries know its base class and let it through.

    Attributes:
        exit_code: of the program.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class _Received:
    """The first signal of this process, and when it came."""

    stopped: Stopped | None = None
    at = 0.0


def obey_signals() -> None:
    """Raise `Stopped` at SIGINT, SIGTERM and SIGUSR1 (Slurm) from now on; at SIGHUP unless `nohup` shields from it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _stop)


def stopped() -> Stopped | None:
    """The signal that asked this process to end, None if none came."""
    return _Received.stopped


def raise_if_stopped() -> None:
    """Raise again what a library has swallowed: some ignore every exception in a callback.

    Raises:
        Stopped: a signal came.
    """
    if _Received.stopped is not None and threading.current_thread() is threading.main_thread():
        raise _Received.stopped


def _stop(number: int, _frame: FrameType | None) -> None:
    if _Received.stopped is None:
        _Received.stopped, _Received.at = Stopped(number), time.monotonic()
        raise _Received.stopped
    if time.monotonic() - _Received.at > _ECHO_S:
        os._exit(128 + number)  # asked again: without tidying up; a private Ray ends with its driver all the same
