"""Programs that the studio starts: they go on without it, and a studio that is started anew finds them again.

Each has a folder with what it was started with (`started.json`), what it printed (`out.txt`, `log.txt`), and, of an
errand, how it ended (`ended.json`, see `errand.py`). A run tells how it ended in its own folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from autommlab.common.files import write_private
from autommlab.common.log_tail import last_lines
from autommlab.common.processes import ProcessMark
from autommlab.common.stored import record_of
from autommlab.studio.settings import TOKEN_VARIABLE

STARTED, OUT, LOG, ENDED = "started.json", "out.txt", "log.txt", "ended.json"
#: Lines of a log that are shown.
_TAIL_LINES = 30
#: Where a command of ours says what went wrong.
_ERROR = re.compile(r"^Error: ", re.MULTILINE)


class Started(BaseModel):
    """What was started.

    Attributes:
        words: of its command line.
        mark: which process it is.
    """

    model_config = ConfigDict(frozen=True)

    words: tuple[str, ...]
    mark: ProcessMark


class Ended(BaseModel):
    """How an errand ended: its exit code."""

    model_config = ConfigDict(frozen=True)

    code: int


@dataclass(frozen=True)
class Work:
    """What became of a program.

    Attributes:
        state: "none" where nothing was started; "ended" where nobody knows how.
        log: its last lines; of a failed one, from its error on.
    """

    state: Literal["none", "running", "done", "failed", "ended"]
    log: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it is at work."""
        return self.state == "running"


def program(*words: str) -> list[str]:
    """The command line of one of our commands."""
    return [sys.executable, "-m", "autommlab", *words]


def start(folder: Path, words: Sequence[str]) -> None:
    """Start a program that outlives the studio.

    Args:
        folder: for what it prints; made if it is missing.
        words: of its command line; no shell reads them.

    Raises:
        OSError: the folder cannot be written, or the program not be started.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / ENDED).unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    with (folder / OUT).open("wb") as out, (folder / LOG).open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - words of ours, and texts of the person as single arguments
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            env=environment,
            start_new_session=True,  # neither Ctrl-C in the studio's terminal nor its end reaches it
        )
    # Marked before anybody waits for it: until then even one that has ended keeps its number.
    started = Started(words=tuple(words), mark=ProcessMark.of(child.pid))
    threading.Thread(target=child.wait, daemon=True).start()  # takes note of its end, so that no zombie is left
    write_private(folder / STARTED, started.model_dump_json())


def start_errand(folder: Path, words: Sequence[str]) -> None:
    """Start a program whose exit code is kept; see `start`."""
    start(folder, [sys.executable, "-m", "autommlab.studio.errand", str(folder / ENDED), *words])


def work_in(folder: Path) -> Work:
    """What became of the program that was started in a folder."""
    started = _started(folder)
    if started is None:
        return Work("none")
    log = last_lines(folder / LOG, _TAIL_LINES)
    if started.mark.process() is not None:
        return Work("running", log)
    with contextlib.suppress(OSError, ValueError):
        ended = record_of(Ended, (folder / ENDED).read_bytes())
        return Work("done" if ended.code == 0 else "failed", _told(log))
    return Work("ended", _told(log))


def interrupt(folder: Path) -> bool:
    """Send SIGINT to the program that was started in a folder, and to no other that has its number by now.

    Returns:
        Whether it was running.
    """
    started = _started(folder)
    process = started.mark.process() if started else None
    if process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGINT)
    return True


def _started(folder: Path) -> Started | None:
    with contextlib.suppress(OSError, ValueError):
        return record_of(Started, (folder / STARTED).read_bytes())
    return None


def _told(log: str) -> str:
    """From the error on, where there is one."""
    found = _ERROR.search(log)
    return log[found.end() :] if found else log
