"""Working off a plan: study after study on one Ray, each resumable, its trials appended when it is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.cluster import ray_session
from autommlab.common.errors import DataError, ModelError, TrainingError
from autommlab.common.files import exclusive, storage_errors, write_text
from autommlab.common.trial_status import is_scored
from autommlab.common.wording import duration
from autommlab.models.recipe import default_configuration
from autommlab.progress.events import Events
from autommlab.tasks import Task
from autommlab.training.ledger import TEST_FILE, Ledger, read_test
from autommlab.training.records import StudyResult
from autommlab.training.search_space import search_space
from autommlab.training.study import ALL_FOLDER, run_study
from autommlab.training.study_at_work import LEDGER_FILE
from autommlab.training.study_log import CHECKPOINT_FILE
from autommlab.training.study_options import StudyOptions
from autommlab.training.trainable import CONFIG_FILE
from searchers.registry import DEFAULT_SUFFIX
from searchers.space import Configuration, SearchSpace
from training_data_gen.trials.jobs import DONE_FILE, Job, JobDone, Pace, TrialsOptions, done, jobs, trained_elsewhere
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.prepare import prepare_trials
from training_data_gen.trials.quasi import near_configs, register_near, register_searcher
from training_data_gen.trials.records import RecordedTrial, recorded_trials
from training_data_gen.trials.store import TRIALS_FILE, TrialsFile

_STAGE = "recorded"
#: So many studies in a row that cannot run mean that the next one cannot either.
_PATIENCE = 3


class TrialsSummary(BaseModel):
    """Where a plan stands after a call.

    Attributes:
        studies_done, studies: finished ones, and all of the plan.
        recorded: lines of the file.
        failed: study -> why it could not run; tried again by the next call.
        out_of_time: the call ended because of its limit.
    """

    model_config = ConfigDict(frozen=True)

    file: Path
    studies_done: int
    studies: int
    recorded: int
    failed: dict[str, str] = {}
    out_of_time: bool = False
    seconds: float = 0.0


def run_trials(
    bags: Sequence[PlannedBag],
    options: TrialsOptions,
    out: Path,
    events: Events,
    *,
    address: str | None = None,
    known: Sequence[RecordedTrial] = (),
) -> TrialsSummary:
    """Train what is missing of a plan in `out`.

    Args:
        bags: of `plan.plan_bags`, in order.
        options: budget and resources.
        out: folder; gets `trials.jsonl` and a folder for each bag.
        events: who is told.
        address: of a running Ray cluster, see `cluster.ray_session`.
        known: trainings of another folder; studies that they hold whole are taken over instead of trained.

    Raises:
        StorageError: the folder cannot be written, or another process works there.
        ResumeError: a bag's folder holds another bag.
        AutoMMLabError: several studies in a row could not run; those finished stay.
    """
    with exclusive(out):
        work = _Work(bags, options, out, events)
        work.take_over(known)
        return work.run(address)


class _Work:
    def __init__(self, bags: Sequence[PlannedBag], options: TrialsOptions, out: Path, events: Events) -> None:
        self._options, self._out, self._events = options, out, events
        self._jobs = jobs(bags, options)
        self._file = TrialsFile(out / TRIALS_FILE)
        self._pace = Pace()
        self._failed: dict[str, str] = {}
        self._began = time.monotonic()

    def take_over(self, known: Sequence[RecordedTrial]) -> None:
        """Mark studies as done that are trained elsewhere, and keep their trials."""
        by_bag: dict[str, list[RecordedTrial]] = {}
        for trial in known:
            by_bag.setdefault(trial.planned, []).append(trial)
        for job in self._jobs:
            if done(job, self._out) is None and (taken := trained_elsewhere(job, by_bag.get(job.planned.id, []))):
                self._file.add(taken)
                folder = job.folder(self._out)
                with storage_errors(folder):
                    folder.mkdir(parents=True, exist_ok=True)
                write_text(folder / DONE_FILE, JobDone(trials=job.trials, trained=0, seconds=0.0).model_dump_json())

    def run(self, address: str | None) -> TrialsSummary:
        todo = []
        for job in self._jobs:
            finished = done(job, self._out)
            if finished is None:
                todo.append(job)
            else:
                self._pace.add(job.planned.task, finished)
        out_of_time = False
        if todo:
            with ray_session(address):
                out_of_time = self._work_off(todo)
        return TrialsSummary(
            file=self._out / TRIALS_FILE,
            studies_done=sum(done(job, self._out) is not None for job in self._jobs),
            studies=len(self._jobs),
            recorded=len(self._file),
            failed=self._failed,
            out_of_time=out_of_time,
            seconds=time.monotonic() - self._began,
        )

    def _work_off(self, todo: Sequence[Job]) -> bool:
        """Whether the time was up before the end."""
        in_a_row = 0
        for number, job in enumerate(todo):
            if self._too_late_for(job):
                return True
            self._announce(todo[number:])
            try:
                self._study(job)
                in_a_row = 0
            except (DataError, ModelError, TrainingError) as error:
                in_a_row += 1
                if in_a_row == _PATIENCE:
                    raise
                self._failed[str(job)] = str(error)
                self._events.emit("warning", _STAGE, f"{job} cannot run, on with the next: {error}")
        return False

    def _too_late_for(self, job: Job) -> bool:
        if self._options.hours is None:
            return False
        left = self._options.hours * 3600 - (time.monotonic() - self._began)
        return left < (self._pace.seconds([job]) or 0.0)

    def _announce(self, todo: Sequence[Job]) -> None:
        """Say what comes next, how far it is and how long the rest will take."""
        left = self._pace.seconds(todo)
        more = f", about {duration(left)} left" if left is not None else ""
        bag = todo[0].planned
        number = len(self._jobs) - len(todo) + 1
        what = f"{bag.model} on {bag.dataset} ({', '.join(bag.classes) or 'all classes'})"
        self._events.emit("stage-started", _STAGE, what)
        self._events.emit(
            "note",
            _STAGE,
            f"study {number} of {len(self._jobs)}{more}: {todo[0]}, {what}",
            study=number,
            studies=len(self._jobs),
            recorded=len(self._file),
            eta_s=left,
        )

    def _study(self, job: Job) -> None:
        began = time.monotonic()
        folder = job.folder(self._out)
        before = len(Ledger(folder / LEDGER_FILE).records)
        setup = prepare_trials(job.planned, job.bag_folder(self._out)).model_copy(update={"seed": job.seed})
        space = search_space(job.planned.budget())
        default = default_configuration(setup.choice.entry, space=space)
        result = run_study(
            setup,
            space,
            self._study_options(job, _searcher(job, space, default)),
            folder=folder,
            events=self._events,
            default_configuration=default if job.default else None,
        )
        tested = measure_all(folder, setup.bag.task) if self._options.test_all else {}
        tested[result.best.number] = result.test_metrics
        self._file.add(recorded_trials(job.planned, setup, space, result.trials, test_metrics=tested, near=job.near))
        seconds = round(time.monotonic() - began, 1)
        finished = JobDone(trials=len(result.trials), trained=len(result.trials) - before, seconds=seconds)
        write_text(folder / DONE_FILE, finished.model_dump_json())
        self._pace.add(job.planned.task, finished)
        self._events.emit("stage-finished", _STAGE, f"{job}: {_outcome(result)}", seconds=finished.seconds)

    def _study_options(self, job: Job, searcher: str) -> StudyOptions:
        return StudyOptions(
            searcher=searcher,
            trials=job.trials,
            max_concurrent=self._options.concurrent,
            cpus_per_trial=self._options.cpus_per_trial,
            gpus_per_trial=self._options.gpus_per_trial,
            keep_all=self._options.test_all,
        )


def _searcher(job: Job, space: SearchSpace, default: Configuration) -> str:
    """Name of what proposes the study's configurations."""
    if job.near:
        return register_near(near_configs(space, default, job.configs, job.planned.sequence), job.planned.id)
    return register_searcher(job.planned.sequence) + (DEFAULT_SUFFIX if job.default else "")


def _outcome(result: StudyResult) -> str:
    """The spread on VAL, the winner on TEST, the failures; one line."""
    scores = sorted(trial.score for trial in result.trials)
    failed = sum(not is_scored(trial.status) for trial in result.trials)
    return (
        f"{result.objective} on val {scores[0]:.3f} to {scores[-1]:.3f} (median {scores[len(scores) // 2]:.3f}), "
        f"winner on test {result.test_metrics[result.objective]:.3f}, {failed} of {len(scores)} failed"
    )


def measure_all(folder: Path, task: Task) -> dict[int, dict[str, float]]:
    """Measure the trials whose weights the study in `folder` kept; each once, then its weights are deleted.

    Returns:
        Number of a trial -> canonical figure -> fraction.
    """
    from autommlab.training.trial import evaluate

    found = {}
    for trial in sorted((folder / ALL_FOLDER).glob("*")):
        stored, weights = trial / TEST_FILE, trial / CHECKPOINT_FILE
        tested = read_test(stored)
        if tested is None:
            tested = evaluate(trial / CONFIG_FILE, weights, task)
            write_text(stored, tested.model_dump_json(indent=1))
        weights.unlink(missing_ok=True)
        found[int(trial.name)] = tested.figures
    return found
