"""JSON Lines of records with a key: append-only, one complete line each, no key twice."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from autommlab.common import jsonl
from autommlab.common.errors import DataError
from autommlab.common.files import storage_error
from autommlab.common.stored import require_plain_numbers


class Keyed(Protocol):
    """A pydantic record that stands once in a file."""

    @property
    def key(self) -> str:
        """A digest of what decides the record's content."""

    def model_dump_json(self) -> str:
        """The record as a line."""

    @classmethod
    def model_validate_json(cls, json_data: bytes, /) -> Self:
        """The record of a line."""


Record = TypeVar("Record", bound=Keyed)


class KeyedFile(Generic[Record]):
    """A file that grows record by record.

    Args:
        path: read if it exists. A damaged line (a crash, a full disk) is set aside: what it
            stood for is not done yet and comes again.
        kind: of its records.
        noun: what a user calls a record.

    Attributes:
        records: all of them by key.

    Raises:
        DataError: a line of another kind; the file is left as it is.
    """

    def __init__(self, path: Path, kind: type[Record], noun: str) -> None:
        self._path = path
        lines = jsonl.read_records(path, partial(_record, kind))
        _refuse(lines.foreign, path, noun)
        jsonl.mend(path, lines)
        self.records = {record.key: record for record in lines.records}

    def __len__(self) -> int:
        return len(self.records)

    def add(self, records: Iterable[Record]) -> int:
        """Append those whose key is new; on return they are on the disk.

        Returns:
            How many were new.

        Raises:
            StorageError: the file cannot be written.
        """
        new = {record.key: record for record in records if record.key not in self.records}
        if not new:
            return 0
        jsonl.append(self._path, [record.model_dump_json() for record in new.values()])
        self.records.update(new)
        return len(new)


def read_keyed(path: Path, kind: type[Record], noun: str) -> list[Record]:
    """All records of a file, compressed if its name ends in ".gz".

    Raises:
        OSError: no such file, or broken compression.
        DataError: a line that is no such record, with its number.
    """
    lines = jsonl.parsed(read_unpacked(path), partial(_record, kind))
    _refuse(next(iter(lines.bad), None), path, noun)
    return lines.records


def write_compressed(records: Iterable[Keyed], path: Path) -> Path:
    """All records as a `.jsonl.gz`, byte for byte the same for the same records; the form to commit.

    Raises:
        StorageError: the file cannot be written.
    """
    text = "".join(record.model_dump_json() + "\n" for record in sorted(records, key=lambda one: one.key))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    except OSError as error:
        raise storage_error(path, error) from error
    return path


def _record(kind: type[Record], line: bytes) -> Record:
    require_plain_numbers(jsonl.json_value(line))
    return kind.model_validate_json(line)


def read_unpacked(path: Path) -> bytes:
    """Content of a file, unpacked if its name ends in ".gz".

    Raises:
        OSError: no such file, or broken compression.
    """
    raw = path.read_bytes()
    if path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error) as error:
        raise OSError(f"its compression is broken ({error})") from error


def _refuse(bad: jsonl.BadLine | None, path: Path, noun: str) -> None:
    if bad is not None:
        raise DataError(f"{path}, line {bad.number} is no {noun}: {bad.reason}. Delete it")
