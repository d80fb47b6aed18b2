"""A parse as a table on the terminal: what is uncertain is marked, what is not used is listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autommlab.understanding.outcome import Understood


def show_parse(outcome: Understood, make_room: Callable[[], None] = lambda: None, *, error: bool = False) -> None:
    """Print the table.

    Args:
        outcome: to show.
        make_room: called before, to stop whatever draws on the terminal.
        error: on standard error.
    """
    from rich.table import Table
    from rich.text import Text

    from autommlab.cli.shared import print_table
    from autommlab.common.escaping import terminal
    from autommlab.understanding.corrections import TITLES

    make_room()
    doubts = {TITLES.get(doubt.field, ""): doubt.says for doubt in outcome.open_doubts}
    columns = ("asked for", "understood", *(("uncertain",) if doubts else ()))
    table = Table(*columns)
    for name, value in outcome.request.rows():
        cell = Text(terminal(value) if value else "-", style="" if value else "dim")
        doubt = doubts.get(name, "")
        table.add_row(name, cell, *((Text(terminal(doubt), style="yellow"),) if doubts else ()))
    if outcome.unused:
        table.add_row("Not used of the text", Text(terminal(", ".join(outcome.unused)), style="dim"))
    print_table(table, error=error)
