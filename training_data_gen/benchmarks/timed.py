"""Whole runs on sets of real photos in the time that a person gives, against the default configuration alone.

Each run is the command that a person types, in a process of its own, one after the other: what its time buys
depends on a machine that does nothing else. A run that was interrupted is made anew, as its time is over.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import psutil
from pydantic import BaseModel, ConfigDict

from autommlab.api.runs import Run
from autommlab.common.errors import DataError
from autommlab.common.files import exclusive, storage_errors
from autommlab.common.keyed_lines import KeyedFile
from autommlab.common.log_tail import last_lines
from autommlab.common.wording import duration
from autommlab.planning.records import Size
from autommlab.progress.events import Events
from autommlab.training.records import Interval
from training_data_gen.benchmarks.photo_sets import PHOTO_SETS, PhotoSet, copy_without_test

RUNS_FILE, RESULT_FILE = "timed-runs.jsonl", "timed.json"
_NOUN = "run"
_STAGE = "training"


class Way(StrEnum):
    """How the time is spent.

    `SEARCH` is `run --time` as it is. `ALONE` trains the default configuration alone for the same time, at the input
    size that the search's run of the same seed had planned. `TRIALS` is six trials within the profile's ranges whatever
    they take, the best one delivered as it is: a run before time was the budget.
    """

    SEARCH = "search"
    ALONE = "alone"
    TRIALS = "trials"


_TRIALS_OF_A_DEMONSTRATION = 6


class Job(NamedTuple):
    """A run to make.

    Attributes:
        minutes: of the whole run; 0 = no limit, of `Way.TRIALS`.
    """

    photos: PhotoSet
    way: Way
    minutes: int
    seed: int

    @property
    def key(self) -> str:
        """What it is known by."""
        return run_key(self.photos.name, self.way, self.minutes, self.seed)


class TimedRun(BaseModel):
    """What a run came to.

    Attributes:
        photos: name of the set.
        minutes: see `Job`.
        date: of the run.
        val, test: the figure of the wish on the delivered model; None without one.
        interval: of `test`, 95 %, over its pictures.
        input_size: (width, height) that it is delivered with.
        trials, finals: finished trainings of the search, and at the full fidelity.
        steps: of the training that is delivered.
        proposed_by: who proposed its configuration.
        seconds: of the whole command, by the wall.
        busy: share of the processors that other programs had in the second before it began.
        problem: why there is no model; "" where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    photos: str
    figure: str
    wish: float
    way: Way
    minutes: int
    seed: int
    date: str
    val: float | None = None
    test: float | None = None
    interval: Interval | None = None
    input_size: Size | None = None
    trials: int = 0
    finals: int = 0
    steps: int = 0
    proposed_by: str = ""
    seconds: float = 0.0
    busy: float = 0.0
    problem: str = ""

    @property
    def key(self) -> str:
        """Of the question, not of the result."""
        return run_key(self.photos, self.way, self.minutes, self.seed)


class TimedResult(BaseModel):
    """All runs of a benchmark, and where they were made."""

    model_config = ConfigDict(frozen=True)

    runs: tuple[TimedRun, ...]
    command: str
    date: str
    machine: dict[str, str] = {}

    def lines(self) -> list[TimedLine]:
        """A line for each set and time that the search has runs of, in the order of `PHOTO_SETS`."""
        found = []
        times = sorted({run.minutes for run in self.runs if run.way is Way.SEARCH})
        for photos in PHOTO_SETS:
            for minutes in times:
                by_way = {way: self._by_seed(photos.name, way, minutes) for way in Way}
                if by_way[Way.SEARCH]:
                    found.append(TimedLine(photos, minutes, by_way[Way.SEARCH], by_way[Way.ALONE], by_way[Way.TRIALS]))
        return found

    def _by_seed(self, photos: str, way: Way, minutes: int) -> dict[int, TimedRun]:
        asked = 0 if way is Way.TRIALS else minutes
        return {run.seed: run for run in self.runs if (run.photos, run.way, run.minutes) == (photos, way, asked)}


class TimedLine(NamedTuple):
    """What is compared: runs of one set and one time, by seed.

    A run without a model counts as 0.
    """

    photos: PhotoSet
    minutes: int
    search: Mapping[int, TimedRun]
    alone: Mapping[int, TimedRun]
    trials: Mapping[int, TimedRun]

    @property
    def differences(self) -> list[float]:
        """Search less alone on TEST, of the seeds that both have."""
        seeds = sorted(self.search.keys() & self.alone.keys())
        return [(self.search[seed].test or 0) - (self.alone[seed].test or 0) for seed in seeds]

    @property
    def most_off(self) -> float:
        """The largest share, in either direction, by which a run of this time missed it."""
        timed = [*self.search.values(), *self.alone.values()]
        return max((run.seconds / (60 * self.minutes) - 1 for run in timed), key=abs)


def mean_test(runs: Mapping[int, TimedRun]) -> float | None:
    """On TEST over the seeds; None where there is no run."""
    return statistics.fmean(run.test or 0 for run in runs.values()) if runs else None


#: Makes a run: the job, its folder, the folder of the sets, the input size that is given.
Make = Callable[[Job, Path, Path, Size | None], TimedRun]


def run_key(photos: str, way: Way, minutes: int, seed: int) -> str:
    """What a run is known by."""
    return f"{photos}/{way}/{minutes}/{seed}"


def order(sets: Sequence[PhotoSet], minutes: Sequence[int], seeds: int, ways: Sequence[Way]) -> Iterator[Job]:
    """Seed by seed, times in the order given, set by set with all ways: whatever is cut off is the end."""
    for seed in range(seeds):
        for asked in minutes:
            for photos in sets:
                timed = (way for way in (Way.SEARCH, Way.ALONE) if way in ways)
                yield from (Job(photos, way, asked, seed) for way in timed)
        if Way.TRIALS in ways:
            yield from (Job(photos, Way.TRIALS, 0, seed) for photos in sets)


def run_timed(
    jobs: Sequence[Job],
    out: Path,
    data: Path,
    events: Events,
    *,
    known: Sequence[TimedRun] = (),
    hours: float | None = None,
    make: Make | None = None,
) -> list[TimedRun]:
    """Make the runs that are missing, one after the other.

    Args:
        jobs: in the order of work; one of `Way.ALONE` comes after that of `Way.SEARCH` which plans its input size.
        out: folder; gets `timed-runs.jsonl` and a folder for each run.
        data: folder of the sets of photos.
        events: who is told.
        known: made elsewhere.
        hours: no run is begun after so many.
        make: makes a run; the default types the command.

    Returns:
        All runs of the folder and of `known`.

    Raises:
        DataError: a set is not there, or `timed-runs.jsonl` holds something else.
        StorageError: the folder cannot be written, or another process works there.
    """
    for photos in dict.fromkeys(job.photos for job in jobs):
        if not (data / photos.folder).is_dir():
            raise DataError(
                f"the set {photos.folder} is not in {data}. Name the folder of all sets: --data-root FOLDER"
            )
    began = time.monotonic()
    with exclusive(out):
        file = KeyedFile(out / RUNS_FILE, TimedRun, _NOUN)
        file.add(known)
        missing = [job for job in jobs if job.key not in file.records]
        for number, job in enumerate(missing, start=1):
            if hours is not None and time.monotonic() - began > 3600 * hours:
                events.emit("note", _STAGE, f"{hours:g} hours are over; {len(missing) - number + 1} runs are left")
                break
            events.emit("note", _STAGE, f"run {number} of {len(missing)}: {job.key}")
            folder = out / "runs" / job.key.replace("/", "-")
            sets = out / "sets" if job.photos.tried else data
            if job.photos.tried:
                copy_without_test(data / job.photos.folder, sets / job.photos.folder)
            made = (make or made_by_command)(job, folder, sets, _planned_size(job, file))
            file.add([made])
            events.emit("note", _STAGE, _in_words(made))
        return list(file.records.values())


def _planned_size(job: Job, file: KeyedFile[TimedRun]) -> Size | None:
    """Of the search's run of the same set, time and seed; None for a run that plans its own."""
    if job.way is not Way.ALONE:
        return None
    planned = file.records.get(run_key(job.photos.name, Way.SEARCH, job.minutes, job.seed))
    if planned is None or planned.input_size is None:
        raise DataError(f"{job.key} needs the input size that {Way.SEARCH} plans: let that way run, too")
    return planned.input_size


def command_of(job: Job, folder: Path, data: Path, size: Size | None) -> list[str]:
    """What a person types after `autommlab`."""
    asked = ["run", job.photos.sentence, "--data", str(data / job.photos.folder), "--seed", str(job.seed)]
    if job.way is Way.TRIALS:
        asked += ["--trials", str(_TRIALS_OF_A_DEMONSTRATION)]
    else:
        asked += ["--time", str(job.minutes)]
    if job.way is Way.ALONE:
        asked += ["--trials", "0"]
    if size is not None:
        asked += ["--input-size", f"{size[0]}x{size[1]}"]
    return [*asked, "--out", str(folder)]


def made_by_command(job: Job, folder: Path, data: Path, size: Size | None) -> TimedRun:
    """Type the command in a process of its own, wait for it, read its folder.

    Args:
        job: the run.
        folder: of the run, made anew; what it prints goes to a file of that name and `.log`.
        data: folder of the sets of photos.
        size: (width, height) of the input; None = as planned.
    """
    with storage_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)  # of a call that was interrupted
        folder.parent.mkdir(parents=True, exist_ok=True)
        log = folder.with_suffix(".log")
    busy, began = psutil.cpu_percent(interval=1) / 100, time.monotonic()
    with log.open("wb") as said:
        ended = subprocess.run(  # noqa: S603 - our own program, no shell
            [sys.executable, "-m", "autommlab", *command_of(job, folder, data, size)],
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    made = TimedRun(
        photos=job.photos.name, figure=job.photos.figure, wish=job.photos.wish, way=job.way, minutes=job.minutes,
        seed=job.seed, date=time.strftime("%Y-%m-%d"), seconds=time.monotonic() - began, busy=busy,
    )  # fmt: skip
    if ended.returncode != 0:
        return made.model_copy(update={"problem": last_lines(log, 3) or f"exit code {ended.returncode}"})
    return made.model_copy(update=found_in(Run(folder), job.photos.figure))


def found_in(run: Run, figure: str) -> dict[str, object]:
    """What a finished run's folder tells, as fields of `TimedRun`."""
    study, figures, full = run.study, run.figures, run.plan.full
    best = study.result.best
    return {
        "val": figures["val"].get(figure),
        "test": figures["test"].get(figure),
        "interval": study.result.test_intervals.get(figure),
        "input_size": full.input_size if full else run.model.measured.input_size,
        "trials": len(study.searched),
        "finals": len(study.finals),
        "steps": best.as_trained.iterations,
        "proposed_by": best.proposed_by,
    }


def _in_words(made: TimedRun) -> str:
    if made.test is None:
        return f"{made.key}: no model: {made.problem}"
    interval = f" ({made.interval})" if made.interval else ""
    size = "x".join(map(str, made.input_size or ()))
    return (
        f"{made.key}: {made.figure} {made.test:.3f}{interval} on test, {made.val or 0:.3f} on val; {size}, "
        f"{made.trials} trials, {made.steps} steps, {duration(made.seconds)}"
    )
