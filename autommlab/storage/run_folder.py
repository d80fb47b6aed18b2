"""The folder of one run: everything needed to see what happened, and to go on after a crash."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import filelock
from pydantic import BaseModel, ValidationError

from autommlab.common.errors import ResumeError, StorageError
from autommlab.common.files import storage_errors, write_text
from autommlab.options import RunOptions

Record = TypeVar("Record", bound=BaseModel)
LOCK_FILE = ".lock"


class RunFolder:
    """Paths and records of a run.

    request.json   the parse              options.json   what was asked on the command line
    bag/           annotation files       model.json     the choice and its reasons
    study/         trials.jsonl, best/    study.json     the outcome of training
    bundle/        the deployed model     deployment.json
    report.html    for people             events.jsonl   for programs
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.bag = self.path / "bag"
        self.study = self.path / "study"
        self.bundle = self.path / "bundle"
        self.report = self.path / "report.html"
        self.events = self.path / "events.jsonl"
        self._lock = filelock.FileLock(self.path / LOCK_FILE)

    @property
    def exists(self) -> bool:
        """Whether a run has been started here."""
        return (self.path / "options.json").exists()

    def options(self) -> RunOptions:
        """The options of the run in this folder.

        Raises:
            ResumeError: there is no run here, or its options cannot be read.
        """
        if not self.exists:
            raise ResumeError(f"{self.path} holds no run (options.json is missing); start one with --out instead")
        return self._read("options", RunOptions)

    def open(self, options: RunOptions) -> None:
        """Create the folder, or make sure that the run in it is the same one; held until the process ends.

        Raises:
            ResumeError: other options, with the differences.
            StorageError: not writable, or another process is running it.
        """
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise StorageError(f"{self.path} is in use by another process; wait for it or choose --out") from error
        if self.exists:
            changed = self.options().differences(options.model_dump(mode="json"))
            if changed:
                raise ResumeError(
                    f"{self.path} holds a run with other settings:\n  " + "\n  ".join(changed) + "\n"
                    "Use the same settings to go on with it, or another --out"
                )
        else:
            self.write("options", options)

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.release()

    def write(self, name: str, record: BaseModel) -> None:
        """Store a record as `<name>.json`."""
        write_text(self.path / f"{name}.json", record.model_dump_json(indent=1, by_alias=True))

    def read(self, name: str, kind: type[Record]) -> Record | None:
        """The stored record of that name, None if its stage has not finished."""
        return self._read(name, kind) if (self.path / f"{name}.json").exists() else None

    def stage_seconds(self) -> dict[str, float]:
        """Seconds that each finished stage took."""
        path = self.path / "seconds.json"
        stored: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return stored

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to a stage's time; a resumed stage sums up."""
        spent = self.stage_seconds()
        spent[stage] = round(spent.get(stage, 0.0) + seconds, 2)
        write_text(self.path / "seconds.json", json.dumps(spent))

    def _read(self, name: str, kind: type[Record]) -> Record:
        path = self.path / f"{name}.json"
        try:
            return kind.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ResumeError(f"{path} cannot be read ({error}); delete it to repeat its stage") from error


def default_folder(text: str, clock: Callable[[], float] = time.time) -> Path:
    """`runs/<time>-<first words of the request>`."""
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()[:6]
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(clock()))
    return Path("runs") / "-".join([stamp, *words])[: os.pathconf("/", "PC_NAME_MAX") - 1]
