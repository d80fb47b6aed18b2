"""Working off the tables: resumable, stopped at any time, balanced whenever it is stopped."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from autommlab.common.errors import DataError, TrainingError
from autommlab.common.files import exclusive
from autommlab.common.keyed_lines import KeyedFile, write_compressed
from autommlab.common.wording import duration
from autommlab.progress.events import Events
from training_data_gen.benchmarks.playing import ANSWERS_FILE, NOUN, STAGE, ended, read_studies, remembering_service
from training_data_gen.benchmarks.registered.arms import Arm
from training_data_gen.benchmarks.response_cache import CachedAnswer, read_answers
from training_data_gen.benchmarks.tabular.history import write_history
from training_data_gen.benchmarks.tabular.studies import Job, Player, TabularStudy, begin, play_here, study_key
from training_data_gen.benchmarks.tabular.tables import SETS, Table, load_table

STUDIES_FILE = "studies.jsonl"
PACK_NAME = "tabular"
COMMAND = "bench tabular"
#: Studies that ask the LLM service at once; it answers them in one batch.
_ASKERS = 8
_Play = Callable[[Job], TabularStudy | None]


class TabularOptions(BaseModel):
    """What is asked for; another call on the same folder may ask for more.

    Attributes:
        sets: of tables.
        seeds: how many, paired over arms.
        trials: of each study.
        hours: no study is begun after so many; None = no limit.
        workers: processes that play studies; 1 = this one does, None = as many as there are cores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sets: tuple[str, ...] = ("hpobench", "hpolib")
    seeds: int = Field(default=30, ge=1)
    trials: int = Field(default=50, ge=1)
    hours: float | None = Field(default=None, gt=0)
    workers: int | None = Field(default=None, ge=1)


class Known(NamedTuple):
    """What other benchmarks have done: studies, answers of the LLM."""

    studies: Sequence[TabularStudy] = ()
    answers: Sequence[CachedAnswer] = ()


def read_known(folders: Sequence[Path]) -> Known:
    """What `pack_all` wrote into these folders.

    Raises:
        DataError: a file is missing or damaged.
    """
    studies, answers = [], []
    for folder in folders:
        packed = folder / f"{PACK_NAME}_{STUDIES_FILE}.gz"
        if not packed.is_file():
            raise DataError(f"{folder} holds no studies. Give a folder that `{COMMAND} --pack` wrote")
        studies += read_studies(packed, TabularStudy, COMMAND)
        said = folder / f"{PACK_NAME}_{ANSWERS_FILE}.gz"
        answers += read_answers(said) if said.is_file() else []
    return Known(studies, answers)


def pack_all(out: Path, into: Path, known: Known) -> list[Path]:
    """Everything that a later call or another machine need not repeat, in the form to commit.

    Raises:
        StorageError: `into` cannot be written.
        DataError: a file of `out` is damaged.
    """
    own, said = out / STUDIES_FILE, out / ANSWERS_FILE
    played = read_studies(own, TabularStudy, COMMAND) if own.exists() else []
    studies = {study.key: study for study in (*known.studies, *played)}
    written = [write_compressed(studies.values(), into / f"{PACK_NAME}_{STUDIES_FILE}.gz")]
    answers = {one.key: one for one in (*known.answers, *(read_answers(said) if said.exists() else ()))}
    if answers:
        written.append(write_compressed(answers.values(), into / f"{PACK_NAME}_{ANSWERS_FILE}.gz"))
    return written


def order(tasks: Sequence[str], arms: Sequence[Arm], seeds: int) -> Iterator[Job]:
    """Seed by seed, dataset by dataset with all arms: whatever is cut off is the end."""
    for seed in range(seeds):
        for task in tasks:
            for arm in arms:
                yield Job(task, arm, seed)


def tasks_of(sets: Sequence[str]) -> list[str]:
    """The datasets of these sets, each as "SET/DATASET"."""
    return [f"{name}/{dataset}" for name in sets for dataset in SETS[name].datasets]


def run_tabular(
    arms: Sequence[Arm],
    options: TabularOptions,
    out: Path,
    events: Events,
    *,
    tasks: Sequence[str] = (),
    known: Known = Known(),  # noqa: B008 - an immutable record
) -> list[TabularStudy]:
    """Play what is missing.

    Args:
        arms: who proposes.
        options: sets, seeds, trials, limits.
        out: folder; gets `studies.jsonl`, `answers.jsonl` where an LLM is asked, and the histories.
        events: who is told.
        tasks: datasets of the sets; () = all. Histories are of the whole set all the same.
        known: what is not repeated.

    Returns:
        All studies of the folder and of `known`.

    Raises:
        RequestError: the package of the tables is not installed.
        StorageError: the folder cannot be written, or another process works there.
        TrainingError: a process that plays studies was killed.
        AutoMMLabError: no service for the arms that need one.
    """
    deadline = time.monotonic() + 3600 * options.hours if options.hours else None
    with exclusive(out):
        file = KeyedFile(out / STUDIES_FILE, TabularStudy, NOUN)
        file.add(known.studies)
        wanted = order(tasks or tasks_of(options.sets), arms, options.seeds)
        jobs = [
            job for job in wanted if study_key(job.task, job.arm.name, job.seed, options.trials) not in file.records
        ]
        if jobs:
            service = remembering_service({job.arm.searcher for job in jobs}, out, known.answers, events)
            tables = _tables(jobs, out, events)
            player = Player(tables, out, options.trials, deadline, service)
            try:
                _play_all(jobs, player, options.workers, file, events)
            except BrokenProcessPool as error:
                raise TrainingError(
                    f"a process that plays studies was killed, perhaps for want of memory ({error}). "
                    "Give fewer --workers"
                ) from error
        return list(file.records.values())


def _tables(jobs: Sequence[Job], out: Path, events: Events) -> dict[str, Table]:
    """Those of the jobs, whose histories are written."""
    found: dict[str, Table] = {}
    tasks = dict.fromkeys(job.task for job in jobs)
    for name in dict.fromkeys(task.partition("/")[0] for task in tasks):
        events.emit("progress", STAGE, f"reading the tables of {name}")
        own = [load_table(name, dataset) for dataset in SETS[name].datasets]
        for table in own:
            if table.task in tasks:
                write_history(out, table, own)
                found[table.task] = table
    return found


def _play_all(
    jobs: Sequence[Job], player: Player, workers: int | None, file: KeyedFile[TabularStudy], events: Events
) -> None:
    asking = [job for job in jobs if player.service is not None and job.arm.asks_llm]
    quick = [job for job in jobs if player.service is None or not job.arm.asks_llm]
    parts: list[tuple[Executor, _Play, list[Job]]] = []
    if quick:
        parts.append((*_pool(player, min(workers or os.cpu_count() or 1, len(quick))), quick))
    if asking:  # one cache of answers, so one process
        parts.append((ThreadPoolExecutor(_ASKERS, thread_name_prefix="study"), player.play, asking))
    began, done = time.monotonic(), 0
    with ended(parts) as studies:
        for job, study in studies:
            if study is None:
                continue
            file.add([study])
            done += 1
            left = (time.monotonic() - began) / done * (len(jobs) - done)
            events.emit(
                "note", STAGE,
                f"study {done} of {len(jobs)}, {job}: regret {study.regret(study.budget):.4f}, "
                f"{study.seconds[-1]:.1f} s; about {duration(left)} left",
                done=done, total=len(jobs), eta_s=left,
            )  # fmt: skip


def _pool(player: Player, workers: int) -> tuple[Executor, _Play]:
    if workers == 1:
        return ThreadPoolExecutor(1, thread_name_prefix="study"), player.play
    alone = player._replace(service=None)
    new = multiprocessing.get_context("spawn")  # a copy of this process would have its threads' locks, not its threads
    return ProcessPoolExecutor(workers, new, initializer=begin, initargs=(alone,)), play_here
