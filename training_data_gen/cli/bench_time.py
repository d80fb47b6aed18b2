"""`autommlab bench time`: real photos in the time that a person gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import command_line, counts_with_commas, going_on, names_with_commas, print_table

if TYPE_CHECKING:
    from rich.table import Table

    from training_data_gen.benchmarks.photo_sets import PhotoSet
    from training_data_gen.benchmarks.timed import TimedResult, Way


def bench_time(
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path(
        "runs/bench-time"
    ),
    minutes: Annotated[str, typer.Option(help="Times of a run, with commas.")] = "5,20",
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds.")] = 3,
    sets: Annotated[
        str,
        typer.Option(
            help="Names with commas. [default: signdigits, bccd, nuclei, bees] clothing, boards, coffeeleaf and "
            "gluetubes are for trying changes out: their val part is the test, their own test is not read."
        ),
    ] = "",
    ways: Annotated[
        str,
        typer.Option(
            help="search (run as it is), alone (the default configuration for the same time), trials (six trials "
            "without a time), with commas."
        ),
    ] = "search,alone,trials",
    data_root: Annotated[
        Path | None,
        typer.Option(help="Folder of the sets of photos. [default: AUTOMMLAB_REGISTERED_DATA, else ../shared/data]"),
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0.01, help="Begin no run after so many hours.")] = None,
    known: Annotated[str, typer.Option(help="timed.json of other calls, with commas: nothing of it is repeated.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Sets of real photos in the time asked for: the search against the default configuration alone."""
    from autommlab.common.files import write_text
    from autommlab.common.provenance import circumstances, read_stored, shown_from
    from autommlab.llm_service import connect, service_errors
    from autommlab.progress.display import Display
    from autommlab.progress.events import Events
    from training_data_gen.benchmarks.registered.tasks import data_folder
    from training_data_gen.benchmarks.timed import RESULT_FILE, TimedResult, order, run_timed

    folder = out.expanduser().resolve()
    jobs = list(order(_sets_named(sets), counts_with_commas(minutes), seeds, _ways_named(ways)))
    files = [Path(name).expanduser() for name in names_with_commas(known)]
    done = [run for file in files for run in read_stored(TimedResult, file, "autommlab bench time").runs]
    events = Events() if as_json else Events(Display())
    with service_errors("no way: this benchmark reads its sentences"):
        connect(tell=lambda words: events.emit("progress", "understanding", words))
    with going_on():
        runs = run_timed(jobs, folder, data_folder(data_root), events, known=done, hours=hours)
    result = TimedResult(runs=tuple(runs), **circumstances(command_line()))
    stored = write_text(folder / RESULT_FILE, result.model_dump_json(indent=1))
    if as_json:
        print(result.model_dump_json())
        return
    with shown_from(*files, command="autommlab bench time"):
        print_table(_table(result))
    print(f"{stored} holds every figure.")


def _sets_named(text: str) -> Sequence[PhotoSet]:
    from autommlab.common.errors import RequestError, unknown
    from training_data_gen.benchmarks.photo_sets import MEASURED_SETS, PHOTO_SETS

    by_name = {one.name: one for one in PHOTO_SETS}
    asked = names_with_commas(text) or tuple(one.name for one in MEASURED_SETS)
    for name in asked:
        if name not in by_name:
            raise RequestError(unknown("set of photos", name, list(by_name)))
    return [by_name[name] for name in asked]


def _ways_named(text: str) -> Sequence[Way]:
    from autommlab.common.errors import RequestError, unknown
    from training_data_gen.benchmarks.timed import Way

    asked = names_with_commas(text)
    for name in asked:
        if name not in list(Way):
            raise RequestError(unknown("way", name, list(Way)))
    if Way.ALONE in asked and Way.SEARCH not in asked:
        raise RequestError(f"--ways {text}: {Way.ALONE} trains at the input size that {Way.SEARCH} plans; name both")
    if not asked:
        raise RequestError(f"--ways names none; choose among {', '.join(Way)}")
    return [Way(name) for name in asked]


def _table(result: TimedResult) -> Table:
    from rich.table import Table

    from training_data_gen.benchmarks.timed import mean_test

    drawn = Table("photos", "minutes", "wish", "search", "alone", "difference", "trials", "time missed by",
                  title="Mean over seeds on test")  # fmt: skip
    for line in result.lines():
        means = [mean_test(runs) for runs in (line.search, line.alone, line.trials)]
        search, alone, trials = ("" if mean is None else f"{mean:.3f}" for mean in means)
        differences = " ".join(f"{difference:+.3f}" for difference in line.differences)
        wish = f"{line.photos.figure} {line.photos.wish:g}"
        off = f"{line.most_off:+.0%}"
        drawn.add_row(line.photos.name, str(line.minutes), wish, search, alone, differences, trials, off)
    return drawn
