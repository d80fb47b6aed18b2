"""What a person (or a program) sees while a run goes on: the listeners to `events.Event`.

`Display` draws on a terminal and writes plain lines anywhere else, always on
stderr; `JsonLines` writes every event as one line of JSON on stdout.

Keys of `Event.data` that are read here, by kind; every one may be missing:

- stage-started: `limit_s` (float), wall-clock limit of the stage (`--time`).
- stage-finished, stage-skipped: `seconds` (float; measured here where missing). `message` is the
  one line that stays on the screen.
- progress: `done`, `total` (int), `unit` (str, "image"), `best` (float), `metric` (str), `eta_s` (float).
- trial: `number`, `total` (int), `score`, `best` (float), `metric` (str), `status` (a TrialStatus),
  `reason` (str), `hyperparameters` (dict), `proposed_by` (str), `seconds`, `eta_s` (float).
  `eta_s` of both kinds is the time left; where missing it is worked out here.
- note, warning: nothing.
- done: `seconds` (float), `report`, `bundle` (paths), `ok` (bool, default true).
"""

from __future__ import annotations

import atexit
import sys
import threading
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from autommlab.common.escaping import one_line
from autommlab.common.wording import duration, typed_here
from autommlab.progress.state import Watched, products, stage_label, trial_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from autommlab.progress.events import Event


class JsonLines:
    """Writes each event as one line of JSON, flushed at once; for programs that watch a run.

    Args:
        stream: where to, default stdout at the time of writing.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write `event`."""
        stream = self._stream or sys.stdout
        stream.write(event.to_json() + "\n")
        stream.flush()


class Display:
    """The listener for people. A context manager; it also closes itself at the event `done`.

    On a terminal: a live line (stage, trial, best so far, time left) with one tidy line left by
    each finished stage. Elsewhere, a plain line per stage, trial, note and warning, without
    control codes, so that a log file stays readable.

    Args:
        console: where to draw, default a rich console on stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True, highlight=False)
        self._fancy = self._console.is_terminal and not self._console.is_dumb_terminal
        self._watched = Watched()
        self._lock = threading.RLock()
        self._live: Live | None = None

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop drawing and give the cursor back; harmless when called twice."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None
                atexit.unregister(self.close)

    def __call__(self, event: Event) -> None:
        """Show `event`; may be called from any thread."""
        told = {name: one_line(value) if isinstance(value, str) else value for name, value in event.data.items()}
        event = replace(event, message=one_line(event.message), data=told)  # names of classes and files are in it
        with self._lock:
            if self._watched.run_began is None:
                self._watched.run_began = event.time
            if event.kind == "stage-started":
                self._watched.start(event)
            elif event.kind in ("progress", "trial"):
                self._watched.advance(event)
            if self._fancy:
                self._draw(event)
            else:
                self._write(event)
            if event.kind == "done":
                self.close()
                self._watched = Watched()  # a benchmark shows one run after the other

    def _write(self, event: Event) -> None:
        for line in _plain_lines(event, self._watched):
            self._console.file.write(one_line(typed_here(line)) + "\n")
        self._console.file.flush()

    def _draw(self, event: Event) -> None:
        from rich.live import Live

        from autommlab.progress.terminal import live_lines, permanent

        if event.kind == "done":
            self.close()
        elif self._live is None:
            self._live = Live(
                get_renderable=lambda: live_lines(self._watched),
                console=self._console,
                refresh_per_second=6,
                transient=True,
                redirect_stdout=False,
            )
            atexit.register(self.close)  # an error ends the run without `done`; the cursor must come back
            self._live.start()
        lasting = permanent(event, self._watched)
        if event.kind in ("stage-finished", "stage-skipped"):
            self._watched.stage = ""
        if lasting is not None:
            self._console.print(lasting)


def _plain_lines(event: Event, watched: Watched) -> list[str]:
    label = f"{stage_label(event.stage)}: " if event.stage else ""
    if event.kind == "stage-finished":
        return [f"{label}{event.message} ({duration(watched.seconds(event))})"]
    if event.kind == "stage-skipped":
        return [f"{label}{event.message} (skipped)"]
    if event.kind == "trial":
        return [label + trial_line(event.data)]
    if event.kind in ("note", "warning"):
        return [f"{label}{'warning: ' if event.kind == 'warning' else ''}{event.message}"]
    if event.kind == "done":
        return [f"done: {event.message} ({duration(watched.seconds(event))})", *products(event)]
    return []
