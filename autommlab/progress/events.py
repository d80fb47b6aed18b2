"""What a run tells while it goes on: one stream of small events.

Stages call `emit`; a run folder's `events.jsonl`, the progress display and
`--json` are listeners. A stage never prints.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from autommlab.common import jsonl
from autommlab.common.stopping import raise_if_stopped
from autommlab.common.stored import require_plain_numbers

Kind = Literal["stage-started", "stage-finished", "stage-skipped", "progress", "note", "warning", "trial", "done"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: what sort of thing.
        stage: one of `progress.state.STAGES`, report or "".
        message: one sentence for a person.
        data: plain JSON values for a program.
        time: seconds since the epoch.
    """

    kind: Kind
    stage: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)
    time: float = field(default_factory=time.time)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, default=str)


class _ToldPoint(BaseModel):
    lr: float | None = None
    weight_decay: float | None = None


class _Told(BaseModel):
    """The data that displays and `status` work with, where an event has it; a stage may tell more."""

    number: int | None = None
    total: int | None = None
    done: int | None = None
    score: float | None = None
    best: float | None = None
    seconds: float | None = None
    eta_s: float | None = None
    limit_s: float | None = None
    unit: str | None = None
    metric: str | None = None
    status: str | None = None
    reason: str | None = None
    hyperparameters: _ToldPoint | None = None


_EVENT = TypeAdapter(Event)


def read_event(line: bytes) -> Event:
    """An event from its line of JSON.

    Raises:
        ValueError: it is none, or its data are of other types than ours.
    """
    event = _EVENT.validate_json(line)
    require_plain_numbers([event.time, event.data])
    _Told.model_validate(event.data, strict=True)
    return event


Listener = Callable[[Event], None]
#: Events of work that goes on: none of them comes once the program has begun to end.
_AT_WORK = frozenset({"stage-started", "progress", "trial"})


class Events:
    """Hands each event to every listener, in order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Also tell `listener` from now on."""
        self._listeners.append(listener)

    def emit(self, kind: Kind, stage: str, message: str, **data: Any) -> None:
        """Tell all listeners.

        Raises:
            Stopped: a signal asks the program to end, and what it interrupted has taken no notice.
        """
        if kind in _AT_WORK:
            raise_if_stopped()
        self(Event(kind, stage, message, data))

    def __call__(self, event: Event) -> None:
        """Pass on an event of another stream, whose listener this one is."""
        for listener in self._listeners:
            listener(event)


class EventLog:
    """Appends each event to a JSONL file, flushed at once so that a crash of the program loses none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Append one line."""
        jsonl.append(self._path, [event.to_json()], durable=False)
