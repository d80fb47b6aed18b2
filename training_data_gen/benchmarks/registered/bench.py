"""Working off the registered comparison: resumable, stopped at any time, balanced whenever it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from autommlab.cluster import ray_session
from autommlab.common.errors import DataError, ModelError, TrainingError
from autommlab.common.files import exclusive
from autommlab.common.keyed_lines import KeyedFile, write_compressed
from autommlab.common.wording import duration
from autommlab.progress.events import Events
from autommlab.tasks import objective
from serve.client import ServiceClient
from training_data_gen.benchmarks import playing
from training_data_gen.benchmarks.hpo import pack
from training_data_gen.benchmarks.playing import (
    ANSWERS_FILE,
    NOUN,
    STAGE,
    TRAININGS_FILE,
    need_of,
    played,
    remembering_service,
    trainings_in,
)
from training_data_gen.benchmarks.registered.arms import Arm
from training_data_gen.benchmarks.registered.studies import RegisteredStudy, StudyTask, Track, play, study_key
from training_data_gen.benchmarks.response_cache import CachedAnswer, read_answers
from training_data_gen.benchmarks.trainings import RealBag, Trainings, real_bag
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.store import read_trials

STUDIES_FILE = "studies.jsonl"
PACK_NAME = "registered"


class RegisteredOptions(BaseModel):
    """What is asked for; another call on the same folder may ask for more.

    Attributes:
        track, budget: see `RegisteredStudy`.
        seeds: how many, paired over arms.
        hours: no study is begun after so many; None = no limit.
        cpus_per_trial, gpus_per_trial: Ray resources.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    track: Track = "trials"
    budget: int = Field(default=3, ge=1)
    seeds: int = Field(default=1, ge=1)
    hours: float | None = Field(default=None, gt=0)
    cpus_per_trial: float = Field(default=1, ge=0)
    gpus_per_trial: float = Field(default=0, ge=0)


class BenchTask(NamedTuple):
    """A task whose pictures are there.

    Attributes:
        make: writes them first, where they are not; called once, just before the first study.
    """

    id: str
    planned: PlannedBag
    make: Callable[[], None]


class Known(NamedTuple):
    """What other benchmarks have done: trainings, answers of the LLM, studies."""

    trainings: Sequence[RecordedTrial] = ()
    answers: Sequence[CachedAnswer] = ()
    studies: Sequence[RegisteredStudy] = ()


class Job(NamedTuple):
    """One study to play."""

    task: str
    arm: Arm
    seed: int

    def __str__(self) -> str:
        return f"{self.task}, {self.arm.name}, seed {self.seed}"


def read_known(folders: Sequence[Path]) -> Known:
    """What `pack_all` wrote into these folders.

    Raises:
        DataError: a file is missing or damaged.
    """
    trainings, answers, studies = [], [], []
    for folder in folders:
        if not (folder / f"{PACK_NAME}_{TRAININGS_FILE}.gz").is_file():
            raise DataError(f"{folder} holds no trainings. Give a folder that `bench registered --pack` wrote")
        trainings += read_trials(folder / f"{PACK_NAME}_{TRAININGS_FILE}.gz", allow_empty=True)
        answers += read_answers(folder / f"{PACK_NAME}_{ANSWERS_FILE}.gz")
        studies += read_studies(folder / f"{PACK_NAME}_{STUDIES_FILE}.gz")
    return Known(trainings, answers, studies)


def read_studies(path: Path) -> list[RegisteredStudy]:
    """All studies of a file, compressed or not.

    Raises:
        DataError: no such file, or a line that is no study.
    """
    return playing.read_studies(path, RegisteredStudy, "bench registered")


def pack_all(out: Path, into: Path, known: Known) -> list[Path]:
    """Everything that a later call or another machine need not repeat, in the form to commit.

    Raises:
        StorageError: `into` cannot be written.
        DataError: a file of `out` is damaged.
    """
    own = read_studies(out / STUDIES_FILE) if (out / STUDIES_FILE).exists() else []
    studies = {study.key: study for study in (*known.studies, *own)}
    packed = pack(out, into, known=known.trainings, answers=known.answers, name=PACK_NAME)
    return [*packed, write_compressed(studies.values(), into / f"{PACK_NAME}_{STUDIES_FILE}.gz")]


def order(tasks: Sequence[str], arms: Sequence[Arm], seeds: int) -> Iterator[Job]:
    """Seed by seed, core arms before the others, task by task with all arms: whatever is cut off is the end."""
    for seed in range(seeds):
        for is_core in (True, False):
            for task in tasks:
                for arm in arms:
                    if arm.is_core is is_core:
                        yield Job(task, arm, seed)


def run_registered(
    tasks: Sequence[BenchTask],
    arms: Sequence[Arm],
    options: RegisteredOptions,
    out: Path,
    events: Events,
    *,
    address: str | None = None,
    known: Known = Known(),  # noqa: B008 - an immutable record
) -> tuple[list[RegisteredStudy], dict[str, str]]:
    """Play what is missing.

    Args:
        tasks: in the order of work.
        arms: who proposes.
        options: track, budget, seeds, limits.
        out: folder; gets `studies.jsonl`, `trainings.jsonl`, `answers.jsonl` and a folder for each task.
        events: who is told.
        address: of a running Ray cluster.
        known: what is not repeated.

    Returns:
        All studies of the folder and of `known`, and what could not be played: study -> why.

    Raises:
        StorageError: the folder cannot be written, or another process works there.
        AutoMMLabError: no service for the arms that need one, or Ray does not start.
    """
    with exclusive(out):
        return _Bench(tasks, arms, options, out, events, known).run(address)


class _Bench:
    def __init__(
        self,
        tasks: Sequence[BenchTask],
        arms: Sequence[Arm],
        options: RegisteredOptions,
        out: Path,
        events: Events,
        known: Known,
    ) -> None:
        self._tasks, self._arms = {task.id: task for task in tasks}, arms
        self._options, self._out, self._events, self._known = options, out, events, known
        self._file = KeyedFile(out / STUDIES_FILE, RegisteredStudy, NOUN)
        self._file.add(known.studies)
        self._bags: dict[str, RealBag] = {}
        self._failed: dict[str, str] = {}
        self._making = threading.Lock()
        self._deadline = time.monotonic() + 3600 * options.hours if options.hours else None

    def run(self, address: str | None) -> tuple[list[RegisteredStudy], dict[str, str]]:
        asked = self._options
        jobs = [
            job
            for job in order(list(self._tasks), self._arms, asked.seeds)
            if study_key(asked.track, job.task, job.arm.name, job.seed, asked.budget) not in self._file.records
        ]
        if jobs:
            asking = {job.arm.searcher for job in jobs}
            service = remembering_service(asking, self._out, self._known.answers, self._events)
            with ray_session(address):
                self._play_all(jobs, service)
        return list(self._file.records.values()), self._failed

    def _play_all(self, jobs: Sequence[Job], service: ServiceClient | None) -> None:
        asked = self._options
        need = need_of(asked.cpus_per_trial, asked.gpus_per_trial)
        trainings = trainings_in(self._out, need, self._known.trainings)
        began, done = time.monotonic(), 0
        with played(lambda job: self._play(job, trainings, service), jobs, need) as studies:
            for job, study in studies:
                if study is None:
                    continue
                self._file.add([study])
                done += 1
                left = (time.monotonic() - began) / done * (len(jobs) - done)
                self._events.emit(
                    "note", STAGE,
                    f"study {done} of {len(jobs)}, {job}: {len(study.outcomes)} trials; "
                    f"{trainings.trained} trained, {trainings.taken} known already, about {duration(left)} left",
                    done=done, total=len(jobs), trained=trainings.trained, eta_s=left,
                )  # fmt: skip

    def _play(self, job: Job, trainings: Trainings, service: ServiceClient | None) -> RegisteredStudy | None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            return None
        asked = self._options
        try:
            bag = self._bag(job.task)
            task = StudyTask(
                job.task,
                bag.setup.bag.task,
                objective(bag.setup.bag.task).name,
                bag.problem,
                lambda config: trainings.get(bag, job.seed, config),
            )
            return play(task, job.arm, job.seed, track=asked.track, budget=asked.budget, service=service)
        except (DataError, ModelError, TrainingError) as error:  # of this task alone: on with the others
            self._failed[str(job)] = str(error)
            self._events.emit("warning", STAGE, f"{job} cannot be played, on with the next: {error}")
            return None

    def _bag(self, task: str) -> RealBag:
        with self._making:  # toolboxes and readers are not made for two threads
            if task not in self._bags:
                found = self._tasks[task]
                found.make()
                self._bags[task] = real_bag(found.planned, self._out / "tasks" / task)
            return self._bags[task]
