"""`autommlab compare`: searchers compared on the same data and model, under equal budgets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from autommlab.cli import run_options as option
from autommlab.cli.shared import command_line, going_on, print_table, searchers_named


def compare(
    context: typer.Context,
    request: Annotated[str, typer.Argument(help="What you want, in plain words.", show_default=False)] = "",
    searchers: Annotated[
        str, typer.Option(help="Names with commas; the others are tested against the first.")
    ] = "random,default,tpe,tpe+default",
    searcher_option: option.SearcherOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds; 5 or more for a claim, 8 if trials are cheap.")] = 5,
    trials: Annotated[int | None, typer.Option(help="Trials of each study. [default: the profile's]")] = None,
    parse: Annotated[Path | None, typer.Option(help="JSON file with the finished parse of the request.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set (name or folder) instead of the request's.")] = None,
    model: Annotated[str | None, typer.Option(help="Model instead of the request's.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Pretrained weights, a .pth file.")] = None,
    cfg_options: option.CfgOptions = None,
    profile: Annotated[str, typer.Option(help="Budget: laptop, gpu or cluster.")] = "laptop",
    budget: option.Budget = None,
    input_size: option.InputSize = None,
    images: option.Images = None,
    iterations: option.Iterations = None,
    batch: option.Batch = None,
    scheduler: Annotated[str, typer.Option(help="Who stops hopeless trials: none, asha or median.")] = "none",
    concurrent: Annotated[int, typer.Option(help="Trials at once; 0 = as many as fit.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path("runs/compare"),
    address: Annotated[
        str | None, typer.Option(help="Ray cluster. [default: RAY_ADDRESS, else a private Ray here]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare searchers with equal budgets and paired seeds: a table, comparison.json and comparison.png."""
    from autommlab.api.arguments import named_options, options_of
    from autommlab.api.option_check import check_options
    from autommlab.compare.records import RESULT_FILE, CompareOptions
    from autommlab.compare.run_compare import run_compare
    from autommlab.compare.show import PLOT_FILE, comparison_table, draw_comparison
    from autommlab.progress.display import Display
    from autommlab.progress.events import Events

    asked = searchers_named(searchers)
    given, problems = named_options(request, _arguments(context.params))
    run = options_of(given)
    options = CompareOptions(run=run, searchers=asked, seeds=seeds)
    command = command_line()
    events = Events() if as_json else Events(Display())
    check_options(run, address, problems, asked)
    with going_on():
        result = run_compare(options, out.resolve(), events, address=address, command=command)
    plot = draw_comparison(result, out / PLOT_FILE)
    if as_json:
        print(result.model_dump_json())
        return
    print_table(comparison_table(result))
    print(f"{out / RESULT_FILE} holds every figure, {plot} the curves.")
    if seeds < 5:
        print(f"{seeds} seeds are too few for a claim: published rankings flipped between 3 and 8.")


def _arguments(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What all runs of a comparison have in common."""
    own = {"searchers", "seeds", "out"}
    return option.arguments_of({name: value for name, value in parameters.items() if name not in own})
