"""`autommlab models`: what the zoo holds, and which model a written name means."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from autommlab.tasks import Task

models_app = typer.Typer(no_args_is_help=True, help="The model zoo.")

TaskOption = Annotated[Task | None, typer.Option("--task", help="Only models of this task.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@models_app.command("list")
def list_models(task: TaskOption = None, as_json: JsonOption = False) -> None:
    """List the models of the zoo with their figures."""
    from autommlab.models import zoo

    entries = zoo.entries(task)
    if as_json:
        _print_json([entry.model_dump(mode="json") for entry in entries])
        return
    table = _table(f"{len(entries)} models", "title", "name", "task")
    for entry in entries:
        table.add_row(entry.title, entry.name, entry.task, *_figures(entry.model_dump()))
    _console().print(table)


@models_app.command("find")
def find_model(
    name: Annotated[str, typer.Argument(help='A name as people write it: "resnet 50", "YOLOX-s".')],
    task: Annotated[Task, typer.Option("--task", help="The task that the model is for.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most matches shown.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show the models that a written name means, best match first."""
    from autommlab.models import names

    matches = names.find_models(name, task, limit)
    if as_json:
        _print_json([{**match.entry.model_dump(mode="json"), "similarity": match.similarity} for match in matches])
        return
    table = _table(f"{name!r} among {task} models", "title", "name", "similarity")
    for match in matches:
        table.add_row(
            match.entry.title, match.entry.name, f"{match.similarity:.2f}", *_figures(match.entry.model_dump())
        )
    _console().print(table)


@models_app.command("refresh")
def refresh(
    count: Annotated[
        bool, typer.Option("--count", help="Also build every model to count parameters and FLOPs: about 20 minutes.")
    ] = False,
) -> None:
    """Make the zoo's table again from the installed toolboxes."""
    from autommlab.models import zoo
    from autommlab.models.counting import count_all, write_counted
    from autommlab.models.index import build_table

    console = _console()
    before = {(entry.task, entry.name): entry for entry in zoo.read_table()} if zoo.ZOO_FILE.is_file() else {}
    if count:
        table = build_table()
        failed: list[str] = []
        write_counted(count_all(table, lambda entry, reason: failed.append(f"{entry.name}: {reason}")))
        console.print(f"{len(table) - len(failed)} models counted; {len(failed)} keep the figures of their index")
    table = zoo.regenerate()
    zoo.write_table(table)
    after = {(entry.task, entry.name): entry for entry in table}
    for task in Task:
        changed = sum(before.get(key) != after.get(key) for key in before.keys() | after.keys() if key[0] is task)
        console.print(f"{task}: {sum(key[0] is task for key in after)} models, {changed} changed")


def _console() -> Console:
    """Made when a command runs, so that it writes to the standard output of that moment."""
    return Console()


def _print_json(value: list[dict[str, Any]]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for column in (*columns, "M params", "GFLOPs", "input", "score", "weights"):
        table.add_column(column, overflow="fold")
    return table


def _figures(entry: dict[str, Any]) -> tuple[str, ...]:
    """The cells that follow the name; "-" where nothing is known."""
    size = entry["input_size"]
    weights = entry["packaged"] or ("url" if entry["weights_url"] else "-")
    return (
        _number(entry["params_m"]),
        _number(entry["flops_g"]),
        f"{size[0]}x{size[1]}" if size else "-",
        "-" if entry["score"] is None else f"{entry['score']:.3f} {entry['score_metric']} {entry['score_dataset']}",
        weights,
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
