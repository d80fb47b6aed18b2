"""`autommlab bench tabular`: searchers on look-up tables of others' trainings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import command_line, going_on, names_with_commas, print_table

if TYPE_CHECKING:
    from rich.table import Table

    from training_data_gen.benchmarks.tabular.results import TabularResult

RESULT_FILE = "tabular.json"


def bench_tabular(
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path("runs/tabular"),
    sets: Annotated[
        str, typer.Option(help="hpobench (8 datasets), hpolib (4), nasbench201 (3); with commas.")
    ] = "hpobench,hpolib",
    searchers: Annotated[
        str,
        typer.Option(
            help="Arms of `bench registered` and other searchers, with commas. [default: ten without an LLM]",
            show_default=False,
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds.")] = 30,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each study.")] = 50,
    hours: Annotated[float | None, typer.Option(min=0.01, help="Begin no study after so many hours.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that play studies. [default: as many as there are cores]")
    ] = None,
    known: Annotated[str, typer.Option(help="Folders that --pack wrote, with commas: nothing of it is repeated.")] = "",
    pack: Annotated[
        Path | None, typer.Option(help="Folder that gets studies and answers at the end, also when stopped.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Searchers on look-up tables of trainings, one dataset left out of what they learn from; needs no GPU."""
    from autommlab.common.errors import RequestError, unknown
    from autommlab.progress.display import Display
    from autommlab.progress.events import Events
    from training_data_gen.benchmarks.tabular.arms import chosen_arms
    from training_data_gen.benchmarks.tabular.bench import TabularOptions, pack_all, read_known, run_tabular
    from training_data_gen.benchmarks.tabular.results import result_of
    from training_data_gen.benchmarks.tabular.tables import SETS

    asked = names_with_commas(sets)
    if not asked:
        raise RequestError(f"--sets names none; choose among {', '.join(SETS)}")
    for name in asked:
        if name not in SETS:
            raise RequestError(unknown("set of tables", name, list(SETS)))
    folder = out.expanduser().resolve()
    arms = chosen_arms(names_with_commas(searchers))
    options = TabularOptions(sets=asked, seeds=seeds, trials=trials, hours=hours, workers=workers)
    done = read_known([Path(name).expanduser() for name in names_with_commas(known)])
    try:
        with going_on():
            studies = run_tabular(arms, options, folder, Events() if as_json else Events(Display()), known=done)
    finally:  # what a benchmark that is stopped has done is worth as much
        if pack is not None and folder.is_dir():
            pack_all(folder, pack.expanduser(), done)
    _show(result_of(studies, [arm.name for arm in arms], asked, command=command_line()), folder, as_json)


def _show(result: TabularResult, folder: Path, as_json: bool) -> None:
    from autommlab.common.files import write_text
    from training_data_gen.benchmarks.diagram import draw_ranking

    stored = write_text(folder / RESULT_FILE, result.model_dump_json(indent=1))
    for ranking in result.rankings:
        title = f"mean rank of regret after {ranking.after} trials, {ranking.tasks} datasets"
        draw_ranking(ranking, stored.with_name(f"{stored.stem}-{ranking.after}.png"), title=title)
    if as_json:
        print(result.model_dump_json())
        return
    print_table(result_table(result))
    print(f"{stored} holds every figure{'; diagrams lie beside it' if result.rankings else ''}.")


def result_table(result: TabularResult) -> Table:
    """Arms by set and trials."""
    from rich.table import Table

    title = f"{len(result.tasks)} datasets, {min(result.tasks.values(), default=0)} seed(s) or more"
    table = Table(
        "tables", "trials", "arm", "regret", "95 %", "of the median's", "rank", "different", "seconds", "LLM s",
        title=title,
    )  # fmt: skip
    for line in result.lines:
        table.add_row(
            line.set, str(line.after), line.arm, f"{line.regret.mean:.4f}",
            f"{line.regret.low:.4f} to {line.regret.high:.4f}", f"{line.relative.mean:.3f}", f"{line.rank:.2f}",
            f"{line.different:.0%}", f"{line.seconds:.1f}", f"{line.llm_seconds:.0f}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    typer.run(bench_tabular)
