"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer


def asker(make_room: Callable[[], None] = lambda: None) -> Callable[[str], str] | None:
    """Who puts a question to the person; None where nobody sits at a terminal.

    Args:
        make_room: called before each question, to stop whatever draws on the terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> str:
        make_room()
        # Not typer.prompt: it writes to standard output too, which is for results.
        typer.echo(f"{question}\nYour answer (empty to stop): ", nl=False, err=True)
        return sys.stdin.readline().strip()

    return ask
