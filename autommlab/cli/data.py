"""`autommlab data`: register, list, look at and check data sets."""

from __future__ import annotations

import contextlib
import json
import random
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from autommlab.cli.shared import say
from autommlab.common.errors import DataError, unknown
from autommlab.common.escaping import rich_text
from autommlab.tasks import Task

if TYPE_CHECKING:
    from autommlab.data.counts import Counts
    from autommlab.data.records import DatasetSpec, LoadedDataset, Problem

data_app = typer.Typer(help="Data sets: the embedded ones and your own.", no_args_is_help=True)

_SHOWN_PROBLEMS = 50
_PREVIEW_CLASSES = 6
_WIDEST = 10_000

_Row = TypeVar("_Row")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Classes = Annotated[list[str] | None, typer.Option("--class", help="Only this class; may be repeated.")]
Name = Annotated[str, typer.Argument(help="A data set's name, or a folder, a .zip or a URI.")]


@data_app.command()
def add(
    path: Annotated[
        str, typer.Argument(help="The data set's top folder, a .zip of it, or its URI (s3://BUCKET/PATH ...).")
    ],
    name: Annotated[str | None, typer.Option(help="How requests call it. Default: the folder's name.")] = None,
    task: Annotated[Task | None, typer.Option(help="Needed only where the folder serves several.")] = None,
    layout: Annotated[str | None, typer.Option(help="Needed only where the folder fits several.")] = None,
) -> None:
    """Register a folder or .zip of your own; its layout is recognised and its classes are read."""
    from autommlab.data import registry

    with _busy(f"reading {path}"):
        spec = registry.add_dataset(path, name, task, layout)
    told = rich_text(f": {spec.task}, layout {spec.layout}, {_listed(spec.classes)}")
    Console().print(rich_text(spec.name, "bold") + told, soft_wrap=True)
    say(f"Next: autommlab data check {shlex.quote(spec.name)}")


@data_app.command(name="list")
def list_sets(
    task: Annotated[Task | None, typer.Option(help="Only sets of this task.")] = None, as_json: Json = False
) -> None:
    """List the known data sets."""
    from autommlab.data import registry

    specs = registry.all_specs(task)
    if as_json:
        _print_json([spec.model_dump(mode="json") | {"found": _found(spec)} for spec in specs])
        return
    table = Table("name", "task", "classes", "layout", "folder")
    for spec in specs:
        place = (spec.layout, str(spec.root) + ("" if _found(spec) else "  (not there)"))
        layout, folder = ("embedded", "") if spec.embedded else place
        table.add_row(rich_text(spec.name), spec.task, str(len(spec.classes)), layout, rich_text(folder))
    _print_whole(table)


@data_app.command()
def show(name: Name, class_: Classes = None, as_json: Json = False) -> None:
    """Show a data set's classes with their counts in each split.

    For an embedded set: the images it draws for each class; with --class these are drawn and counted.
    """
    from autommlab.data import counts, registry

    spec, problems = registry.find_dataset(name), 0
    if spec.embedded and not class_:
        counted = counts.planned(spec)
    else:
        with _busy(f"reading {name}"):
            dataset = registry.load_dataset(spec, class_)
            counted = counts.count_samples(dataset)
        spec, problems = dataset.spec, len(dataset.unreadable) + counted.unreadable_masks
    rows = _only(counted.per_class, class_)
    if as_json:
        content = spec.model_dump(mode="json") | asdict(counted)
        _print_json(content | {"per_class": rows, "problems": problems})
        return
    Console().print(rich_text(spec.name, "bold") + rich_text(f"  {spec.task}, {spec.layout}"))
    licence = f"licence: {spec.licence}" if spec.licence else ""
    for text in filter(None, (spec.description, licence, str(spec.root))):
        say(text)
    planned = spec.embedded and not class_
    counts_instances = spec.task in {Task.DETECTION, Task.KEYPOINT} and not planned
    _print_whole(_counts_table(counted, rows, "instances" if counts_instances else "images"))
    if problems:
        say(f"{problems} problem(s) while reading. See: autommlab data check {shlex.quote(name)}")


@data_app.command()
def preview(
    name: Name,
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    split: Annotated[str | None, typer.Option(help="Only this split: train, val or test.")] = None,
    class_: Classes = None,
    count: Annotated[int, typer.Option(min=1, max=400, help="Images on the sheet.")] = 24,
    seed: Annotated[int, typer.Option(help="Another seed, another choice of images.")] = 0,
) -> None:
    """Draw a contact sheet with boxes, masks or keypoints.

    An embedded set of many classes shows a few of them, unless --class names others.
    """
    from autommlab.data import registry
    from autommlab.data.preview import contact_sheet

    with _busy(f"drawing {name}"):
        spec = registry.find_dataset(name)
        drawn = class_ or (_few(spec, seed) if spec.embedded else None)
        contact_sheet(registry.load_dataset(spec, drawn), out, drawn, split, count, seed)
    say(f"wrote {out}")


@data_app.command()
def check(name: Name, class_: Classes = None, as_json: Json = False) -> None:
    """Look for broken images and annotations; exit code 3 if there are errors.

    --class spares an embedded set the drawing of its other classes; of your own set all is looked at.
    """
    from autommlab.data import registry
    from autommlab.data.check import check_dataset

    with _busy(f"checking {name}"):
        dataset = registry.load_dataset(registry.find_dataset(name), class_, allow_empty=True)
        _only(dict.fromkeys(dataset.classes), class_)
        problems = check_dataset(dataset)
    if as_json:
        _print_json([asdict(problem) for problem in problems])
    else:
        _print_problems(dataset, problems)
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(DataError.exit_code)


@data_app.command()
def export(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="New folder to write.")],
    form: Annotated[
        Literal["coco", "yolo"], typer.Option("--format", help="YOLO has no crowds and no masks of pixels.")
    ] = "coco",
) -> None:
    """Write a set of boxes, masks or keypoints as COCO or YOLO; pictures are copied."""
    from autommlab.data import registry
    from autommlab.data.export import export_dataset

    with _busy(f"writing {folder}"):
        dataset = registry.load_dataset(registry.find_dataset(name))
        done = export_dataset(dataset, folder.expanduser(), form)
    say(f"wrote {done.images} pictures with {done.objects} objects to {folder}")
    for note in done.notes:
        say(f"note: {note}")


@data_app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a set you added.")]) -> None:
    """Forget a data set of your own; its files stay."""
    from autommlab.data import registry

    spec = registry.remove_dataset(name)
    say(f"forgot {spec.name}; its files stay in {spec.root}")


@contextlib.contextmanager
def _busy(text: str) -> Iterator[None]:
    """What is done, on the error stream, so that output stays clean: a spinner, or a line now and then in a log."""
    from autommlab.data.at_work import telling

    console = Console(stderr=True)
    with console.status(rich_text(f"{text} ...")) as status:
        spinning = console.is_terminal

        def tell(words: str) -> None:
            if spinning:
                status.update(rich_text(f"{text}: {words} ..."))
            else:
                console.print(rich_text(f"{text}: {words}"), soft_wrap=True)

        with telling(tell):
            yield


def _found(spec: DatasetSpec) -> bool:
    return spec.embedded or spec.root.is_dir()


def _listed(classes: Sequence[str], most: int = 10) -> str:
    more = f" and {len(classes) - most} more" if len(classes) > most else ""
    return f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}: {', '.join(classes[:most])}{more}"


def _print_json(content: object) -> None:
    # Not through rich, which would wrap long lines.
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1))


def _print_whole(table: Table) -> None:
    """Print a table at the width of its content where the terminal has less: a name that is cut cannot be copied."""
    console = Console()
    needed = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    Console(width=max(console.width, needed)).print(table, crop=False)


def _only(per_class: dict[str, _Row], wanted: list[str] | None) -> dict[str, _Row]:
    """The rows of the wanted classes; all without any.

    Raises:
        DataError: a class that the set lacks.
    """
    for name in wanted or ():
        if name not in per_class:
            raise DataError(unknown("class", name, list(per_class)))
    return {name: tally for name, tally in per_class.items() if not wanted or name in wanted}


def _few(spec: DatasetSpec, seed: int) -> list[str]:
    """Some classes of an embedded set; drawing a class takes seconds, and some sets have a hundred."""
    from autommlab.data.draw import is_background

    names = [name for name in spec.classes if not is_background(name)]
    rng = random.Random(seed)  # noqa: S311 - draws classes of a preview, not secrets
    return rng.sample(names, min(len(names), _PREVIEW_CLASSES))


def _counts_table(counted: Counts, rows: dict[str, dict[str, int]], unit: str) -> Table:
    from autommlab.data.records import SPLITS

    splits = [split for split in (*SPLITS, "") if split in counted.images]
    table = Table(f"class ({unit})", *(split or "unsplit" for split in splits), "all")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, tally in rows.items():
        table.add_row(rich_text(name), *(str(tally.get(s, 0)) for s in splits), str(sum(tally.values())))
    table.add_section()
    totals = [str(counted.images[split]) for split in splits]
    table.add_row("all images", *totals, str(sum(counted.images.values())), style="bold")
    return table


def _print_problems(dataset: LoadedDataset, problems: list[Problem]) -> None:
    console = Console()
    total = len(dataset.samples)
    if not problems:
        say(f"{dataset.spec.name}: {total} images, no problem found")
        return
    for problem in problems[:_SHOWN_PROBLEMS]:
        colour = "red" if problem.severity == "error" else "yellow"
        console.print(
            rich_text(problem.severity, colour) + rich_text(f" {problem.kind}: {problem.where}"), soft_wrap=True
        )
        say(f"    {problem.what}\n    do this: {problem.remedy}")
    if len(problems) > _SHOWN_PROBLEMS:
        say(f"and {len(problems) - _SHOWN_PROBLEMS} more; --json prints all")
    severities = Counter(problem.severity for problem in problems)
    kinds = ", ".join(f"{n} {kind}" for kind, n in Counter(p.kind for p in problems).most_common())
    say(
        f"{dataset.spec.name}: {total} usable images, {severities['error']} error(s), "
        f"{severities['warning']} warning(s): {kinds}"
    )
