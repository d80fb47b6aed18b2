"""A benchmark's result, read back from the JSON that its command wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from autommlab.errors import RequestError

Result = TypeVar("Result", bound=BaseModel)


def read_stored(kind: type[Result], file: Path, command: str) -> Result:
    """The result in `file`.

    Args:
        kind: of the result.
        file: as `command` wrote it.
        command: that makes such files, for the message.

    Raises:
        RequestError: the file is something else.
    """
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} is no result of `{command}`: {error}") from error
