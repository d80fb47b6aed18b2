"""The HPO benchmark: every searcher on every held-out bag, real trials, equal budgets, paired seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import filelock

from autommlab.cluster import ray_session
from autommlab.errors import ResumeError, StorageError
from autommlab.events import Events
from autommlab.files import storage_errors, write_text
from autommlab.llm_service import service_for
from autommlab.models.recipe import default_recipe
from autommlab.pipeline import StudyInputs
from autommlab.race.records import Lap
from autommlab.race.run_race import LAP_FILE, lap_folder, race_result, run_lap
from autommlab.training.space import search_space
from autommlab.training.study import StudyOptions
from training_data_gen.benchmarks.hpo_earlier import take_over
from training_data_gen.benchmarks.hpo_records import HpoBenchOptions, HpoBenchResult
from training_data_gen.benchmarks.hpo_summary import summed_up
from training_data_gen.triplets.plan import make_plan
from training_data_gen.triplets.planned import PlannedBag
from training_data_gen.triplets.prepare import prepare

OPTIONS_FILE, RESULT_FILE = "bench-hpo-options.json", "bench-hpo.json"


class _Lap(NamedTuple):
    """One study of the benchmark."""

    seed: int
    bag: PlannedBag
    searcher: str


def held_out_bags(options: HpoBenchOptions) -> list[PlannedBag]:
    """The plan's held-out bags of the asked-for tasks, a user's own sets among them, task by task in turn."""
    found = [bag for bag in make_plan(options.tasks, datasets=options.datasets) if bag.held_out]
    if options.bags is None:
        return found
    counted = {task: [bag.id for bag in found if bag.task is task][: options.bags] for task in options.tasks}
    return [bag for bag in found if bag.id in counted[bag.task]]


def run_hpo_bench(
    options: HpoBenchOptions,
    out: Path,
    events: Events,
    *,
    address: str | None,
    command: str,
    earlier: HpoBenchResult | None = None,
) -> HpoBenchResult:
    """Run what is missing of the benchmark in `out`; `bench-hpo.json` is kept up to date.

    Args:
        options: bags, searchers and budget.
        out: folder; a folder for each bag, and in it one for each study.
        events: who is told.
        address: of a running Ray cluster, see `cluster.ray_session`.
        command: what a reader would type to repeat it.
        earlier: a benchmark of the same budget whose studies are not run again.

    Raises:
        StorageError: the folder cannot be written, or another process works there.
        ResumeError: the folder holds studies with another budget.
        AutoMMLabError: data, model, service or a study fails; finished studies stay.
    """
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(out / ".lock", timeout=0):
            require_equal_budgets(options, out)
            if earlier is not None:
                taken = take_over(earlier, options, out)
                events.emit("note", "training", f"{taken} studies of {earlier.date} are taken over")
            return _run(options, out, events, address, command)
    except filelock.Timeout as error:
        raise StorageError(f"{out} is in use by another process; wait for it or choose another --out") from error


def require_equal_budgets(options: HpoBenchOptions, out: Path) -> None:
    """Note the options in `out` for a later call.

    Raises:
        ResumeError: its studies were begun with another number of trials, and would be compared as equals.
    """
    file = out / OPTIONS_FILE
    if file.exists():
        before = HpoBenchOptions.model_validate_json(file.read_bytes()).trials
        if before != options.trials:
            raise ResumeError(
                f"{out} holds studies of {before} trials each, now asked: {options.trials}. "
                f"Give --trials {before}, or use another --out"
            )
    write_text(file, options.model_dump_json(indent=1))


def _run(options: HpoBenchOptions, out: Path, events: Events, address: str | None, command: str) -> HpoBenchResult:
    bags = held_out_bags(options)
    work = list(_order(options, bags))
    inputs: dict[str, StudyInputs] = {}
    laps: dict[str, list[Lap]] = {bag.id: [] for bag in bags}
    missing = {
        lap.searcher for lap in work if not (lap_folder(out / lap.bag.id, lap.searcher, lap.seed) / LAP_FILE).exists()
    }
    service = service_for(missing, tell=lambda words: events.emit("progress", "training", words))
    with ray_session(address) if missing else contextlib.nullcontext():
        for number, (seed, bag, searcher) in enumerate(work, start=1):
            if bag.id not in inputs:
                inputs[bag.id] = _inputs(bag, options, out / bag.id)
            title = f"study {number} of {len(work)}: {bag.id}, {searcher}, seed {seed}"
            done = run_lap(inputs[bag.id], searcher, seed, out / bag.id, events, service=service, title=title)
            laps[bag.id].append(done)
            if searcher == options.searchers[-1]:  # all searchers have this seed of this bag
                _result(options, inputs, laps, out, command)
    return _result(options, inputs, laps, out, command)


def _order(options: HpoBenchOptions, bags: Sequence[PlannedBag]) -> Iterator[_Lap]:
    """Seed by seed and bag by bag, so that an interrupted benchmark is still a paired one."""
    for seed in range(options.seeds):
        for bag in bags:
            for searcher in options.searchers:
                yield _Lap(seed, bag, searcher)


def _inputs(bag: PlannedBag, options: HpoBenchOptions, folder: Path) -> StudyInputs:
    setup, space = prepare(bag, folder), search_space(bag.budget())
    study = StudyOptions(
        searcher=options.searchers[0],
        trials=options.trials,
        max_concurrent=options.concurrent,
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=options.gpus_per_trial,
    )
    return StudyInputs(setup, space, study, default_recipe(setup.choice.entry, space=space))


def _result(
    options: HpoBenchOptions, inputs: dict[str, StudyInputs], laps: dict[str, list[Lap]], out: Path, command: str
) -> HpoBenchResult:
    races = {
        bag: race_result(inputs[bag], own, options.searchers, options.seeds, command)
        for bag, own in laps.items()
        if own
    }
    result = summed_up(options, races, command)
    write_text(out / RESULT_FILE, result.model_dump_json(indent=1))
    return result
