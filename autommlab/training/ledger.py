"""`trials.jsonl`: one line per finished trial, appended and flushed at once.

Ray's own snapshot of a study is written now and then and copied in the
background, so a crash can lose the last finished trials. This file cannot: a
resumed study answers a proposal that stands here from here, and trains nothing twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from autommlab.common import jsonl
from autommlab.common.stored import record_of, require_plain_numbers
from autommlab.common.trial_status import is_scored
from autommlab.training.records import Hyperparameters, TrialRecord

#: TEST figures of the best trial, beside its weights.
TEST_FILE = "test.json"
_FIGURES = TypeAdapter(dict[str, float])


def read_trials(path: Path) -> jsonl.Lines[TrialRecord]:
    """The finished trials of a study that may be at work; see `jsonl.read_records`."""
    return jsonl.read_records(path, partial(record_of, TrialRecord))


def read_figures(file: Path) -> dict[str, float] | None:
    """The TEST figures of a trial; None if they are not measured yet, or damaged."""
    with contextlib.suppress(OSError, ValueError):
        figures = _FIGURES.validate_json(file.read_bytes())
        require_plain_numbers(figures)
        return figures
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
        lines = read_trials(path)
        jsonl.mend(path, lines)
        self._records = {trial_key(record.hyperparameters.model_dump()): record for record in lines.records}
        self.set_aside = tuple(lines.bad)

    @property
    def records(self) -> list[TrialRecord]:
        """Finished trials in order of completion."""
        return sorted(self._records.values(), key=lambda record: record.number)

    @property
    def next_number(self) -> int:
        """Of the trial that finishes next."""
        return max((record.number for record in self._records.values()), default=0) + 1

    def find(self, hyperparameters: Mapping[str, Any]) -> TrialRecord | None:
        """The record of a finished trial with these hyperparameters."""
        return self._records.get(trial_key(hyperparameters))

    def append(self, record: TrialRecord) -> None:
        """Add a finished trial; on return it is on the disk.

        Raises:
            StorageError: the file cannot be written.
        """
        jsonl.append(self._path, [record.model_dump_json()])
        self._records[trial_key(record.hyperparameters.model_dump())] = record


def best_record(records: list[TrialRecord]) -> TrialRecord | None:
    """The trial with the highest score among those that have a real one, the earliest if equal."""
    real = [record for record in records if is_scored(record.status)]
    return max(real, key=lambda record: (record.score, -record.number), default=None)
