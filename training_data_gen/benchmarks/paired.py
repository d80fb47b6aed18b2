"""Studies whose arms share tasks and seeds: which are finished, means with their intervals, mean ranks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from training_data_gen.benchmarks import analysis


class Figure(BaseModel):
    """A mean over tasks and seeds with its 95 % interval over both."""

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float
    high: float


class Ranking(BaseModel):
    """What a critical-difference diagram shows."""

    model_config = ConfigDict(frozen=True)

    after: int
    tasks: int
    ranks: dict[str, float]
    friedman_p: float
    critical_difference: float


class Pair(NamedTuple):
    """A task and a seed, which arms share."""

    task: str
    seed: int


class _Paired(Protocol):
    """One arm on one task under one seed, with so much to spend."""

    @property
    def arm(self) -> str: ...

    @property
    def task(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def budget(self) -> int: ...


Study = TypeVar("Study", bound=_Paired)


class PairedStudies(Generic[Study]):
    """Finished studies: what each arm reached on each task under each seed.

    Args:
        studies: of these and other arms; of several budgets of the same study the largest counts.
        names: of the arms that are looked at, in the order of the tables.
        for_any_budget: an arm whose studies are enough for any budget.
    """

    def __init__(self, studies: Sequence[Study], names: Sequence[str], *, for_any_budget: str = "") -> None:
        self._studies: dict[str, dict[Pair, Study]] = {name: {} for name in names}
        self._for_any_budget = for_any_budget
        for study in sorted(studies, key=lambda one: one.budget):
            if study.arm in self._studies:
                self._studies[study.arm][Pair(study.task, study.seed)] = study

    def done(self, arm: str, after: int) -> dict[Pair, Study]:
        """The arm's studies that had so much to spend."""
        enough = arm == self._for_any_budget
        return {pair: one for pair, one in self._studies[arm].items() if enough or one.budget >= after}

    def arms(self, after: int) -> list[str]:
        """Those with any study of this budget, in the order of the tables."""
        return [name for name in self._studies if self.done(name, after)]

    def common(self, arms: Sequence[str], after: int) -> list[Pair]:
        """Tasks and seeds that all these arms have finished, in a fixed order."""
        found = [set(self.done(arm, after)) for arm in arms]
        return sorted(set.intersection(*found)) if found else []

    def values(
        self, arm: str, after: int, pairs: Sequence[Pair], of: Callable[[Study, int], float]
    ) -> dict[str, list[float]]:
        """Task -> a value for each seed."""
        own = self.done(arm, after)
        grouped: dict[str, list[float]] = {}
        for pair in pairs:
            grouped.setdefault(pair.task, []).append(of(own[pair], after))
        return grouped


def figure(values: Mapping[str, Sequence[float]]) -> Figure:
    """Of task -> a value for each seed."""
    low, high = analysis.interval(list(values.values()))
    return Figure(mean=mean_of(values), low=low, high=high)


def mean_of(values: Mapping[str, Sequence[float]]) -> float:
    """Over tasks, of the mean over seeds."""
    return statistics.fmean(map(statistics.fmean, values.values()))


def by_task(values: Mapping[str, Sequence[float]]) -> list[float]:
    """The mean over seeds of each task."""
    return [statistics.fmean(own) for own in values.values()]


def ranking(after: int, values: Mapping[str, Sequence[float]]) -> Ranking | None:
    """Of three arms or more on two tasks or more; None with fewer.

    Args:
        after: the budget.
        values: of each arm, one for each task; more is better.
    """
    tasks = len(next(iter(values.values()), ()))
    if len(values) < 3 or tasks < 2:
        return None
    return Ranking(
        after=after,
        tasks=tasks,
        ranks=analysis.average_ranks(values),
        friedman_p=analysis.friedman_p(values),
        critical_difference=analysis.critical_difference(len(values), tasks),
    )
