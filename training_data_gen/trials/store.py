"""`triplets.jsonl`: the trials of a folder."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.common.files import storage_errors, write_text
from autommlab.common.keyed_lines import KeyedFile, read_lines
from searchers.transfer.trial_history import Experience
from training_data_gen.trials.records import Triplet

TRIPLETS_FILE = "triplets.jsonl"
_NOUN = "triplet"


class TripletFile(KeyedFile[Triplet]):
    """The triplets of a folder; see `KeyedFile`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Triplet, _NOUN)


def read_triplets(path: Path, *, allow_empty: bool = False) -> list[Triplet]:
    """All triplets of a file, compressed if its name ends in ".gz"; of a folder, those of its `triplets.jsonl`.

    Raises:
        DataError: no such file, a line that is no triplet (with its number), or nothing in it.
    """
    file = _file_in(path)
    try:
        found = read_lines(file, Triplet, _NOUN)
    except OSError as error:
        raise DataError(f"the triplets {file} cannot be read: {error}. Make some with: autommlab trials") from error
    if not found and not allow_empty:
        raise DataError(f"{file} holds no triplet yet. Go on with: autommlab trials --out {file.parent}")
    return found


def _file_in(path: Path) -> Path:
    if not path.is_dir():
        return path
    plain = path / TRIPLETS_FILE
    packed = path / f"{TRIPLETS_FILE}.gz"
    return packed if packed.exists() and not plain.exists() else plain


def past_trial(triplet: Triplet) -> Experience:
    """The part of a triplet that a searcher may see: VAL only."""
    return Experience.model_validate(triplet.model_dump(include=set(Experience.model_fields)))


def learnable(triplets: Iterable[Triplet], *, without: Iterable[str] = ()) -> list[Triplet]:
    """Those that something may learn from: no held-out bag, none of the named data sets.

    Args:
        triplets: any.
        without: data sets to leave out, for the leave-one-dataset-out split.
    """
    gone = set(without)
    return [triplet for triplet in triplets if not triplet.held_out and triplet.bag.dataset not in gone]


def write_experience(triplets: Iterable[Triplet], path: Path, *, without: Iterable[str] = ()) -> Path:
    """An experience file (AUTOMMLAB_EXPERIENCE) of what may be learnt from, compressed if its name ends in ".gz".

    Raises:
        StorageError: the file cannot be written.
    """
    text = "".join(past_trial(t).model_dump_json() + "\n" for t in learnable(triplets, without=without))
    if path.suffix != ".gz":
        return write_text(path, text)
    with storage_errors(path):
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path
