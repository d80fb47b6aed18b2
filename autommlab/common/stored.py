"""A record read back from its JSON, with numbers that can be worked with.

JSON knows no largest number, and pydantic takes NaN, 1e999 and integers of thousands of digits for numbers. Each use of
one (a sum, a plot, a duration in words) would have to expect them. No record of ours holds any, so the readers refuse
them here, as what they are: damage.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from autommlab.common.errors import DataError
from autommlab.common.jsonl import json_value

Record = TypeVar("Record", bound=BaseModel)
#: Beyond these lies nothing that we count or measure; nanoseconds since the epoch are below.
_LARGEST_INT, _LARGEST_FLOAT = 2**63, 1e18


def record_of(kind: type[Record], content: bytes, *, context: dict[str, Any] | None = None) -> Record:
    """The record of a JSON text.

    Args:
        kind: of the record.
        content: the text.
        context: for its validators, see `run_path.within`.

    Raises:
        ValueError: it is no such record (pydantic's ValidationError), or holds a number that none holds.
    """
    require_plain_numbers(json_value(content))
    return kind.model_validate_json(content, context=context)


def lines_to_add_to(file: Path | None, kind: type[Record], command: str) -> list[Record]:
    """The records that a benchmark's `--out` holds already, to which new ones are added; none without a file.

    Args:
        file: a JSON list.
        kind: of the records.
        command: that writes such files, for the message.

    Raises:
        DataError: the file holds something else.
    """
    if file is None or not file.exists():
        return []
    try:
        content = json_value(file.read_bytes())
        require_plain_numbers(content)
        if not isinstance(content, list):
            raise ValueError("it holds no list")
        return [kind.model_validate(one) for one in content]
    except (OSError, ValueError) as error:
        raise DataError(f"{file} holds no lines of {command} ({error}). Give another file with --out") from error


def require_plain_numbers(value: Any) -> None:
    """Refuse NaN, infinity and numbers of absurd size anywhere in a JSON value.

    Raises:
        ValueError: there is one.
    """
    pending = [value]
    while pending:
        match pending.pop():
            case dict() as inner:
                pending.extend(inner.values())
            case list() as inner:
                pending.extend(inner)
            case int() as number if not -_LARGEST_INT <= number < _LARGEST_INT:
                raise ValueError("it holds a whole number of more than 64 bits")
            case float() as number if not math.isfinite(number) or abs(number) > _LARGEST_FLOAT:
                raise ValueError(f"it holds the number {number}")
