"""`autommlab bench e2e`: sentences in, deployed models out, two points each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab import settings
from autommlab.cli.run_options import SearcherOption
from autommlab.cli.shared import command_line, going_on, print_table, searchers_named
from autommlab.common.provenance import shown_from

if TYPE_CHECKING:
    from rich.table import Table

    from training_data_gen.benchmarks.e2e import EndToEnd, EndToEndResult


def bench_e2e(
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path("runs/bench-e2e"),
    set_: Annotated[
        str, typer.Option("--set", help="e2e, or a file of lines with id, task, request and parse.")
    ] = "e2e",
    searcher: Annotated[str, typer.Option(help="Who proposes hyperparameters in every run.")] = "tpe+default",
    searcher_option: SearcherOption = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials of each run. [default: the profile's]")] = None,
    profile: Annotated[str, typer.Option(help="Budget: laptop, gpu or cluster.")] = "laptop",
    seed: Annotated[int, typer.Option(min=0, max=settings.LARGEST_SEED, help="Of every run.")] = settings.DEFAULT_SEED,
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Give the labels as parses: what stages 2 to 5 are worth alone.")
    ] = False,
    show: Annotated[Path | None, typer.Option(help="Only show this bench-e2e.json again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Requests to deployed models: a point for the parse, a point for the asked-for metric on test."""
    from autommlab.options import RunOptions
    from autommlab.progress.display import Display
    from autommlab.progress.events import Events
    from searchers import read_options
    from training_data_gen.benchmarks.e2e import RESULT_FILE, read_end_to_end, run_e2e
    from training_data_gen.benchmarks.request_sets import read_set

    if show is not None:
        with shown_from(show, command="autommlab bench e2e"):
            _print(read_end_to_end(show.expanduser()), show, as_json)
        return
    examples = read_set(set_)
    (named,), own = searchers_named(searcher), tuple(searcher_option or ())
    read_options(named, own)
    folder = out.expanduser().resolve()
    with going_on():
        result = run_e2e(
            examples,
            RunOptions(
                searcher=named,
                searcher_options=own,
                trials=trials or settings.profile(profile).trials,
                profile=profile,
                seed=seed,
            ),
            folder,
            Events() if as_json else Events(Display()),
            labelled=labelled,
            command=command_line(),
        )
    _print(result, folder / RESULT_FILE, as_json)


def _print(result: EndToEndResult, stored: Path, as_json: bool) -> None:
    if as_json:
        print(result.model_dump_json())
        return
    print_table(_table(result))
    print(f"{result.points} of {2 * len(result.rows)} points; {stored} holds every figure.")


def _table(result: EndToEndResult) -> Table:
    from rich.table import Table

    drawn = Table(title=f"{len(result.rows)} requests, {result.options.searcher}", show_lines=True)
    for name in ("request", "understood", "metrics of the label", "points"):
        drawn.add_column(name, justify="right" if name == "points" else "left")
    for row in result.rows:
        understood = "given" if result.labelled else "right" if row.understood else _mistakes(row)
        drawn.add_row(f"{row.id}: {row.request}", understood, _measured(row), str(row.points))
    return drawn


def _mistakes(row: EndToEnd) -> str:
    return "\n".join(f"{one.field}: {one.got} instead of {one.expected}" for one in row.mistakes)


def _measured(row: EndToEnd) -> str:
    if row.problem:
        return row.problem
    marks = {True: "met", False: "missed", None: "not measured"}
    lines = [f"{check.name} {check.wanted}: {check.got}, {marks[check.holds]}" for check in row.checks]
    if row.classes and not row.right_classes:  # results of before it was asked name no classes
        lines.insert(0, f"knows other things: {', '.join(row.classes)}")
    return "\n".join(lines)
