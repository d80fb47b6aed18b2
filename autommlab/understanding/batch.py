"""Many requests from a file of JSON lines, their parses into another; an interrupted batch goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def read_lines(path: Path) -> list[Line]:
    """All lines of an input file: {"id", "request"}, blank ones left out.

    A bad line is named "line-N" unless it has an id of its own.

    Raises:
        RequestError: the file cannot be read.
    """
    try:
        raw = path.read_bytes().splitlines()
    except OSError as error:
        raise RequestError(f"cannot read the requests {path}: {error.strerror}") from error
    seen: dict[Id, int] = {}
    lines = []
    for number, content in enumerate(raw, 1):
        if not content.strip():
            continue
        line = _line(content, number)
        if line.id in seen:
            line = Line(f"line-{number}", problem=f"the id {line.id!r} is line {seen[line.id]}'s already")
        seen.setdefault(line.id, number)
        lines.append(line)
    return lines


def done_ids(path: Path) -> set[Id]:
    """Ids in an output file; half a line that a crash left at its end is cut off.

    Raises:
        RequestError: the file holds something else than results.
        StorageError: it cannot be read or repaired.
    """
    with storage_errors(path):
        if not path.exists():
            return set()
        content = path.read_bytes()
        whole, end, torn = content.rpartition(b"\n")
        if torn:
            with path.open("r+b") as file:
                file.truncate(len(whole) + len(end))
    return {_done_id(line, number, path) for number, line in enumerate(whole.splitlines(), 1)}


def understand_lines(
    lines: Iterable[Line], target: Path, understander: Understander, *, concurrent: int
) -> Iterator[BatchOutcome]:
    """Append a result for each line that has none in `target`, in the order of `lines`; tells the state after each.

    A result is {"id", "parse"} or {"id", "error"}.

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
    with storage_errors(target), target.open("a", encoding="utf-8") as file:
        for result in _results(todo, understander, concurrent):
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
            file.flush()
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
                yield {"id": line.id, "parse": outcome.request.to_dict()}
            case Unclear():
                yield {"id": line.id, "error": outcome.question}
            case _:
                yield {"id": line.id, "error": str(outcome)}


def _line(content: bytes, number: int) -> Line:
    expected = 'a line must be {"id": "...", "request": "..."}'
    try:
        given = json.loads(content)
    except ValueError as error:  # also of bytes that are no UTF-8
        return Line(f"line-{number}", problem=f"{expected}; this one is not valid JSON: {error}")
    if not isinstance(given, dict) or not isinstance(given.get("id"), str | int) or isinstance(given["id"], bool):
        return Line(f"line-{number}", problem=f"{expected}; this one has no id that is a text or a whole number")
    if not isinstance(given.get("request"), str):
        return Line(given["id"], problem=f"{expected}; this one has no request that is a text")
    return Line(given["id"], given["request"])


def _done_id(line: bytes, number: int, path: Path) -> Id:
    try:
        found = json.loads(line)["id"]
        if isinstance(found, str | int):
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise RequestError(
        f"{path} is not a file of parses: line {number} is {line[:80]!r}. Name another --out, or delete that file"
    )
