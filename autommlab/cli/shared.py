"""What several commands need: names with commas, tables that keep their width in a log file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from autommlab.common.escaping import rich_text, terminal
from autommlab.common.wording import names_with_commas, typed_here

if TYPE_CHECKING:
    from rich.table import Table

    from autommlab.tasks import Task


_WIDTH_OF_A_LOG = 220
#: Of the largest count that a benchmark takes.
_DIGITS = 6


def counts_with_commas(text: str) -> tuple[int, ...]:
    """`"10, 100"` becomes `(10, 100)`, ascending.

    Raises:
        RequestError: none, or what is no whole number above 0, or one that no benchmark comes to the end of.
    """
    from autommlab.common.errors import RequestError

    asked = names_with_commas(text)
    if not asked or not all(
        count.isascii() and count.isdigit() and len(count) <= _DIGITS and int(count) for count in asked
    ):
        shown = f"{text[:40]!r}{'...' if len(text) > 40 else ''}"
        most = 10**_DIGITS - 1
        raise RequestError(
            f"{shown} is no list of counts; give whole numbers of 1 to {most} with commas, as in 100,1000"
        )
    return tuple(sorted(int(count) for count in asked))


def count_or_names(text: str, option: str) -> int | tuple[str, ...] | None:
    """How many, or which by name; None for all.

    Args:
        text: of the person.
        option: that it was given to.

    Raises:
        RequestError: a number that counts nothing.
    """
    from autommlab.common.errors import RequestError

    if not text.isdecimal():
        return names_with_commas(text) or None
    try:
        return counts_with_commas(text)[0]
    except RequestError as error:
        raise RequestError(f"{option}: {error}; or names with commas") from error


def tasks_named(text: str) -> tuple[Task, ...]:
    """Tasks with commas; all four if none is named.

    Raises:
        RequestError: no such task.
    """
    from autommlab.common.errors import RequestError, unknown
    from autommlab.tasks import Task

    for name in names_with_commas(text):
        if name not in list(Task):
            raise RequestError(unknown("task", name, list(Task)))
    return tuple(Task(name) for name in names_with_commas(text)) or tuple(Task)


@contextlib.contextmanager
def going_on(command: str = "", *, kept: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Say how to go on if the block ends early in a way where going on helps.

    Args:
        command: what goes on with it; the default is what was typed.
        kept: whether anything is there to go on with.
    """
    try:
        yield
    except BaseException as error:
        if _may_pass(error) and kept():
            say(f"Everything finished so far is kept. Go on with: {command or command_line()}", error=True)
        raise


def _may_pass(error: BaseException) -> bool:
    """Whether the same once more may end better: after a signal, and after what lies outside of what was asked."""
    from autommlab.common.errors import AutoMMLabError
    from autommlab.common.stopping import stopped

    return stopped() is not None or not isinstance(error, AutoMMLabError) or error.may_pass


def command_line() -> str:
    """What was typed, for a result that says how to repeat it."""
    import shlex

    return "autommlab " + shlex.join(sys.argv[1:])


def searchers_named(text: str) -> tuple[str, ...]:
    """Searchers with commas.

    Raises:
        RequestError: none, or no such searcher.
    """
    from autommlab.common.errors import RequestError, unknown
    from searchers import names, today

    asked = tuple(dict.fromkeys(map(today, names_with_commas(text))))
    if not asked:
        raise RequestError(f"--searchers names none; choose among {', '.join(names())}")
    for name in asked:
        if name not in names():
            raise RequestError(unknown("searcher", name, names()))
    return asked


def say(text: str, *, error: bool = False) -> None:
    """Print a line for a person: what a terminal would obey is shown as text, and commands can be typed."""
    print(terminal(typed_here(text)), file=sys.stderr if error else sys.stdout, flush=True)


def print_table(table: Table, *, error: bool = False) -> None:
    """As wide as the terminal; elsewhere as wide as the table, instead of broken at 80 columns.

    A cell that is a string is text, whatever stands in it; one with colours is a `rich.text.Text`.
    """
    from rich.console import Console

    for column in table.columns:
        column._cells[:] = [rich_text(cell) if isinstance(cell, str) else cell for cell in column._cells]
    console = Console(stderr=error)
    (console if console.is_terminal else Console(width=_WIDTH_OF_A_LOG, stderr=error)).print(table)


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
        typer.echo(f"{question}\nYour answer: ", nl=False, err=True)
        return sys.stdin.readline().strip()

    return ask


def grouped_command(headings: Mapping[str, Sequence[str]]) -> type[TyperCommand]:
    """A command whose `--help` shows its options under headings, in plain text.

    Args:
        headings: heading -> names of parameters, in the order of the page; those not named come last.
    """
    heading_of = {name: heading for heading, names in headings.items() for name in names}

    class GroupedCommand(TyperCommand):
        def format_options(self, ctx: Any, formatter: Any) -> None:
            groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*headings, "Help")}
            for parameter in self.get_params(ctx):
                record = parameter.get_help_record(ctx)
                if record is not None:
                    groups[heading_of.get(parameter.name or "", "Help")].append(record)
            for heading, records in groups.items():
                with formatter.section(heading):
                    formatter.write_dl(records)

    return GroupedCommand
