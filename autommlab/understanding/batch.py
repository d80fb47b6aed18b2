"""Many requests from a file of JSON lines, their parses into another; an interrupted batch goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from autommlab.common import jsonl
from autommlab.common.errors import RequestError
from autommlab.common.files import storage_errors
from autommlab.understanding.outcome import Unclear, Understood

if TYPE_CHECKING:
    from autommlab.understanding.llm import Understander

Id = str | int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input: its id with the request, or with why it cannot be used."""

    id: Id
    request: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """How many lines were written now with a parse and with an error, and how many were there already."""

    parsed: int
    errors: int
    skipped: int


def read_requests(path: Path) -> list[Line]:
    """All lines of an input file: {"id", "request"}, blank ones left out.

    A bad line is named "line-N" unless it has an id of its own.

    Raises:
        RequestError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read the requests {path}: {error.strerror}") from error
    seen: dict[Id, int] = {}
    lines = []
    for number, text in jsonl.split_lines(content):
        line = _line(text, number)
        if line.id in seen:
            line = Line(f"line-{number}", problem=f"the id {line.id!r} is line {seen[line.id]}'s already")
        seen.setdefault(line.id, number)
        lines.append(line)
    return lines


def done_ids(path: Path) -> set[Id]:
    """Ids in an output file; damaged lines that a crash left are set aside.

    Raises:
        RequestError: the file holds something else than results; it is left as it is.
        StorageError: it cannot be read or repaired.
    """
    with storage_errors(path):
        lines = jsonl.read_records(path, _done_id)
    if lines.foreign is not None:
        raise RequestError(f"{path} is not a file of parses: {lines.foreign}. Name another --out, or delete that file")
    jsonl.mend(path, lines)
    return set(lines.records)


def understand_lines(
    lines: Iterable[Line], target: Path, understander: Understander, *, concurrent: int
) -> Iterator[BatchOutcome]:
    """Append a result for each line that has none in `target`, in the order of `lines`; tells the state after each.

    A result is {"id", "parse"}, with "doubts" where a person should look at it, or {"id", "error"}.

    Raises:
        RequestError: `target` holds something else.
        ServiceError: the service went away; the same call goes on where it was.
        StorageError: `target` cannot be written.
    """
    done = done_ids(target)
    lines = list(lines)
    todo = [line for line in lines if line.id not in done]
    parsed = errors = 0
    skipped = len(lines) - len(todo)
    yield BatchOutcome(parsed, errors, skipped)
    jsonl.append(target, [])  # a place that cannot be written should not cost an answer
    for result in _results(todo, understander, concurrent):
        jsonl.append(target, [json.dumps(result, ensure_ascii=False)])
        parsed, errors = parsed + ("parse" in result), errors + ("error" in result)
        yield BatchOutcome(parsed, errors, skipped)


def _results(lines: list[Line], understander: Understander, concurrent: int) -> Iterator[dict[str, Any]]:
    good = (line.request for line in lines if not line.problem)
    outcomes = understander.understand_many(good, concurrent=concurrent)
    for line in lines:
        if line.problem:
            yield {"id": line.id, "error": line.problem}
            continue
        outcome = next(outcomes)
        match outcome:
            case Understood():
                doubted = [doubt.says for doubt in outcome.doubts]
                result = {"id": line.id, "parse": outcome.request.to_dict()}
                yield {**result, "doubts": doubted} if doubted else result
            case Unclear():
                yield {"id": line.id, "error": outcome.question}
            case _:
                yield {"id": line.id, "error": str(outcome)}


def _line(content: bytes, number: int) -> Line:
    expected = 'a line must be {"id": "...", "request": "..."}'
    try:
        given = jsonl.json_value(content)
    except ValueError as error:  # also of bytes that are no UTF-8, and of what is nested too deeply
        return Line(f"line-{number}", problem=f"{expected}; this one is not valid JSON: {error}")
    if not isinstance(given, dict) or not _is_id(given.get("id")):
        return Line(f"line-{number}", problem=f"{expected}; this one has no id that is a text or a whole number")
    if not isinstance(given.get("request"), str):
        return Line(given["id"], problem=f"{expected}; this one has no request that is a text")
    return Line(given["id"], given["request"])


def _done_id(line: bytes) -> Id:
    """The id of a result.

    Raises:
        ValueError: it is none.
    """
    given = jsonl.json_value(line)
    if isinstance(given, dict) and ("parse" in given) != ("error" in given):
        own: Any = given.get("id")
        if _is_id(own):
            return own
    raise ValueError('a result is {"id", "parse"} or {"id", "error"}')


def _is_id(value: Any) -> TypeGuard[Id]:
    """A text, or a whole number of 64 bits, which every program can read and write."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, str)
