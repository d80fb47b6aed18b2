"""JSON lines: the one reader and appender of files that grow line by line.

A line ends at a line feed and nowhere else: texts may hold U+2028 and others that `str.splitlines` takes for ends.
A crash or a full disk leaves half a line, or NUL bytes where a file's blocks were never written. `mend` sets such
lines aside in `NAME.damaged`, so that what is appended next stands on a line of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pydantic_core

from autommlab.common.files import storage_errors, write_text

Record = TypeVar("Record")
#: Name of the file beside it that keeps the damaged lines of a file.
DAMAGED = ".damaged"
_SHOWN = 80
#: White space of JSON, and NUL bytes, of which a crash may leave many beside a whole line.
_PADDING = b"\x00 \t\r"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no record.

    Attributes:
        number: from 1.
        content: its bytes.
        reason: why, in a few words.
        is_json: it is whole and of another form: nothing that a crash leaves.
        torn: it is the last one and lacks its end.
    """

    number: int
    content: bytes
    reason: str
    is_json: bool
    torn: bool

    def __str__(self) -> str:
        return f"line {self.number} is {self.content[:_SHOWN]!r}"


@dataclass(frozen=True, slots=True)
class Lines(Generic[Record]):
    """What a file holds.

    Attributes:
        records: in its order.
        bad: lines that are none.
        kept: the file's content without them, each line with its end.
        whole: the file is `kept` already.
    """

    records: list[Record]
    bad: list[BadLine]
    kept: str
    whole: bool

    @property
    def foreign(self) -> BadLine | None:
        """A line that no crash leaves: the file is another one than was meant, and is not to be changed."""
        other = next((bad for bad in self.bad if bad.is_json), None)
        return other or next((bad for bad in self.bad if not self.records and not bad.torn), None)


def json_value(line: bytes | str) -> Any:
    """Any JSON value.

    Raises:
        ValueError: it is no JSON, no UTF-8, or nested too deeply.
    """
    return pydantic_core.from_json(line)


def split_lines(content: bytes) -> list[tuple[int, bytes]]:
    """(number, bytes without padding) of each line that is not blank."""
    lines = ((number, line.strip(_PADDING)) for number, line in enumerate(content.split(b"\n"), 1))
    return [(number, line) for number, line in lines if line]


def reason_in_words(error: Exception) -> str:
    """The reason of an error of reading in one line; of pydantic's the first one."""
    if isinstance(error, pydantic_core.ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}" if where else first["msg"]
    return str(error)


def parsed(content: bytes, parse: Callable[[bytes], Record]) -> Lines[Record]:
    """The lines of a file.

    Args:
        content: of the file.
        parse: makes a record of a line; its ValueError says why it is none.
    """
    last = content.count(b"\n") + 1  # this line has no end
    records, bad, kept = [], [], []
    for number, line in split_lines(content):
        try:
            records.append(parse(line))
            kept.append(line + b"\n")
        except ValueError as error:
            bad.append(BadLine(number, line, reason_in_words(error), _is_json(line), torn=number == last))
    text = b"".join(kept)
    return Lines(records, bad, text.decode("utf-8"), whole=text == content)


def read_records(path: Path, parse: Callable[[bytes], Record]) -> Lines[Record]:
    """The lines of a file that may be written to at this moment; none of one that is missing.

    Args:
        path, parse: see `parsed`.

    Raises:
        OSError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    return parsed(content, parse)


def mend(path: Path, lines: Lines[Any]) -> None:
    """Set the bad lines of a file aside, which only its owner may do: nothing is lost wherever a crash comes.

    Raises:
        StorageError: the folder cannot be written.
    """
    if lines.whole:
        return
    if lines.bad:
        with storage_errors(path), path.with_name(path.name + DAMAGED).open("ab") as aside:
            aside.write(b"".join(bad.content + b"\n" for bad in lines.bad))
            aside.flush()
            os.fsync(aside.fileno())
    write_text(path, lines.kept)


def append(path: Path, lines: Iterable[str], *, durable: bool = True) -> None:
    """Add lines to a file, which is made if it is missing; half a line at its end gets its end first.

    Args:
        path: of the file.
        lines: JSON texts without line feeds.
        durable: on return they are on the disk.

    Raises:
        StorageError: the file cannot be written.
    """
    added = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")  # names that are no UTF-8
    with storage_errors(path), path.open("ab") as file:
        file.write((b"" if _ends_whole(path) else b"\n") + added)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def _ends_whole(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:  # a device has no end
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _is_json(line: bytes) -> bool:
    try:
        json_value(line)
    except ValueError:
        return False
    return True
