"""Running a race: one plan, then one study per searcher and seed, each resumable and never run twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from autommlab.cluster import ray_session
from autommlab.common import provenance as machine
from autommlab.common.errors import ResumeError
from autommlab.common.files import write_text
from autommlab.compare.records import Lap, RaceOptions, RaceResult
from autommlab.compare.standings import standings
from autommlab.llm_service import service_for, start_ahead
from autommlab.pipeline import StudyInputs, plan_in, study_inputs
from autommlab.progress.events import EventLog, Events
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task, objective
from autommlab.training.records import StudyResult
from autommlab.training.study import run_study
from serve.client import ServiceClient

OPTIONS_FILE, RESULT_FILE, LAP_FILE = "race-options.json", "race.json", "lap.json"


def run_race(options: RaceOptions, out: Path, events: Events, *, address: str | None, command: str) -> RaceResult:
    """Run what is missing of the race in `out`, then write `race.json`.

    A race that is there already may be given more searchers or seeds; everything else must be equal.

    Args:
        options: what to compare.
        out: folder of the race.
        events: who is told.
        address: of a running Ray cluster, see `cluster.ray_session`.
        command: what a reader would type to repeat it.

    Raises:
        AutoMMLabError: as `pipeline.run` and `run_study` do; finished studies stay.
    """
    folder = RunFolder(out)
    folder.open(options.run)
    events.add(EventLog(folder.events))
    try:
        total = _continue(out / OPTIONS_FILE, options)
        start_ahead(options.searchers, lambda words: events.emit("note", "understanding", words))
        plan = plan_in(folder, options.run, events)
        inputs = study_inputs(options.run, plan)
        service = service_for(options.searchers, tell=lambda words: events.emit("progress", "training", words))
        with ray_session(address):
            laps = []
            for number, (seed, searcher) in enumerate(_order(options), start=1):
                title = f"study {number} of {total}: {searcher}, seed {seed}"
                laps.append(run_lap(inputs, searcher, seed, out, events, service=service, title=title))
        result = race_result(inputs, laps, options.searchers, options.seeds, command)
        write_text(out / RESULT_FILE, result.model_dump_json(indent=1))
        return result
    finally:
        folder.close()


def run_lap(
    inputs: StudyInputs,
    searcher: str,
    seed: int,
    out: Path,
    events: Events,
    *,
    service: ServiceClient | None,
    title: str,
) -> Lap:
    """One study, or what is stored of it if it is finished. Ray must be connected.

    Args:
        inputs: data, model, space and budget; its own searcher and seed do not count.
        searcher, seed: of this study.
        out: folder of the race.
        events: who is told.
        service: the LLM service, for searchers that ask one.
        title: said before it starts.
    """
    folder = lap_folder(out, searcher, seed)
    stored = folder / LAP_FILE
    if stored.exists():
        return Lap.model_validate_json(stored.read_bytes())
    events.emit("note", "training", title)
    study = run_study(
        inputs.setup.model_copy(update={"seed": seed}),
        inputs.space,
        inputs.options.model_copy(update={"searcher": searcher}),
        folder=folder,
        events=events,
        default_point=inputs.default_point,
        service=service,
    )
    done = lap(searcher, seed, study)
    write_text(stored, done.model_dump_json(indent=1))
    return done


def lap_folder(out: Path, searcher: str, seed: int) -> Path:
    """Of one study of the race in `out`."""
    return out / "studies" / searcher / f"seed-{seed}"


def lap(searcher: str, seed: int, study: StudyResult) -> Lap:
    """What a race keeps of a finished study."""
    return Lap(
        searcher=searcher,
        seed=seed,
        scores=tuple(trial.score for trial in study.trials),
        statuses=tuple(trial.status for trial in study.trials),
        proposed_by=dict(Counter(trial.proposed_by for trial in study.trials)),
        test=study.test_metrics[study.objective],
        seconds=study.seconds,
        llm_seconds=study.llm.seconds,
        llm_tokens=study.llm.prompt_tokens + study.llm.tokens,
    )


def _order(options: RaceOptions) -> Iterator[tuple[int, str]]:
    """Seed by seed, so that an interrupted race is still a paired one."""
    for seed in range(options.seeds):
        for searcher in options.searchers:
            yield seed, searcher


def _continue(file: Path, options: RaceOptions) -> int:
    """Note the options for a later call; how many studies the race has.

    Raises:
        ResumeError: the race in the folder has searchers or seeds that this call leaves out.
    """
    if file.exists():
        before = RaceOptions.model_validate_json(file.read_bytes())
        lost = [name for name in before.searchers if name not in options.searchers]
        if lost or options.seeds < before.seeds:
            raise ResumeError(
                f"{file.parent} holds a race of {', '.join(before.searchers)} with {before.seeds} seeds, now asked: "
                f"{', '.join(options.searchers)} with {options.seeds}. Name at least those, or use another --out"
            )
    write_text(file, options.model_dump_json(indent=1))
    return len(options.searchers) * options.seeds


def race_result(
    inputs: StudyInputs, laps: Sequence[Lap], searchers: Sequence[str], seeds: int, command: str
) -> RaceResult:
    """What a race keeps, from its finished laps."""
    bag = inputs.setup.bag
    raced = Raced(bag.task, ", ".join(bag.datasets), bag.classes, inputs.setup.choice.entry.title)
    return summed_up(raced, inputs.options.trials, laps, searchers, seeds, command)


class Raced(NamedTuple):
    """What all searchers of a race had before them: task, data set, classes, and the model's title."""

    task: Task
    dataset: str
    classes: Sequence[str]
    model: str


def summed_up(
    raced: Raced, trials: int, laps: Sequence[Lap], searchers: Sequence[str], seeds: int, command: str
) -> RaceResult:
    """A race's record as of today on this machine."""
    return RaceResult(
        task=raced.task,
        objective=objective(raced.task).name,
        data=f"{raced.dataset} ({', '.join(raced.classes)})",
        model=raced.model,
        trials=trials,
        seeds=seeds,
        laps=tuple(laps),
        standings=standings(laps, searchers, trials),
        **machine.circumstances(command),
    )
