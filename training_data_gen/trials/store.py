"""`trials.jsonl`: the trials of a folder."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.common.files import storage_errors, write_text
from autommlab.common.keyed_lines import KeyedFile, read_keyed
from searchers.transfer.trial_history import PastTrial
from training_data_gen.trials.records import RecordedTrial

TRIALS_FILE = "trials.jsonl"
_NOUN = "trial"


class TrialsFile(KeyedFile[RecordedTrial]):
    """The trials of a folder; see `KeyedFile`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, RecordedTrial, _NOUN)


def read_trials(path: Path, *, allow_empty: bool = False) -> list[RecordedTrial]:
    """All trials of a file, compressed if its name ends in ".gz"; of a folder, those of its `trials.jsonl`.

    Raises:
        DataError: no such file, a line that is no trial (with its number), or nothing in it.
    """
    file = _file_in(path)
    try:
        found = read_keyed(file, RecordedTrial, _NOUN)
    except OSError as error:
        raise DataError(f"the trials {file} cannot be read: {error}. Make some with: autommlab trials") from error
    if not found and not allow_empty:
        raise DataError(f"{file} holds no trial yet. Go on with: autommlab trials --out {file.parent}")
    return found


def _file_in(path: Path) -> Path:
    if not path.is_dir():
        return path
    plain = path / TRIALS_FILE
    packed = path / f"{TRIALS_FILE}.gz"
    return packed if packed.exists() and not plain.exists() else plain


def past_trial(trial: RecordedTrial) -> PastTrial:
    """The part of a trial that a searcher may see: VAL only."""
    return PastTrial.model_validate(trial.model_dump(include=set(PastTrial.model_fields)))


def learnable(recorded: Iterable[RecordedTrial], *, without: Iterable[str] = ()) -> list[RecordedTrial]:
    """Those that something may learn from: no held-out task, none of the named data sets.

    Args:
        recorded: any.
        without: data sets to leave out, for the leave-one-dataset-out split.
    """
    gone = set(without)
    return [trial for trial in recorded if not trial.held_out and trial.bag.dataset not in gone]


def write_history(recorded: Iterable[RecordedTrial], path: Path, *, without: Iterable[str] = ()) -> Path:
    """A trial history (AUTOMMLAB_TRIAL_HISTORY) of what may be learnt from, compressed if its name ends in ".gz".

    Raises:
        StorageError: the file cannot be written.
    """
    text = "".join(past_trial(t).model_dump_json() + "\n" for t in learnable(recorded, without=without))
    if path.suffix != ".gz":
        return write_text(path, text)
    with storage_errors(path):
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path
