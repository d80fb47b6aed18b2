"""What a run tells while it goes on: one stream of small events.

Stages call `emit`; a run folder's `events.jsonl`, the progress display and
`--json` are listeners. A stage never prints.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["stage-started", "stage-finished", "stage-skipped", "progress", "note", "warning", "trial", "done"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: what sort of thing.
        stage: understanding, data, model, training, deployment, report or "".
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


Listener = Callable[[Event], None]


class Events:
    """Hands each event to every listener, in order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Also tell `listener` from now on."""
        self._listeners.append(listener)

    def emit(self, kind: Kind, stage: str, message: str, **data: Any) -> None:
        """Tell all listeners."""
        self(Event(kind, stage, message, data))

    def __call__(self, event: Event) -> None:
        """Pass on an event of another stream, whose listener this one is."""
        for listener in self._listeners:
            listener(event)


class EventLog:
    """Appends each event to a JSONL file, flushed at once so that a crash loses none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Append one line."""
        with self._path.open("a", encoding="utf-8") as log:
            log.write(event.to_json() + os.linesep)
