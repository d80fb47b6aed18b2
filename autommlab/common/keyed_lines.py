"""JSON Lines of records with a key: append-only, one complete line each, no key twice."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from pydantic import ValidationError

from autommlab.common.errors import DataError
from autommlab.common.files import append_text, storage_error


class Keyed(Protocol):
    """A pydantic record that stands once in a file."""

    @property
    def key(self) -> str:
        """A digest of what decides the record's content."""

    def model_dump_json(self) -> str:
        """The record as a line."""

    @classmethod
    def model_validate_json(cls, json_data: str, /) -> Self:
        """The record of a line."""


Record = TypeVar("Record", bound=Keyed)


class KeyedFile(Generic[Record]):
    """A file that grows record by record.

    Args:
        path: read if it exists. A half-written last line (a crash, a full disk) is cut off: what it
            stood for is not done yet and comes again.
        kind: of its records.
        noun: what a user calls a record.

    Attributes:
        records: all of them by key.

    Raises:
        DataError: a line that is no such record.
    """

    def __init__(self, path: Path, kind: type[Record], noun: str) -> None:
        self._path = path
        self.records: dict[str, Record] = {}
        if path.exists():
            _cut_torn_line(path)
            self.records = {record.key: record for record in read_lines(path, kind, noun)}

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
        append_text(self._path, "".join(record.model_dump_json() + "\n" for record in new.values()))
        self.records.update(new)
        return len(new)


def read_lines(path: Path, kind: type[Record], noun: str) -> list[Record]:
    """All records of a file, compressed if its name ends in ".gz".

    Raises:
        OSError: no such file, or broken compression.
        DataError: a line that is no such record, with its number.
    """
    raw = path.read_bytes()
    text = (_unpacked(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found.append(kind.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise DataError(f"{path}, line {number} is no {noun}: {where}: {first['msg']}. Delete it") from error
    return found


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


def _unpacked(raw: bytes) -> bytes:
    try:
        return gzip.decompress(raw)
    except EOFError as error:
        raise OSError(str(error)) from error


def _cut_torn_line(path: Path) -> None:
    raw = path.read_bytes()
    complete = raw[: raw.rfind(b"\n") + 1]
    if len(complete) < len(raw):
        path.write_bytes(complete)
