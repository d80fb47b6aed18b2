"""`autommlab profiles`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import print_table

if TYPE_CHECKING:
    from rich.table import Table

    from autommlab.settings import Profile


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
