"""`triplets.jsonl`: append-only, one complete line per trial, no key twice."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from autommlab.errors import DataError
from autommlab.files import storage_error
from training_data_gen.triplets.records import Triplet

TRIPLETS_FILE = "triplets.jsonl"


class TripletFile:
    """The triplets of a folder.

    Args:
        path: read if it exists. A half-written last line (a crash, a full disk) is cut off: its
            study is not marked as done yet and gives it again.

    Raises:
        DataError: a line that is no triplet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: set[str] = set()
        if path.exists():
            _cut_torn_line(path)
            self._keys = {triplet.key for triplet in read_triplets(path, allow_empty=True)}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, triplets: Iterable[Triplet]) -> int:
        """Append those whose key is new; on return they are on the disk.

        Returns:
            How many were new.

        Raises:
            StorageError: the file cannot be written.
        """
        new = {triplet.key: triplet for triplet in triplets if triplet.key not in self._keys}
        if not new:
            return 0
        text = "".join(triplet.model_dump_json() + "\n" for triplet in new.values())
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise storage_error(self._path, error) from error
        self._keys |= set(new)
        return len(new)


def read_triplets(path: Path, *, allow_empty: bool = False) -> list[Triplet]:
    """All triplets of a file, compressed if its name ends in ".gz"; of a folder, those of its `triplets.jsonl`.

    Raises:
        DataError: no such file, a line that is no triplet (with its number), or nothing in it.
    """
    file = _file_in(path)
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"the triplets {file} cannot be read: {error}. Make some with: autommlab trials") from error
    found = []
    for number, line in enumerate(raw.decode("utf-8").splitlines(), start=1):
        try:
            found.append(Triplet.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise DataError(f"{file}, line {number} is no triplet: {where}: {first['msg']}. Delete it") from error
    if not found and not allow_empty:
        raise DataError(f"{file} holds no triplet yet. Go on with: autommlab trials --out {file.parent}")
    return found


def write_compressed(triplets: Iterable[Triplet], path: Path) -> Path:
    """All triplets as a `.jsonl.gz`, byte for byte the same for the same triplets; the form to commit."""
    text = "".join(triplet.model_dump_json() + "\n" for triplet in sorted(triplets, key=lambda t: t.key))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    except OSError as error:
        raise storage_error(path, error) from error
    return path


def _file_in(path: Path) -> Path:
    if not path.is_dir():
        return path
    plain = path / TRIPLETS_FILE
    packed = path / f"{TRIPLETS_FILE}.gz"
    return packed if packed.exists() and not plain.exists() else plain


def _cut_torn_line(path: Path) -> None:
    raw = path.read_bytes()
    complete = raw[: raw.rfind(b"\n") + 1]
    if len(complete) < len(raw):
        path.write_bytes(complete)
