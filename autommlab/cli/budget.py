"""The options of a run's own budget, and `autommlab profiles`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autommlab.cli.shared import print_table

if TYPE_CHECKING:
    from rich.table import Table

    from autommlab.common.errors import AutoMMLabError
    from autommlab.settings import Profile

BudgetOption = Annotated[
    Path | None,
    typer.Option("--budget", help="YAML file with a budget of your own over the profile; see `autommlab profiles`."),
]
InputSizeOption = Annotated[
    str | None,
    typer.Option("--input-size", help="Pixels of training and inference: N or WxH. [default: the profile's]"),
]
ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--images", help="Most training pictures, or all; validation and test in proportion. [default: the profile's]"
    ),
]
IterationsOption = Annotated[
    str | None, typer.Option("--iterations", help="Steps of a trial: LOW..HIGH or one number. [default: the profile's]")
]
BatchOption = Annotated[
    str | None, typer.Option("--batch", help="Pictures a step: LOW..HIGH or one number. [default: the profile's]")
]
CfgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cfg-options", help="KEY=VALUE in the toolbox's config, as model.head.loss.loss_weight=0.5; repeatable."
    ),
]
SearcherOption = Annotated[
    list[str] | None,
    typer.Option(
        "--searcher-option",
        help="NAME=VALUE of the searcher, as llm_first=3; repeatable. `autommlab searchers` lists them.",
    ),
]


def with_budget_file(given: dict[str, Any]) -> list[AutoMMLabError]:
    """Put what `--budget` names into the fields of `RunOptions`, in place.

    Args:
        given: under "budget_file" the path, if one was named; then the file's content.

    Returns:
        What is wrong with the file; it is left out then.
    """
    from autommlab.budget import read_budget
    from autommlab.common.errors import RequestError

    path = given.pop("budget_file", None)
    if path is None:
        return []
    try:
        given["budget_file"] = read_budget(path.expanduser().resolve())
    except RequestError as error:
        return [error]
    return []


def profiles(
    which: Annotated[
        list[str] | None,
        typer.Argument(help="Profiles, or YAML files as for --budget. [default: all profiles]", show_default=False),
    ] = None,
    profile: Annotated[str, typer.Option(help="Profile that a file's budget changes.")] = "laptop",
    as_yaml: Annotated[bool, typer.Option("--yaml", help="One of them as a file to change, for --budget.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show the budget profiles, and what a file of your own makes of one."""
    from autommlab import settings
    from autommlab.budget import yaml_text
    from autommlab.common.errors import RequestError

    base = settings.profile(profile)
    found = [_named(name, base) for name in which or settings.PROFILES]
    if as_yaml:
        if len(found) != 1:
            raise RequestError(f"--yaml takes one profile, as in: autommlab profiles {base.name} --yaml > budget.yaml")
        print(yaml_text(found[0]), end="")
    elif as_json:
        print("[" + ",\n".join(each.model_dump_json() for each in found) + "]")
    else:
        print_table(_limits(found))
        print_table(_bounds(found))


def _named(name: str, base: Profile) -> Profile:
    """A built-in profile, or that of a file over `base`.

    Raises:
        RequestError: neither.
    """
    from autommlab import settings
    from autommlab.budget import read_budget

    if name not in settings.PROFILES and (Path(name).suffix or Path(name).exists()):
        return read_budget(Path(name).expanduser().resolve()).over(base)
    return settings.profile(name)


def _limits(found: list[Profile]) -> Table:
    from rich.table import Table

    table = Table("profile", "minutes", "trials", "CPUs a trial", "GPUs a trial", "model up to", "preferred")
    for each in found:
        most = f"{each.max_params_m:g} M parameters, {each.max_flops_g:g} GFLOPs"
        preferred = "the lightest" if each.prefer_light else "the cheapest of the best"
        cpus, gpus = f"{each.cpus_per_trial:g}", f"{each.gpus_per_trial:g}"
        minutes = "no limit" if each.minutes is None else f"{each.minutes:g}"
        table.add_row(each.name, minutes, str(each.trials), cpus, gpus, most, preferred)
    return table


def _bounds(found: list[Profile]) -> Table:
    from rich.table import Table

    from autommlab.budget import images_text, range_text, size_text

    table = Table("profile", "task", "input size", "images (train, val, test)", "iterations", "batch", "validations")
    for each in found:
        for task, budget in each.tasks.items():
            table.add_row(
                each.name,
                task.value,
                size_text(budget.input_size),
                images_text(budget.images).replace(",", ", "),
                range_text(budget.iterations),
                range_text(budget.batch_size),
                str(budget.reports),
            )
    return table
