"""`trials.jsonl`: one line per finished trial, appended and flushed at once.

Ray's own snapshot of a study is written now and then and copied in the
background, so a crash can lose the last finished trials. This file cannot: a
resumed study answers a proposal that stands here from here, and trains nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autommlab.common.files import append_text
from autommlab.common.trial_status import is_scored
from autommlab.training.records import Hyperparameters, TrialRecord


def trial_key(hyperparameters: Mapping[str, Any]) -> str:
    """Name of a proposal within one study: a digest of its hyperparameters."""
    point = Hyperparameters.model_validate({name: hyperparameters[name] for name in Hyperparameters.model_fields})
    return hashlib.sha256(json.dumps(point.model_dump(), sort_keys=True).encode()).hexdigest()[:16]


class Ledger:
    """The finished trials of one study.

    Args:
        path: the JSONL file; read if it exists. A half-written last line (a crash, a full disk)
            is dropped: that trial counts as unfinished.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[str, TrialRecord] = {}
        for line in _complete_lines(path):
            record = TrialRecord.model_validate_json(line)
            self._records[trial_key(record.hyperparameters.model_dump())] = record

    @property
    def records(self) -> list[TrialRecord]:
        """Finished trials in order of completion."""
        return sorted(self._records.values(), key=lambda record: record.number)

    def find(self, hyperparameters: Mapping[str, Any]) -> TrialRecord | None:
        """The record of a finished trial with these hyperparameters."""
        return self._records.get(trial_key(hyperparameters))

    def append(self, record: TrialRecord) -> None:
        """Add a finished trial; on return it is on the disk.

        Raises:
            StorageError: the file cannot be written.
        """
        append_text(self._path, record.model_dump_json() + "\n")
        self._records[trial_key(record.hyperparameters.model_dump())] = record


def best_record(records: list[TrialRecord]) -> TrialRecord | None:
    """The trial with the highest score among those that have a real one, the earliest if equal."""
    real = [record for record in records if is_scored(record.status)]
    return max(real, key=lambda record: (record.score, -record.number), default=None)


def _complete_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    complete, _, rest = text.rpartition("\n")
    lines = complete.splitlines()
    if rest:  # cut the torn line off, or the next record would be glued to it
        path.write_text(complete + "\n" if complete else "", encoding="utf-8")
    if lines and not _is_record(lines[-1]):
        lines.pop()
    return lines


def _is_record(line: str) -> bool:
    try:
        TrialRecord.model_validate_json(line)
    except ValidationError:
        return False
    return True
