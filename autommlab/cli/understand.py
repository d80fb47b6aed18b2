"""`autommlab understand`: what the LLM makes of a request, of one or of a whole file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab import settings
from autommlab.common.errors import RequestError

if TYPE_CHECKING:
    from autommlab.understanding.batch import BatchOutcome


def understand_command(
    request: Annotated[str, typer.Argument(help="What you want, in plain words.", show_default=False)] = "",
    in_: Annotated[
        Path | None, typer.Option("--in", help='Many at once: file with lines {"id", "request"}.', show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help='File for lines {"id", "parse"}; ids that it has are skipped.', show_default=False),
    ] = None,
    url: Annotated[str | None, typer.Option(help="LLM service. [default: the running one, else it is started]")] = None,
    concurrent: Annotated[
        int, typer.Option(min=1, max=256, help="Requests of a file at once.")
    ] = settings.UNDERSTANDING_CONCURRENT,
    as_json: Annotated[bool, typer.Option("--json", help="The parse as JSON on standard output.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with an error where something of the request stays uncertain.")
    ] = False,
) -> None:
    """Show how a request is understood, without building anything."""
    if (in_ is None) != (out is None):
        raise RequestError("--in and --out belong together: --in REQUESTS.jsonl --out PARSES.jsonl")
    if in_ is None or out is None:
        _one(request, url, as_json=as_json, strict=strict)
        return
    if strict:
        raise RequestError("--strict is for one request; the lines of --out have the doubts of each")
    if request:
        raise RequestError("give either a request or --in FILE, not both")
    if in_.resolve() == out.resolve():
        raise RequestError(f"--in and --out are the same file {in_}; parses need a file of their own")
    _many(in_, out, url, concurrent)


def _one(request: str, url: str | None, *, as_json: bool, strict: bool) -> None:
    from autommlab.cli.parse_table import show_parse
    from autommlab.cli.shared import asker, say
    from autommlab.understanding.said_back import said_back
    from autommlab.understanding.settle import settled
    from autommlab.understanding.understand import Lent, understand

    with _telling() as (tell, make_room):
        lent = Lent(
            ask=None if as_json else asker(make_room),
            tell=tell,
            meanwhile=_starting,
            show=lambda outcome: show_parse(outcome, make_room, error=True),
            strict=strict,
        )
        outcome = settled(understand(request, url=url, lent=lent), lent)
    for warning in outcome.warnings():
        typer.echo(f"warning: {warning}", err=True)
    if as_json:
        typer.echo(json.dumps(outcome.request.to_dict(), ensure_ascii=False, indent=1))
    else:
        show_parse(outcome)
        say(said_back(outcome.request))
        if outcome.effort is not None:
            typer.echo(outcome.effort.in_words(), err=True)


def _many(source: Path, target: Path, url: str | None, concurrent: int) -> None:
    from autommlab.llm_service import connect, service_errors
    from autommlab.understanding.batch import BatchOutcome, done_ids, read_requests, understand_lines
    from autommlab.understanding.llm import Understander

    lines = read_requests(source)
    done_ids(target)  # a file that is none of ours should not start a service
    outcome = BatchOutcome(0, 0, 0)
    with _telling() as (tell, _), service_errors():
        understander = Understander(connect(url, tell=tell, meanwhile=_starting))
        if not understander.tuned:
            typer.echo(
                f"warning: no adapter for understanding; the base model {understander.model!r} answers", err=True
            )
        for outcome in understand_lines(lines, target, understander, concurrent=concurrent):
            tell(f"{_count(outcome)} of {len(lines)}")
    typer.echo(
        f"{target}: {outcome.parsed} parses, {outcome.errors} errors, {outcome.skipped} were there before", err=True
    )


def _starting() -> None:
    from autommlab.llm_service import STARTING

    typer.echo(STARTING, err=True)


def _count(outcome: BatchOutcome) -> int:
    return outcome.parsed + outcome.errors + outcome.skipped


@contextlib.contextmanager
def _telling() -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """(who shows what is being done, who stops that); only a terminal shows it."""
    from rich.console import Console

    with Console(stderr=True).status("looking for the LLM service") as status:

        def tell(doing: str) -> None:
            status.update(doing)
            status.start()

        yield tell, status.stop
