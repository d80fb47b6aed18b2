"""The trials of a run folder, read as its files grow."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from autommlab.common import jsonl
from autommlab.common.stored import record_of
from autommlab.trackers.base import TrackedTrial
from autommlab.training.loss_curve import CURVES_FILE, TrialCurve, pieces_of
from autommlab.training.records import TrialRecord

LEDGER_FILE = "trials.jsonl"


class GrowingFile:
    """Whole lines of a file that somebody else appends to; one that was written anew is read from its start."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def new_lines(self) -> bytes:
        """What has come since the last call; b"" where the file is not there yet.

        Raises:
            OSError: it cannot be read.
        """
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            if self._path.stat().st_size < self._read:
                self._read = 0
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        return whole + end


class StudyTail:
    """One study.

    Args:
        folder: of the study; it may not be there yet.

    Attributes:
        trials: by Ray's id, without those that were dropped.
    """

    def __init__(self, folder: Path) -> None:
        self._name = folder.name
        self._curves, self._ledger = GrowingFile(folder / CURVES_FILE), GrowingFile(folder / LEDGER_FILE)
        self.trials: dict[str, TrackedTrial] = {}
        self._dropped: set[str] = set()

    def read(self) -> None:
        """Take in what is new.

        Raises:
            OSError: a file cannot be read.
        """
        # First the ledger: what a trial in it has told of its curve stands in the other file by then.
        for record in jsonl.parsed(self._ledger.new_lines(), partial(record_of, TrialRecord)).records:
            if record.trial_id not in self._dropped:
                trial = self._trial(record.trial_id)
                trial.record = record
                trial.curve.scores |= dict(record.curve)
        for piece in pieces_of(self._curves.new_lines()):
            if piece.trial_id not in self._dropped:
                self._trial(piece.trial_id).curve.add(piece)

    def drop(self, trial_id: str) -> None:
        """All is told of this trial."""
        self._dropped.add(trial_id)
        self.trials.pop(trial_id, None)

    def _trial(self, trial_id: str) -> TrackedTrial:
        return self.trials.setdefault(trial_id, TrackedTrial(self._name, TrialCurve(trial_id)))
