"""`autommlab bench hpo`: all searchers on held-out tasks, which no adapter has learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import (
    command_line,
    count_or_names,
    counts_with_commas,
    going_on,
    names_with_commas,
    print_table,
    searchers_named,
    tasks_named,
)
from autommlab.common.provenance import shown_from

if TYPE_CHECKING:
    from autommlab.compare.across_records import HpoBenchOptions, HpoBenchResult


def bench_hpo(
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path("runs/bench-hpo"),
    searchers: Annotated[
        str,
        typer.Option(
            help="Names with commas, here also hpo-llama-likely (no transfer surrogate), hpo-llama-untuned; "
            "zero-shot:3 gives it 3 trials only. [default: eleven, from default to bandit]",
            show_default=False,
        ),
    ] = "",
    trials: Annotated[int, typer.Option(min=1, help="Trials of each study.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds; 5 or more for a claim.")] = 5,
    datasets: Annotated[
        str,
        typer.Option(help="Most held-out tasks of each task, or names with commas. [default: all]", show_default=False),
    ] = "",
    tasks: Annotated[str, typer.Option(help="Names with commas. [default: all four]", show_default=False)] = "",
    data: Annotated[str, typer.Option(help="Your own sets to add, registered names with commas.")] = "",
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Train nothing: read proposals off these trials (file or folder), dense tables if they hold them, "
            "else a surrogate. For developing searchers, not for claims."
        ),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(help="Trainings of an earlier benchmark (trainings.jsonl, also .gz) that are not repeated."),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(help="Answers of the LLM in an earlier benchmark (answers.jsonl, also .gz), not asked for again."),
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option(
            help="Folder that gets all trainings and answers at the end, also of a benchmark that is stopped, "
            "for the next --known and --answers."
        ),
    ] = None,
    join: Annotated[
        str,
        typer.Option(
            help="Only put these bench-hpo.json of different tasks or searchers (with commas) together, into --out."
        ),
    ] = "",
    plot: Annotated[Path | None, typer.Option(help="Only draw this bench-hpo.json again, as table and plot.")] = None,
    concurrent: Annotated[
        int, typer.Option(min=1, help="Trials of a study side by side; several studies run at once in any case.")
    ] = 1,
    cpus_per_trial: Annotated[float, typer.Option(min=0, help="CPU cores of a trial.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="GPUs of a trial, may be fractional.")] = 0,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster. [default: RAY_ADDRESS, else a private Ray here]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Searchers compared on held-out tasks: real trials, equal budgets, paired seeds; table, JSON and plot."""
    from autommlab.compare.across_records import SEARCHERS, HpoBenchOptions
    from autommlab.compare.across_show import read_hpo_bench
    from autommlab.progress.display import Display
    from autommlab.progress.events import Events
    from training_data_gen.benchmarks.ablations import register_ablations
    from training_data_gen.benchmarks.hpo import RESULT_FILE, run_hpo_bench
    from training_data_gen.benchmarks.hpo import pack as packed
    from training_data_gen.benchmarks.replay import RESULT_FILE as REPLAY_FILE
    from training_data_gen.benchmarks.response_cache import read_answers
    from training_data_gen.trials.store import read_trials

    if plot is not None:
        with shown_from(plot, command="autommlab bench hpo"):
            _show(read_hpo_bench(plot), plot, as_json)
        return
    folder = out.expanduser().resolve()
    command = command_line()
    if join:
        _join(names_with_commas(join), folder, command, as_json)
        return
    register_ablations()
    names, budgets = _with_budgets(searchers)
    options = HpoBenchOptions(
        tasks=tasks_named(tasks),
        datasets=names_with_commas(data),
        bags=count_or_names(datasets, "--datasets"),
        searchers=names or SEARCHERS,
        trials=trials,
        budgets=budgets,
        seeds=seeds,
        concurrent=concurrent,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
    )
    if replay is not None:
        result, stored_in = _replayed(options, replay, folder, command), REPLAY_FILE
    else:
        events = Events() if as_json else Events(Display())
        trainings = read_trials(known.expanduser()) if known is not None else []
        heard = read_answers(answers.expanduser()) if answers is not None else []
        try:
            with going_on():
                result = run_hpo_bench(
                    options, folder, events, address=address, command=command, known=trainings, answers=heard
                )
        finally:  # what a benchmark that is stopped has done is worth as much
            if pack is not None and folder.is_dir():
                packed(folder, pack.expanduser(), known=trainings, answers=heard)
        stored_in = RESULT_FILE
    _show(result, folder / stored_in, as_json)


def _with_budgets(text: str) -> tuple[tuple[str, ...], dict[str, int]]:
    """Searchers, and the smaller budgets behind some of their names.

    Raises:
        RequestError: no such searcher, or a budget that is no number of trials.
    """
    from autommlab.common.errors import RequestError

    budgets = {}
    for entry in names_with_commas(text):
        name, colon, count = entry.partition(":")
        if colon:
            try:
                budgets[name] = counts_with_commas(count)[0]
            except RequestError as error:
                raise RequestError(f"--searchers {name}: behind the colon goes a number of trials; {error}") from error
    plain = ",".join(entry.partition(":")[0] for entry in names_with_commas(text))
    return (searchers_named(plain) if text else ()), budgets


def _join(files: tuple[str, ...], folder: Path, command: str, as_json: bool) -> None:
    from autommlab.common.files import storage_errors, write_text
    from autommlab.compare.across_show import read_hpo_bench
    from autommlab.compare.across_tasks import joined
    from training_data_gen.benchmarks.hpo import RESULT_FILE

    with shown_from(*map(Path, files), command="autommlab bench hpo"):
        result = joined([read_hpo_bench(Path(file).expanduser()) for file in files], command)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _show(result, write_text(folder / RESULT_FILE, result.model_dump_json(indent=1)), as_json)


def _show(result: HpoBenchResult, stored: Path, as_json: bool) -> None:
    """Draw the plot beside the result's file, and print the result."""
    from autommlab.compare.across_show import contrast_table, draw_hpo_bench, hpo_bench_table

    drawn = draw_hpo_bench(result, stored.with_suffix(".png"))
    if as_json:
        print(result.model_dump_json())
        return
    print_table(hpo_bench_table(result))
    if result.contrasts:
        print_table(contrast_table(result))
    print(f"{stored} holds every figure, {drawn} the curves.")


def _replayed(options: HpoBenchOptions, source: Path, folder: Path, command: str) -> HpoBenchResult:
    import sys

    from autommlab.llm_service import service_for
    from training_data_gen.benchmarks.replay import run_replay
    from training_data_gen.trials.store import read_trials

    def tell(words: str) -> None:
        print(words, file=sys.stderr)

    recorded = read_trials(source.expanduser())
    service = service_for(set(options.searchers), tell=tell)
    return run_replay(options, recorded, folder, service=service, command=command, tell=tell)
