"""Paths of a run's own files: absolute in memory, relative in its records, so that its folder may be moved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, SerializationInfo, ValidationInfo

_KEY = "run folder"


def within(folder: Path) -> dict[str, Any]:
    """The `context` for reading and writing the records of a folder."""
    return {_KEY: folder}


def _absolute(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get(_KEY)
    return path if folder is None else folder / path  # an absolute path stays


def _relative(path: Path, info: SerializationInfo) -> str:
    folder = (info.context or {}).get(_KEY)
    return str(path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path)


#: A path inside the run folder; see `within`.
RunPath = Annotated[Path, AfterValidator(_absolute), PlainSerializer(_relative, return_type=str, when_used="json")]
