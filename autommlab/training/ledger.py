"""`trials.jsonl`: one line per finished trial, appended and flushed at once.

Ray's own snapshot of a study is written now and then and copied in the
background, so a crash can lose the last finished trials. This file cannot: a
resumed study answers a proposal that stands here from here, and trains nothing twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from autommlab.common import jsonl
from autommlab.common.stored import record_of
from autommlab.common.trial_status import is_scored
from autommlab.training.records import Hyperparameters, Lead, TestResult, TrialRecord

#: Fraction of VAL's resamples in which a trial must reach the winner to count as good as that; half of 5 %.
_NOT_SURPASSED = 0.025
#: TEST figures of the best trial, beside its weights.
TEST_FILE = "test.json"


def read_ledger(path: Path) -> jsonl.Lines[TrialRecord]:
    """The finished trials of a study that may be at work; see `jsonl.read_records`."""
    return jsonl.read_records(path, partial(record_of, TrialRecord))


def read_test(file: Path) -> TestResult | None:
    """The TEST figures of a trial; None if they are not measured yet, or damaged."""
    with contextlib.suppress(OSError, ValueError):
        return record_of(TestResult, file.read_bytes())
    return None


def trial_key(hyperparameters: Mapping[str, Any]) -> str:
    """Name of a proposal within one study: a digest of its hyperparameters."""
    point = Hyperparameters.model_validate({name: hyperparameters[name] for name in Hyperparameters.model_fields})
    return hashlib.sha256(json.dumps(point.model_dump(), sort_keys=True).encode()).hexdigest()[:16]


class Ledger:
    """The finished trials of one study.

    Args:
        path: the JSONL file; read if it exists. A damaged line (a crash, a full disk) is set aside:
            that trial counts as unfinished.

    Attributes:
        set_aside: what was found damaged now, for a person.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = read_ledger(path)
        jsonl.mend(path, lines)
        self._records = {_place_of(record): record for record in lines.records}
        self.set_aside = tuple(lines.bad)

    @property
    def records(self) -> list[TrialRecord]:
        """Finished trials in order of completion."""
        return sorted(self._records.values(), key=lambda record: record.number)

    @property
    def next_number(self) -> int:
        """Of the trial that finishes next."""
        return max((record.number for record in self._records.values()), default=0) + 1

    def find(self, hyperparameters: Mapping[str, Any], fold: int = 0) -> TrialRecord | None:
        """The record of a finished trial with these hyperparameters, on a fold or on VAL itself."""
        return self._records.get((trial_key(hyperparameters), fold))

    def append(self, record: TrialRecord) -> None:
        """Add a finished trial; on return it is on the disk.

        Raises:
            StorageError: the file cannot be written.
        """
        jsonl.append(self._path, [record.model_dump_json()])
        self._records[_place_of(record)] = record


def _place_of(record: TrialRecord) -> tuple[str, int]:
    return trial_key(record.hyperparameters.model_dump()), record.fold


class Compared(Protocol):
    """What a lead is worked out from: a trial, or a finalist over all folds."""

    @property
    def number(self) -> int:
        """Its name."""

    @property
    def score(self) -> float:
        """What orders them."""

    @property
    def resampled(self) -> tuple[float, ...]:
        """The score on resamples of the pictures, the same for all; empty where not known."""


def best_record(records: list[TrialRecord]) -> TrialRecord | None:
    """The trial with the highest score among those that have a real one, the earliest if equal."""
    real = [record for record in records if is_scored(record.status)]
    return max(real, key=lambda record: (record.score, -record.number), default=None)


def lead_of(best: Compared, records: Sequence[Compared], pictures: int) -> Lead | None:
    """Whether the winner's lead is more than noise, from both trials' scores on the same resamples of VAL.

    Args:
        best: the winner.
        records: trials of its study.
        pictures: of VAL.

    Returns:
        None where the winner's resamples are not known (it was stopped early, or an older version trained it).
    """
    if not best.resampled:
        return None
    others = [r for r in records if r.number != best.number and len(r.resampled) == len(best.resampled)]
    rivals = [other for other in others if _fraction_reached(best, other) > _NOT_SURPASSED]
    ordered = sorted(rivals, key=lambda record: (-record.score, record.number))
    return Lead(pictures=pictures, rivals=tuple(record.number for record in ordered))


def _fraction_reached(best: Compared, other: Compared) -> float:
    reached = [theirs >= own for own, theirs in zip(best.resampled, other.resampled, strict=True)]
    return sum(reached) / len(reached)
