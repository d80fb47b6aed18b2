"""Paths of a run's own files: absolute in memory, relative in its records, so that its folder may be moved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, SerializationInfo, ValidationInfo

_KEY = "run folder"
#: Bytes.
_LONGEST_NAME = 255


def within(folder: Path) -> dict[str, Any]:
    """The `context` for reading and writing the records of a folder."""
    return {_KEY: folder}


def _absolute(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get(_KEY)
    if folder is None:
        return path
    inside = Path(os.path.normpath(folder / _possible(path)))
    if not inside.is_relative_to(folder):
        raise ValueError(f"{path} does not lie in the run's own folder")
    return inside


def _possible(path: Path) -> Path:
    if "\0" in str(path) or any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        raise ValueError("no file system has such a path")
    return path


def _inner(name: str) -> str:
    path = Path(name)
    if not name or _possible(path).is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r} does not lie in the folder that it belongs to")
    return name


def _relative(path: Path, info: SerializationInfo) -> str:
    folder = (info.context or {}).get(_KEY)
    return str(path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path)


#: A path that a file system can have: the operating system raises at the others, whatever is asked about them.
PossiblePath = Annotated[Path, AfterValidator(_possible)]
#: Name of a file relative to the folder that it belongs to, which it does not leave.
InnerName = Annotated[str, AfterValidator(_inner)]
#: A path inside the run folder; see `within`. A record that names a place outside is refused: it may be anybody's.
RunPath = Annotated[Path, AfterValidator(_absolute), PlainSerializer(_relative, return_type=str, when_used="json")]
