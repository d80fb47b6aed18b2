"""One study of an arm on a table."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autommlab.common.llm_usage import LlmUsage
from training_data_gen.benchmarks.ask_tell import searcher_seed, study_searcher, trial_values
from training_data_gen.benchmarks.registered.arms import Arm
from training_data_gen.benchmarks.surrogate_benchmark import Value
from training_data_gen.benchmarks.tabular.arms import learns_from_history
from training_data_gen.benchmarks.tabular.history import history_file
from training_data_gen.benchmarks.tabular.tables import Asked, Table

if TYPE_CHECKING:
    from searchers.space import Configuration
    from serve.client import ServiceClient


class TabularStudy(BaseModel):
    """One arm on one table under one seed.

    Attributes:
        task: "SET/DATASET".
        budget: trials.
        seen: of each trial, what the searcher saw.
        regrets: of each trial, see `Table.regret`.
        median_regret: of the table.
        points: of each trial, which of the different points of the study it asked for, counted from 0.
        seconds: from the beginning until each trial was proposed; that of making the searcher is in the first.
        llm_seconds, llm_tokens: what the LLM cost, prompt and answer.
        fallbacks: trials that nobody's model proposed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    arm: str
    seed: int
    budget: int = Field(ge=1)
    seen: tuple[float, ...] = Field(min_length=1)
    regrets: tuple[float, ...]
    median_regret: float = Field(gt=0)
    points: tuple[int, ...]
    seconds: tuple[float, ...]
    llm_seconds: float = 0.0
    llm_tokens: int = 0
    fallbacks: int = 0

    @model_validator(mode="after")
    def _one_of_each_trial(self) -> TabularStudy:
        if len({len(self.seen), len(self.regrets), len(self.points), len(self.seconds)}) > 1:
            raise ValueError("seen, regrets, points and seconds must be of the same trials")
        return self

    @property
    def key(self) -> str:
        """Of the question, not of the result."""
        return study_key(self.task, self.arm, self.seed, self.budget)

    def regret(self, after: int) -> float:
        """Of the trial that the searcher saw best among the first so many, the earlier of equals."""
        seen = self.seen[:after]
        return self.regrets[seen.index(max(seen))]

    def relative_regret(self, after: int) -> float:
        """The same in fractions of the median point's regret: 0 = the best point, 1 = the median one."""
        return self.regret(after) / self.median_regret


def study_key(task: str, arm: str, seed: int, budget: int) -> str:
    """What a study is known by."""
    return f"{task}/{arm}/{seed}/{budget}"


class Job(NamedTuple):
    """One study to play."""

    task: str
    arm: Arm
    seed: int

    def __str__(self) -> str:
        return f"{self.task}, {self.arm.name}, seed {self.seed}"


class Player(NamedTuple):
    """Plays studies, here or in another process.

    Attributes:
        tables: task -> table.
        out: folder of the benchmark, which holds the histories.
        trials: of each study.
        deadline: on the clock of `time.monotonic`, which all processes of a machine share; none is begun later.
        service: the LLM service, for arms that ask one; only here.
    """

    tables: Mapping[str, Table]
    out: Path
    trials: int
    deadline: float | None = None
    service: ServiceClient | None = None

    def play(self, job: Job) -> TabularStudy | None:
        """The study; None after the deadline."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            return None
        table, arm = self.tables[job.task], job.arm
        history = {"trial_history": str(history_file(self.out, job.task))} if learns_from_history(arm) else {}
        asked, seconds, began = Asked(table, job.seed), list[float](), time.monotonic()
        seed = searcher_seed(job.seed, job.task)
        searcher = study_searcher(table.problem, arm.searcher, seed, service=self.service, **{**history, **arm.options})

        def look_up(config: Configuration) -> Value:
            seconds.append(round(time.monotonic() - began, 3))
            return asked(config)

        trial_values(searcher, look_up, self.trials)
        usage = searcher.usage() if hasattr(searcher, "usage") else {}
        llm = LlmUsage.model_validate(usage.get("llm", {}))
        different = {point: number for number, point in enumerate(dict.fromkeys(asked.points))}
        return TabularStudy(
            task=job.task, arm=arm.name, seed=job.seed, budget=self.trials,
            seen=tuple(round(value, 6) for value in asked.seen),
            regrets=tuple(round(table.regret(point), 6) for point in asked.points),
            median_regret=round(table.median_regret, 6),
            points=tuple(different[point] for point in asked.points),
            seconds=tuple(seconds), llm_seconds=round(llm.seconds, 2),
            llm_tokens=llm.prompt_tokens + llm.tokens, fallbacks=usage.get("fallbacks", 0),
        )  # fmt: skip


class _Here:
    """Of a process that plays studies for another one."""

    player: Player | None = None


def begin(player: Player) -> None:
    """Make this process one that plays studies: one thread, no end but by its parent's."""
    import scipy.linalg  # noqa: F401 - has libraries of its own that make threads
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)
    _Here.player = player


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def play_here(job: Job) -> TabularStudy | None:
    """`Player.play` in a process that `begin` has made one."""
    if _Here.player is None:
        raise RuntimeError("begin comes first")
    return _Here.player.play(job)
