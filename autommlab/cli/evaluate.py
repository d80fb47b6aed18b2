"""`autommlab evaluate BUNDLE --data NAME`: what a finished bundle gets right and wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.analysis.limits import MOST_PICTURES

if TYPE_CHECKING:
    from autommlab.report.analysis_rows import Table


def evaluate_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle, or of its run.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Option(help="Annotated pictures: a data set's name or folder. [default: those of the bundle's run]"),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="train, val, test or all. [default: test, else val, else all]")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Most pictures, spread evenly over the split.")] = MOST_PICTURES,
    out: Annotated[Path, typer.Option(help="Folder for analysis.json and evaluation.html.")] = Path("evaluation"),
    as_json: Annotated[bool, typer.Option("--json", help="Print analysis.json.")] = False,
) -> None:
    """Judge a bundle on annotated pictures: figures by class, what is confused, calibration, the worst mistakes."""
    from autommlab.cli.shared import say
    from autommlab.report import analysis_rows
    from autommlab.report.evaluation import evaluate

    done = evaluate(bundle, out, data=data, split=split, images=images)
    if as_json:
        typer.echo(done.found.model_dump_json(indent=1))
        return
    found = done.found
    say(f"{found.pictures} {found.split} pictures: {analysis_rows.figures_line(found)}")
    for note in found.notes:
        say(note)
    for table, of in (
        (analysis_rows.class_table(found), "class"),
        (analysis_rows.point_table(found.points), "keypoint"),
    ):
        if table is not None:
            _print(table, of)
    for one in found.mistakes(3):
        say(f"{one.path}: {one.mistake}")
    say(f"Record: {done.record}\nPage with the mistakes as pictures: {done.page}")


def _print(table: Table, of: str) -> None:
    from rich.table import Table as Drawn

    from autommlab.cli.shared import print_table

    drawn = Drawn(of, *table.head)
    for name, count, _, cells in table.rows:
        drawn.add_row(name, count, *cells)
    print_table(drawn)
