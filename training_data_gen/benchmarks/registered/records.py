"""What comes out of the registered comparison: tables, answers, rankings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from autommlab.tasks import Task
from training_data_gen.benchmarks.analysis import LEVEL
from training_data_gen.benchmarks.paired import Figure, Ranking
from training_data_gen.benchmarks.registered.studies import Track


class Line(BaseModel):
    """One arm after a budget.

    Attributes:
        test, val: of the best trial by VAL, the tasks' own metrics.
        gap: fraction of what the default leaves to 1 that is gained on TEST; None where there is no gap.
        rank: mean place over tasks on TEST.
        seconds: of a study's trainings; llm_seconds, llm_tokens: of the LLM; other_seconds: of another searcher.
        fallbacks, failed: fractions of the trials.
    """

    model_config = ConfigDict(frozen=True)

    arm: str
    after: int
    test: Figure
    val: Figure
    gap: Figure | None
    rank: float
    seconds: float
    llm_seconds: float
    llm_tokens: float
    other_seconds: float
    fallbacks: float
    failed: float


class Answer(BaseModel):
    """To one registered question.

    Attributes:
        other: with the arm that stood for "best of".
        difference: on TEST, positive where `one` is better; None while it cannot be answered.
        by_source: the same where tasks of one set of photos are drawn together; beside the registered analysis.
        p, adjusted: Wilcoxon over tasks, and Holm over all registered questions.
        better, equal, worse: tasks.
    """

    model_config = ConfigDict(frozen=True)

    one: str
    other: str
    after: int
    tasks: int = 0
    difference: Figure | None = None
    by_source: Figure | None = None
    p: float | None = None
    adjusted: float | None = None
    better: int = 0
    equal: int = 0
    worse: int = 0

    @property
    def verdict(self) -> str:
        """yes, no or not shown, by interval and adjusted p together."""
        if self.difference is None or self.adjusted is None:
            return "not run yet"
        if self.adjusted >= LEVEL or self.difference.low <= 0 <= self.difference.high:
            return "not shown"
        return "yes" if self.difference.mean > 0 else "no, worse"


class RegisteredResult(BaseModel):
    """All figures of a track.

    Attributes:
        tasks: kind -> tasks in the tables; missing: task -> why it could not be had; failed: study -> why.
        seeds: of each task at least.
    """

    model_config = ConfigDict(frozen=True)

    track: Track
    tasks: dict[Task, int]
    seeds: int
    lines: tuple[Line, ...]
    answers: tuple[Answer, ...]
    rankings: tuple[Ranking, ...]
    missing: dict[str, str] = {}
    failed: dict[str, str] = {}
    command: str
    date: str
    machine: dict[str, str] = {}
