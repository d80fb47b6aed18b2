"""What several commands need: names with commas, tables that keep their width in a log file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH_OF_A_LOG = 220


def names_with_commas(text: str) -> tuple[str, ...]:
    """`"a, b,a"` becomes `("a", "b")`."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def print_table(table: Table) -> None:
    """As wide as the terminal; elsewhere as wide as the table, instead of broken at 80 columns."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=_WIDTH_OF_A_LOG)).print(table)
