"""The content of a COCO file, its annotations as `Entries`, in a fraction of the memory that `json` takes."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from autommlab.data.at_work import Pace
from autommlab.data.readers import files
from autommlab.data.readers.coco_entries import Annotation, Entries, EntriesBuilder

#: Bytes of a table that are parsed at once.
_CHUNK = 4 << 20
_BETWEEN = re.compile(rb"\}\s*(?P<comma>,)\s*\{")
#: Places that are tried before the rest of a table is parsed at once.
_TRIES = 1000


class _Image(msgspec.Struct, gc=False):
    """What is read of an image's entry."""

    id: Any = msgspec.UNSET
    file_name: Any = msgspec.UNSET
    width: Any = msgspec.UNSET
    height: Any = msgspec.UNSET


def read_tables(path: Path, *, with_points: bool) -> Any:
    """What a file holds; of COCO's tables what is read of them, the annotations as `Entries`.

    Args:
        path: of the file.
        with_points: whether the points of the annotations are read.

    Raises:
        DataError: see `files.read_json`.
    """
    tables = _in_parts(path, with_points)
    if tables is None:
        # Not UTF-8, not quite JSON (NaN), or no JSON: read, or told, as any other file.
        tables = files.read_json(path)
    if isinstance(tables, dict) and isinstance(entries := tables.get("annotations"), list):
        builder = EntriesBuilder(with_points)
        builder.add_odd(entries)
        tables["annotations"] = builder.built()
    return tables


def _in_parts(path: Path, with_points: bool) -> dict[str, Any] | None:
    """The tables of a file that is plain JSON; None for any other."""
    try:
        content = files.read_bytes(path)
        _require_utf8(content)
        raw = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        return {key: _table(key, memoryview(value), with_points) for key, value in raw.items()}
    except (OSError, ValueError, RecursionError):
        return None


def _require_utf8(content: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    for start in range(0, len(view), _CHUNK):
        decoder.decode(view[start : start + _CHUNK])
    decoder.decode(b"", final=True)


def _table(key: str, raw: memoryview, with_points: bool) -> Any:
    listed = bytes(raw[:1]) == b"["
    if key == "annotations" and listed:
        return _annotations(raw, with_points)
    if key == "images" and listed:
        return [entry for part in _parts(raw) for entry in _images(part)]
    return json.loads(bytes(raw))


def _annotations(raw: memoryview, with_points: bool) -> Entries:
    builder = EntriesBuilder(with_points)
    pace, done = Pace(len(raw) >> 20, "MB of annotations read"), 0
    for part in _parts(raw):
        done += len(part)
        pace.at(done >> 20)
        try:
            builder.add_parsed(msgspec.json.decode(part, type=list[Annotation]))
        except msgspec.ValidationError:  # an entry that is no object
            builder.add_odd(json.loads(part))
    return builder.built()


def _images(part: bytes) -> list[Any]:
    try:
        found = msgspec.json.decode(part, type=list[_Image])
    except msgspec.ValidationError:
        return list(json.loads(part))
    every = map(msgspec.structs.asdict, found)
    return [{name: value for name, value in entry.items() if value is not msgspec.UNSET} for entry in every]


def _parts(raw: memoryview) -> Iterator[bytes]:
    """A JSON list as shorter lists that together have its entries.

    A list is cut where one object seems to end and the next to begin. What begins with an entry and is whole up to the
    cut has its end there; otherwise the cut lies within an entry, and the next one is tried.
    """
    start, end = 1, len(raw) - 1
    while start < end:
        for cut in _cuts(raw, start + _CHUNK, end):
            part = b"".join((b"[", raw[start:cut], b"]"))
            if cut == end or _is_whole(part):
                break
        yield part
        start = cut + 1


def _cuts(raw: memoryview, first: int, end: int) -> Iterator[int]:
    """Positions of commas that may stand between entries, a few from `first` on; then the end."""
    found = _BETWEEN.finditer(raw, min(first, end), end)
    yield from (match.start("comma") for match in islice(found, _TRIES))
    yield end


def _is_whole(part: bytes) -> bool:
    try:
        msgspec.json.decode(part, type=list[msgspec.Raw])
    except msgspec.MsgspecError:
        return False
    return True
