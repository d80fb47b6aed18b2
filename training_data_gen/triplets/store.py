"""`triplets.jsonl`: the trials of a folder."""

from __future__ import annotations

from pathlib import Path

from autommlab.errors import DataError
from training_data_gen.keyed_lines import KeyedFile, read_lines
from training_data_gen.triplets.records import Triplet

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
