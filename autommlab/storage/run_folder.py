"""The folder of one run: everything needed to see what happened, and to go on after a crash."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import filelock
from pydantic import BaseModel, TypeAdapter

from autommlab.common.errors import ResumeError, StorageError
from autommlab.common.files import storage_errors, write_text
from autommlab.common.jsonl import reason_in_words
from autommlab.common.run_path import within
from autommlab.common.signing import require_own
from autommlab.common.stored import record_of, require_plain_numbers
from autommlab.options import Differences, RunOptions

Record = TypeVar("Record", bound=BaseModel)
LOCK_FILE = ".lock"
#: The kernel's table of locks: device and inode of each locked file.
_LOCKS = Path("/proc/locks")
_SECONDS = TypeAdapter(dict[str, float])


class RunFolder:
    """Paths and records of a run.

    request.json   the parse              options.json   what was asked on the command line
    bag/           annotation files       model.json     the choice and its reasons
    plan.json      how the time is spent
    study/         trials.jsonl, best/    search.json    the search
                   curves.jsonl           tracked.jsonl  what trackers were told
    folds/         trials.jsonl           folds.json     the finalists over folds, where data are little
    final/         as study/, finalists   study.json     the outcome of training
    bundle/        the deployed model     deployment.json
    analysis.json  the model on TEST, class by class
    report.html    for people             events.jsonl   for programs
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.bag = self.path / "bag"
        self.study = self.path / "study"
        self.folds = self.path / "folds"
        self.final = self.path / "final"
        self.bundle = self.path / "bundle"
        self.report = self.path / "report.html"
        self.events = self.path / "events.jsonl"
        self._lock = filelock.FileLock(self.path / LOCK_FILE)

    @property
    def exists(self) -> bool:
        """Whether a run has been started here."""
        return (self.path / "options.json").exists()

    @property
    def is_held(self) -> bool:
        """Whether a process of this machine runs it; nothing is locked to find out. True where nobody can tell."""
        try:
            held = _LOCKS.read_text(encoding="ascii")
        except OSError:  # not Linux
            return True
        with contextlib.suppress(OSError):
            return f":{(self.path / LOCK_FILE).stat().st_ino} " in held
        return False

    def options(self) -> RunOptions:
        """The options of the run in this folder.

        Raises:
            ResumeError: there is no run here, or its options cannot be read.
        """
        if not self.exists:
            raise ResumeError(f"{self.path} holds no run (options.json is missing); start one with --out instead")
        return self._read("options", RunOptions)

    def open(self, options: RunOptions, *, may_extend: bool = False) -> list[str]:
        """Create the folder, or make sure that the run in it is the same one; held until the process ends.

        Args:
            options: of the run.
            may_extend: options that only extend or reschedule the run in the folder take the place of its own.

        Returns:
            What changed of the options, a line each.

        Raises:
            ResumeError: other options, with the differences, or a folder of another user or with links out of it.
            StorageError: not writable, or another process is running it.
        """
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            require_own(self.path)  # before the lock, which is a file of the folder too
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise StorageError(f"{self.path} is in use by another process; wait for it or choose --out") from error
        changed = self.options().differences(options) if self.exists else Differences([], [])
        refused = changed.refused if may_extend else [*changed.refused, *changed.allowed]
        if refused:
            self.close()
            raise ResumeError(
                f"{self.path} holds a run with other settings:\n  " + "\n  ".join(refused) + "\n"
                "Use the same settings to go on with it, or start a new run with another --out"
            )
        if changed.allowed or not self.exists:
            self.write("options", options)
        return changed.allowed

    def forget(self, *names: str) -> None:
        """Drop stored records, so that their stages are made again."""
        for name in names:
            (self.path / f"{name}.json").unlink(missing_ok=True)

    def retire(self, name: str) -> None:
        """Keep a record as that of before; its stage is done again."""
        with storage_errors(self.path), contextlib.suppress(FileNotFoundError):
            (self.path / f"{name}.json").replace(self.path / f"{before(name)}.json")

    def retire_finals(self) -> None:
        """Set the trainings of the finalists aside, as `final-1`, `final-2` ..., `folds-1` ...: others follow."""
        for folder in (self.folds, self.final):
            number = 1 + sum(1 for _ in self.path.glob(f"{folder.name}-*"))
            with storage_errors(self.path), contextlib.suppress(FileNotFoundError):
                folder.replace(self.path / f"{folder.name}-{number}")

    def discard(self) -> None:
        """Remove what a run has left that came to nothing; files of others stay, and their folder."""
        records = ("options.json", "seconds.json", "understanding.json", "request.json")
        for name in (*records, self.events.name, self.report.name, LOCK_FILE):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            shutil.rmtree(self.bag, ignore_errors=True)
            self.path.rmdir()

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.release()

    def write(self, name: str, record: BaseModel) -> None:
        """Store a record as `<name>.json`."""
        text = record.model_dump_json(indent=1, by_alias=True, context=within(self.path))
        write_text(self.path / f"{name}.json", text)

    def read(self, name: str, kind: type[Record]) -> Record | None:
        """The stored record of that name, None if its stage has not finished."""
        return self._read(name, kind) if (self.path / f"{name}.json").exists() else None

    def require(self, name: str, kind: type[Record]) -> Record:
        """The stored record of that name.

        Raises:
            ResumeError: it is not there, is damaged or of another kind.
        """
        return self._read(name, kind)

    def delete(self, name: str) -> None:
        """Forget a record; its stage is done again."""
        with storage_errors(self.path):
            (self.path / f"{name}.json").unlink(missing_ok=True)

    def stage_seconds(self) -> dict[str, float]:
        """Seconds that each finished stage took."""
        with contextlib.suppress(OSError, ValueError):  # none yet, or damaged: an ornament of the report
            stored = _SECONDS.validate_json((self.path / "seconds.json").read_bytes())
            require_plain_numbers(stored)
            return stored
        return {}

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to a stage's time; a resumed stage sums up."""
        spent = self.stage_seconds()
        spent[stage] = round(spent.get(stage, 0.0) + seconds, 2)
        write_text(self.path / "seconds.json", json.dumps(spent))

    def _read(self, name: str, kind: type[Record]) -> Record:
        return read_record(self.path / f"{name}.json", kind)


def before(name: str) -> str:
    """Of the record that another one has taken the place of."""
    return f"{name}-before"


def read_record(path: Path, kind: type[Record]) -> Record:
    """A record of the folder that it lies in.

    Raises:
        ResumeError: it is damaged, of another kind, or cannot be read.
    """
    try:
        return record_of(kind, path.read_bytes(), context=within(path.parent))
    except (OSError, ValueError) as error:
        raise ResumeError(f"{path} cannot be read ({reason_in_words(error)}); delete it to repeat its stage") from error


def default_folder(text: str, clock: Callable[[], float] = time.time) -> Path:
    """`runs/<time>-<first words of the request>`."""
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()[:6]
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(clock()))
    return Path("runs") / "-".join([stamp, *words])[: os.pathconf("/", "PC_NAME_MAX") - 1]
