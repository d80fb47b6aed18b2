"""`autommlab bench ru`: how well requests are understood, against parses labelled by hand.

The one place of this package that looks at `training_data_gen`: the command line joins all packages.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from autommlab import settings
from autommlab.cli.shared import command_line
from autommlab.common import provenance as machine
from autommlab.common.errors import RequestError
from autommlab.tasks import Task

if TYPE_CHECKING:
    from training_data_gen.benchmarks.parse_score import ParseReport, ParseVerdict, Row, Share
    from training_data_gen.benchmarks.request_sets import LabelledRequest

_INSTEAD = "score parses that exist with --in FILE, as `autommlab understand --out` writes them"
_SHORT = {Task.CLASSIFICATION: "cls", Task.DETECTION: "det", Task.SEGMENTATION: "seg", Task.KEYPOINT: "kpt"}


class _Asked(NamedTuple):
    """Whom to ask, and how."""

    url: str | None
    model: str | None
    zero_shot: bool
    concurrent: int


def bench_ru(
    in_: Annotated[
        Path | None,
        typer.Option("--in", help="Score these parses, as `understand --out` writes them. (Default: ask the service.)"),
    ] = None,
    set_: Annotated[
        str, typer.Option("--set", help="test, test2, dev, or a file of lines with id, task, request and parse.")
    ] = "test",
    out: Annotated[
        Path | None, typer.Option(help="File for the service's parses; the same command again goes on with it.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="LLM service. (Default: the running one, else it is started.)")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help='Adapter or base model to ask. (Default: the adapter "ru", else the base model.)')
    ] = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="Show a base model none of the five examples of its prompt.")
    ] = False,
    concurrent: Annotated[
        int, typer.Option(min=1, max=256, help="Requests at once.")
    ] = settings.UNDERSTANDING_CONCURRENT,
    show: Annotated[Path | None, typer.Option(help="Only show this result of --json again.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Worst examples shown.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures and the worst examples as JSON.")] = False,
) -> None:
    """Requests understood, per task and field: shares right in percent with 95 % intervals."""
    from training_data_gen.benchmarks.parse_score import judge_all, parse_report, worst
    from training_data_gen.benchmarks.request_sets import read_predictions, read_set

    if show is not None:
        _show_again(show)
        return
    if in_ is not None and (out is not None or url is not None or model is not None or zero_shot):
        raise RequestError(
            "--in scores parses that exist; --out, --url, --model and --zero-shot are for asking the service"
        )
    labelled = read_set(set_)
    with contextlib.ExitStack() as stack:
        parses = in_ or stack.enter_context(_parses(labelled, out, _Asked(url, model, zero_shot, concurrent)))
        verdicts = judge_all(labelled, read_predictions(parses))
    result, shown = parse_report(verdicts), worst(verdicts, examples)
    if as_json:
        figures = {"set": set_, **machine.circumstances(command_line()), **result.model_dump(mode="json")}
        typer.echo(json.dumps({**figures, "worst": [verdict.model_dump(mode="json") for verdict in shown]}, indent=1))
        return
    _show_table(result, set_)
    for verdict in shown:
        _show_verdict(verdict)


def _show_again(file: Path) -> None:
    from training_data_gen.benchmarks.parse_score import ParseReport

    class Stored(ParseReport):
        set: str

    stored = machine.read_stored(Stored, file, "autommlab bench ru --json")
    with machine.shown_from(file, command="autommlab bench ru --json"):
        _show_table(stored, stored.set)


@contextlib.contextmanager
def _parses(labelled: tuple[LabelledRequest, ...], out: Path | None, asked: _Asked) -> Iterator[Path]:
    """A file with what the service makes of the requests; a temporary one unless `out` names one."""
    from rich.console import Console

    from autommlab.llm_service import connect, service_errors
    from autommlab.understanding.batch import Line, done_ids, understand_lines
    from autommlab.understanding.llm import Understander

    with tempfile.TemporaryDirectory(prefix="autommlab-bench-") as temporary:
        target = out or Path(temporary) / "parses.jsonl"
        done_ids(target)  # a file that is none of ours should not start a service
        lines = [Line(example.id, example.request) for example in labelled]
        with Console(stderr=True).status("looking for the LLM service") as status, service_errors(_INSTEAD):
            understander = Understander(
                connect(asked.url, tell=status.update), asked.model, examples=not asked.zero_shot
            )
            if asked.zero_shot and understander.tuned:
                raise RequestError(
                    f"--zero-shot is for a base model; the adapter {understander.model!r} is shown no examples anyway. "
                    "Name the base model with --model, or leave --zero-shot out"
                )
            typer.echo(f"{understander.model} answers", err=True)
            for state in understand_lines(lines, target, understander, concurrent=asked.concurrent):
                status.update(f"{state.parsed + state.errors + state.skipped} of {len(lines)}")
        yield target


def _show_table(result: ParseReport, name: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    tasks = list(result.valid.tasks)
    table = Table(title=f"{result.requests} requests of {name}, % right", box=box.SIMPLE_HEAD)
    table.add_column("")
    for header in (*(_SHORT[task] for task in tasks), "all", "95 %", "stated"):
        table.add_column(header, justify="right", no_wrap=True)

    def add(label: str, row: Row, *, last: bool = False) -> None:
        cells = (_percent(row.tasks[task]) for task in tasks)
        stated = "" if row.stated is None else f"{row.stated.right}/{row.stated.of}"
        low, high = row.all.interval
        interval = f"{low * 100:.1f}-{high * 100:.1f}"
        table.add_row(label, *cells, _percent(row.all), interval, stated, end_section=last)

    for level, row in result.levels.items():
        add(f"{level} level", row, last=level == "request")
    for field, row in result.fields.items():
        add(field, row, last=field == list(result.fields)[-1])
    for field, row in result.beside.items():
        add(f"({field})", row)
    add("valid parse", result.valid)
    console = Console()
    console.print(table)
    console.print(
        '"stated": right among the requests that say something about the field. In brackets: counted at no level.'
    )


def _percent(share: Share) -> str:
    return "-" if share.share is None else f"{share.share * 100:.1f}"


def _show_verdict(verdict: ParseVerdict) -> None:
    typer.echo(f"\n{verdict.id}: {verdict.request}")
    if verdict.error:
        typer.echo(f"  no parse: {verdict.error}")
        return
    for mistake in verdict.mistakes:
        typer.echo(f"  {mistake.field}: {mistake.got} instead of {mistake.expected}")
