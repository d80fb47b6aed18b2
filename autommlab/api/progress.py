"""Who is told of a run that Python started: nobody, a person at a terminal or a notebook, or a function."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from autommlab.progress.display import Display
from autommlab.progress.events import Events, Listener
from autommlab.understanding.understand import NOBODY, Ask, Lent

#: False = nobody; True = the display of the command line; or a function that gets each event.
Progress = bool | Listener


@contextlib.contextmanager
def told(progress: Progress, ask: Ask | None) -> Iterator[tuple[Events, Lent]]:
    """(events of a run, how the person is asked) inside the block."""
    if progress is True:
        with _display() as display:
            yield Events(display), _asked(ask, display.close)
    elif progress is False:
        yield Events(), _asked(ask)
    else:
        yield Events(progress), _asked(ask)


def _display() -> Display:
    """The display of the command line; in a notebook its plain lines, under the cell that runs."""
    from rich.console import Console

    console = Console(highlight=False)
    return Display(console) if console.is_jupyter else Display()


def _asked(ask: Ask | None, make_room: Callable[[], None] = lambda: None) -> Lent:
    if ask is None:
        return NOBODY

    def put(question: str) -> str:
        make_room()
        return ask(question)

    return replace(NOBODY, ask=put)
