"""`autommlab bench hpo`: all searchers on bags that no adapter has learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import command_line, names_with_commas, print_table, searchers_named, tasks_named

if TYPE_CHECKING:
    from training_data_gen.benchmarks.hpo_records import HpoBenchOptions, HpoBenchResult


def bench_hpo(
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path("runs/bench-hpo"),
    searchers: Annotated[
        str, typer.Option(help="Names with commas. [default: ten, from default to portfolio]", show_default=False)
    ] = "",
    trials: Annotated[int, typer.Option(min=1, help="Trials of each study.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds; 5 or more for a claim.")] = 5,
    bags: Annotated[int | None, typer.Option(min=1, help="Most held-out bags of each task. [default: all]")] = None,
    tasks: Annotated[str, typer.Option(help="Names with commas. [default: all four]", show_default=False)] = "",
    data: Annotated[str, typer.Option(help="Your own sets to add, registered names with commas.")] = "",
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Train nothing: read proposals off these triplets (file or folder), dense tables if they hold them, "
            "else a surrogate. For developing searchers, not for claims."
        ),
    ] = None,
    go_on_from: Annotated[
        Path | None,
        typer.Option(help="A bench-hpo.json of another day or machine whose studies are not run again."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Only draw this bench-hpo.json again, as table and plot.")] = None,
    concurrent: Annotated[int, typer.Option(min=0, help="Trials at once; 0 = as many as fit.")] = 0,
    cpus_per_trial: Annotated[float, typer.Option(min=0, help="CPU cores of a trial.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="GPUs of a trial, may be fractional.")] = 0,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster. [default: RAY_ADDRESS, else a private Ray here]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Searchers compared on held-out bags: real trials, equal budgets, paired seeds; table, JSON and plot."""
    from autommlab.events import Events
    from autommlab.progress import Display
    from training_data_gen.benchmarks.hpo import RESULT_FILE, run_hpo_bench
    from training_data_gen.benchmarks.hpo_earlier import read_result
    from training_data_gen.benchmarks.hpo_records import SEARCHERS, HpoBenchOptions
    from training_data_gen.benchmarks.hpo_show import draw
    from training_data_gen.benchmarks.replay import RESULT_FILE as REPLAY_FILE

    if plot is not None:
        stored = read_result(plot, "--plot")
        _show(stored)
        print(draw(stored, plot.with_suffix(".png")))
        return
    options = HpoBenchOptions(
        tasks=tasks_named(tasks),
        datasets=names_with_commas(data),
        bags=bags,
        searchers=searchers_named(searchers) if searchers else SEARCHERS,
        trials=trials,
        seeds=seeds,
        concurrent=concurrent,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
    )
    folder = out.expanduser().resolve()
    command = command_line()
    if replay is not None:
        result, stored_in = _replayed(options, replay, folder, command), REPLAY_FILE
    else:
        events = Events() if as_json else Events(Display())
        earlier = None if go_on_from is None else read_result(go_on_from, "--go-on-from")
        result = run_hpo_bench(options, folder, events, address=address, command=command, earlier=earlier)
        stored_in = RESULT_FILE
    drawn = draw(result, (folder / stored_in).with_suffix(".png"))
    if as_json:
        print(result.model_dump_json())
        return
    _show(result)
    print(f"{folder / stored_in} holds every figure, {drawn} the curves.")


def _show(result: HpoBenchResult) -> None:
    from training_data_gen.benchmarks.hpo_show import contrast_table, table

    print_table(table(result))
    if result.contrasts:
        print_table(contrast_table(result))


def _replayed(options: HpoBenchOptions, source: Path, folder: Path, command: str) -> HpoBenchResult:
    import sys

    from autommlab.llm_service import service_for
    from training_data_gen.benchmarks.replay import run_replay
    from training_data_gen.triplets.store import read_triplets

    def tell(words: str) -> None:
        print(words, file=sys.stderr)

    triplets = read_triplets(source.expanduser())
    service = service_for(set(options.searchers), tell=tell)
    return run_replay(options, triplets, folder, service=service, command=command, tell=tell)
