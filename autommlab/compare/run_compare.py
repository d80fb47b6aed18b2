"""Running a comparison: one plan, then one study per searcher and seed, each resumable and never run twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from autommlab.cluster import ray_session
from autommlab.common import provenance as machine
from autommlab.common.errors import ResumeError
from autommlab.common.files import write_text
from autommlab.compare.records import (
    OPTIONS_FILE,
    RESULT_FILE,
    SUMMARY_FILE,
    CompareOptions,
    Comparison,
    StudySummary,
)
from autommlab.compare.standings import standings
from autommlab.llm_service import service_for, start_ahead
from autommlab.pipeline.selection import plan_in, study_inputs
from autommlab.planning.studies import StudyInputs
from autommlab.progress.events import EventLog, Events
from autommlab.storage.run_folder import RunFolder, read_record
from autommlab.tasks import Task
from autommlab.training.objective import Objective
from autommlab.training.records import StudyResult
from autommlab.training.study import run_study
from searchers import own_options
from serve.client import ServiceClient


def run_compare(options: CompareOptions, out: Path, events: Events, *, address: str | None, command: str) -> Comparison:
    """Run what is missing of the comparison in `out`, then write `comparison.json`.

    A comparison that is there already may be given more searchers or seeds; everything else must be equal.

    Args:
        options: what to compare.
        out: folder of the comparison.
        events: who is told.
        address: of a running Ray cluster, see `cluster.ray_session`.
        command: what a reader would type to repeat it.

    Raises:
        AutoMMLabError: as `pipeline.run_pipeline` and `run_study` do; finished studies stay.
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
            studies = []
            for number, (seed, searcher) in enumerate(_order(options), start=1):
                title = f"study {number} of {total}: {searcher}, seed {seed}"
                studies.append(run_one(inputs, searcher, seed, out, events, service=service, title=title))
        result = comparison_of(inputs, studies, options.searchers, options.seeds, command)
        write_text(out / RESULT_FILE, result.model_dump_json(indent=1))
        return result
    finally:
        folder.close()


def run_one(
    inputs: StudyInputs,
    searcher: str,
    seed: int,
    out: Path,
    events: Events,
    *,
    service: ServiceClient | None,
    title: str,
) -> StudySummary:
    """One study, or what is stored of it if it is finished. Ray must be connected.

    Args:
        inputs: data, model, space and budget; its own searcher and seed do not count.
        searcher, seed: of this study.
        out: folder of the comparison.
        events: who is told.
        service: the LLM service, for searchers that ask one.
        title: said before it starts.
    """
    folder = study_folder(out, searcher, seed)
    stored = folder / SUMMARY_FILE
    if stored.exists():
        return read_record(stored, StudySummary)
    events.emit("note", "training", title)
    result = run_study(
        inputs.setup.model_copy(update={"seed": seed}),
        inputs.space,
        inputs.options.model_copy(
            update={"searcher": searcher, "searcher_options": own_options(searcher, inputs.options.searcher_options)}
        ),
        folder=folder,
        events=events,
        default_configuration=inputs.default_configuration,
        service=service,
    )
    done = study_summary(searcher, seed, result)
    write_text(stored, done.model_dump_json(indent=1))
    return done


def study_folder(out: Path, searcher: str, seed: int) -> Path:
    """Of one study of the comparison in `out`."""
    return out / "studies" / searcher / f"seed-{seed}"


def study_summary(searcher: str, seed: int, result: StudyResult) -> StudySummary:
    """What a comparison keeps of a finished result."""
    return StudySummary(
        searcher=searcher,
        seed=seed,
        scores=tuple(trial.score for trial in result.trials),
        statuses=tuple(trial.status for trial in result.trials),
        proposed_by=dict(Counter(trial.proposed_by for trial in result.trials)),
        test=result.test_metrics[result.objective],
        seconds=result.seconds,
        llm_seconds=result.llm.seconds,
        llm_tokens=result.llm.prompt_tokens + result.llm.tokens,
    )


def _order(options: CompareOptions) -> Iterator[tuple[int, str]]:
    """Seed by seed, so that an interrupted comparison is still a paired one."""
    for seed in range(options.seeds):
        for searcher in options.searchers:
            yield seed, searcher


def _continue(file: Path, options: CompareOptions) -> int:
    """Note the options for a later call; how many studies the comparison has.

    Raises:
        ResumeError: the comparison in the folder has searchers or seeds that this call leaves out.
    """
    if file.exists():
        before = read_record(file, CompareOptions)
        lost = [name for name in before.searchers if name not in options.searchers]
        if lost or options.seeds < before.seeds:
            raise ResumeError(
                f"{file.parent} holds a comparison of {', '.join(before.searchers)} with {before.seeds} seeds, not: "
                f"{', '.join(options.searchers)} with {options.seeds}. Name at least those, or use another --out"
            )
    write_text(file, options.model_dump_json(indent=1))
    return len(options.searchers) * options.seeds


def comparison_of(
    inputs: StudyInputs, studies: Sequence[StudySummary], searchers: Sequence[str], seeds: int, command: str
) -> Comparison:
    """What a comparison keeps, from its finished studies."""
    bag = inputs.setup.bag
    title, objective = inputs.setup.choice.entry.title, inputs.setup.objective
    compared_on = ComparedOn(bag.task, ", ".join(bag.datasets), bag.classes, title, objective)
    return comparison_record(compared_on, inputs.options.trials, studies, searchers, seeds, command)


class ComparedOn(NamedTuple):
    """What all searchers of a comparison had before them: task, data set, classes, and the model's title.

    `objective` is None where it is the task's default.
    """

    task: Task
    dataset: str
    classes: Sequence[str]
    model: str
    objective: Objective | None = None


def comparison_record(
    compared_on: ComparedOn,
    trials: int,
    studies: Sequence[StudySummary],
    searchers: Sequence[str],
    seeds: int,
    command: str,
) -> Comparison:
    """A comparison's record as of today on this machine."""
    objective = compared_on.objective or Objective(compared_on.task)
    return Comparison(
        task=compared_on.task,
        objective=objective.name,
        score_name=objective.score_name,
        data=f"{compared_on.dataset} ({', '.join(compared_on.classes)})",
        model=compared_on.model,
        trials=trials,
        seeds=seeds,
        studies=tuple(studies),
        standings=standings(studies, searchers, trials),
        **machine.circumstances(command),
    )
