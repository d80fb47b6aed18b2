"""`autommlab bench registered`: the comparison whose tasks and questions `docs/registered.md` fixes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import command_line, count_or_names, going_on, names_with_commas, print_table

if TYPE_CHECKING:
    from rich.table import Table

    from training_data_gen.benchmarks.registered.bench import BenchTask
    from training_data_gen.benchmarks.registered.records import RegisteredResult
    from training_data_gen.benchmarks.registered.studies import Track

RESULT_FILE = "registered-{}.json"


def bench_registered(
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path(
        "runs/registered"
    ),
    track: Annotated[str, typer.Option(help="trials (equal numbers of trials) or seconds (equal time).")] = "trials",
    budget: Annotated[
        int, typer.Option(min=1, help="Trials of a study; by seconds, how many times a default training's.")
    ] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds.")] = 1,
    arms: Annotated[str, typer.Option(help="core, all, no-llm, or names with commas.")] = "core",
    tasks: Annotated[
        str, typer.Option(help="Names with commas, or how many from the start of the list. [default: all 40]")
    ] = "",
    data_root: Annotated[
        Path | None,
        typer.Option(help="Folder of the sets of photos. [default: AUTOMMLAB_REGISTERED_DATA, else ../shared/data]"),
    ] = None,
    try_on: Annotated[
        str,
        typer.Option(help="Development tasks, names with commas, instead of the registered ones: to try all this."),
    ] = "",
    hours: Annotated[float | None, typer.Option(min=0.01, help="Begin no study after so many hours.")] = None,
    known: Annotated[str, typer.Option(help="Folders that --pack wrote, with commas: nothing of it is repeated.")] = "",
    pack: Annotated[
        Path | None, typer.Option(help="Folder that gets trainings, answers and studies at the end, also when stopped.")
    ] = None,
    analyse: Annotated[bool, typer.Option("--analyse", help="Train nothing: tables of --known and --out.")] = False,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster. [default: RAY_ADDRESS, else a private Ray here]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """The registered comparison of searchers: tables, answers, critical-difference diagrams."""
    from autommlab.progress.display import Display
    from autommlab.progress.events import Events
    from training_data_gen.benchmarks.registered.arms import chosen_arms
    from training_data_gen.benchmarks.registered.bench import (
        STUDIES_FILE,
        RegisteredOptions,
        pack_all,
        read_known,
        read_studies,
        run_registered,
    )

    folder = out.expanduser().resolve()
    options = RegisteredOptions(track=_track(track), budget=budget, seeds=seeds, hours=hours)
    done = read_known([Path(name).expanduser() for name in names_with_commas(known)])
    events = Events() if as_json else Events(Display())
    asked, missing = (_development(try_on, folder), {}) if try_on else _registered(tasks, folder, data_root)
    if not analyse:
        for why in dict.fromkeys(missing.values()):
            names = ", ".join(name for name, reason in missing.items() if reason == why)
            events.emit("warning", "training", f"left out: {names}: {why}")
    failed: dict[str, str] = {}
    if analyse:
        own = read_studies(folder / STUDIES_FILE) if (folder / STUDIES_FILE).exists() else []
        studies = list({study.key: study for study in (*done.studies, *own)}.values())
    else:
        try:
            with going_on():
                studies, failed = run_registered(
                    asked, chosen_arms(arms), options, folder, events, address=address, known=done
                )
        finally:  # what a benchmark that is stopped has done is worth as much
            if pack is not None and folder.is_dir():
                pack_all(folder, pack.expanduser(), done)
    from training_data_gen.benchmarks.registered.questions import result_of

    studied = {study.task for study in studies}  # perhaps on another machine
    missing = {name: why for name, why in missing.items() if name not in studied}
    result = result_of(studies, options.track, command=command_line(), missing=missing, failed=failed)
    _show(result, folder, as_json)


def _track(text: str) -> Track:
    from autommlab.common.errors import RequestError

    if text not in ("trials", "seconds"):
        raise RequestError(f"--track {text}: it is trials or seconds")
    return "trials" if text == "trials" else "seconds"


def _registered(text: str, folder: Path, data_root: Path | None) -> tuple[list[BenchTask], dict[str, str]]:
    """The tasks that can be had here, and why the others cannot.

    Raises:
        RequestError: no such task.
    """
    from functools import partial

    from autommlab.common.errors import RequestError, unknown
    from training_data_gen.benchmarks.registered.bench import BenchTask
    from training_data_gen.benchmarks.registered.tasks import TASKS, data_folder, make_pictures
    from training_data_gen.benchmarks.registered.tasks import missing as missing_task

    names = [task.id for task in TASKS]
    asked = count_or_names(text, "--tasks")
    wanted = names[:asked] if asked is None or isinstance(asked, int) else asked
    for name in wanted:
        if name not in names:
            raise RequestError(unknown("registered task", name, names))
    data, found, missing = data_folder(data_root), [], {}
    for task in TASKS:
        if task.id not in wanted:
            continue
        if why := missing_task(task, data):
            missing[task.id] = why
            continue
        pictures = folder / "pictures" / task.id
        make = partial(make_pictures, task, pictures, data)
        found.append(BenchTask(task.id, task.planned(pictures), make))
    return found, missing


def _development(text: str, folder: Path) -> list[BenchTask]:
    from autommlab.common.errors import RequestError, unknown
    from training_data_gen.benchmarks.registered.bench import BenchTask
    from training_data_gen.trials.plan import plan_bags

    known = {bag.id: bag for bag in plan_bags() if bag.held_out}
    for name in names_with_commas(text):
        if name not in known:
            raise RequestError(unknown("development task", name, list(known)))
    return [BenchTask(name, known[name], lambda: None) for name in names_with_commas(text)]


def _show(result: RegisteredResult, folder: Path, as_json: bool) -> None:
    from autommlab.common.files import storage_errors, write_text
    from training_data_gen.benchmarks.diagram import draw_ranking

    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stored = write_text(folder / RESULT_FILE.format(result.track), result.model_dump_json(indent=1))
    for ranking in result.rankings:
        title = f"mean rank on TEST after {ranking.after}, {ranking.tasks} tasks"
        draw_ranking(ranking, stored.with_name(f"{stored.stem}-{ranking.after}.png"), title=title)
    if as_json:
        print(result.model_dump_json())
        return
    for table in result_tables(result):
        print_table(table)
    print(f"{stored} holds every figure{'; diagrams lie beside it' if result.rankings else ''}.")


def result_tables(result: RegisteredResult) -> Sequence[Table]:
    """Arms by budget, and the answers to the registered questions."""
    from rich.table import Table

    arms = Table("after", "arm", "test", "95 %", "gap closed", "rank", "train s", "LLM s", "fallbacks",
                 title=f"{sum(result.tasks.values())} tasks, {result.seeds} seed(s) or more")  # fmt: skip
    for line in result.lines:
        arms.add_row(
            str(line.after), line.arm, f"{line.test.mean:.3f}", f"{line.test.low:.3f} to {line.test.high:.3f}",
            f"{line.gap.mean:+.3f}" if line.gap else "", f"{line.rank:.2f}", f"{line.seconds:.0f}",
            f"{line.llm_seconds:.0f}", f"{line.fallbacks:.0%}",
        )  # fmt: skip
    asked = Table("question", "after", "difference on test", "95 %", "95 % by source", "p (Holm)",
                  "tasks better, equal, worse", "holds?")  # fmt: skip
    for answer in result.answers:
        found, by_source = answer.difference, answer.by_source
        asked.add_row(
            f"{answer.one} better than {answer.other}?", str(answer.after), f"{found.mean:+.3f}" if found else "",
            f"{found.low:+.3f} to {found.high:+.3f}" if found else "",
            f"{by_source.low:+.3f} to {by_source.high:+.3f}" if by_source else "",
            f"{answer.adjusted:.3f}" if answer.adjusted is not None else "",
            f"{answer.better}, {answer.equal}, {answer.worse}" if found else "", answer.verdict,
        )  # fmt: skip
    return [arms, asked] if result.answers else [arms]


if __name__ == "__main__":
    typer.run(bench_registered)
