"""From races on several bags to one line a searcher: scores become shares of their bag's range."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from autommlab.race.curves import Estimate, estimate
from autommlab.race.records import Lap, RaceResult
from autommlab.race.standings import best_after, curve_of, paired
from autommlab.tasks import Task
from training_data_gen.benchmarks.hpo_records import Overall

#: Searcher -> seed -> best so far after each trial, as a share of the bag's range.
Curves = dict[str, dict[int, list[float]]]


def overall(races: Mapping[str, RaceResult], searchers: Sequence[str], trials: int) -> tuple[Overall, ...]:
    """Lines per task, then over all of them; only seeds that every searcher has finished on every bag count."""
    groups: list[tuple[Task | None, list[RaceResult]]] = [
        (task, own) for task in Task if (own := [race for race in races.values() if race.task is task])
    ]
    groups.append((None, list(races.values())))
    return tuple(line for task, own in groups for line in _lines(task, own, searchers, trials))


def mean_curves(races: Sequence[RaceResult], searchers: Sequence[str], trials: int) -> dict[str, list[list[float]]]:
    """Searcher -> for each seed that all bags have, the mean share after each trial."""
    bags = [shares(race, searchers, trials) for race in races]
    seeds = common_seeds(bags)
    return {
        name: [
            [statistics.fmean(values) for values in zip(*(bag[name][seed] for bag in bags), strict=True)]
            for seed in seeds
        ]
        for name in searchers
        if seeds
    }


def shares(race: RaceResult, searchers: Sequence[str], trials: int) -> Curves:
    """A bag's curves between its worst trial (0) and its best one (1), whoever proposed them."""
    laps = paired(race.laps, searchers)
    share = _share_of_range(laps)
    return {
        name: {lap.seed: [share(score) for score in curve_of(lap, trials)] for lap in own} for name, own in laps.items()
    }


def tested(race: RaceResult, searchers: Sequence[str]) -> dict[str, dict[int, float]]:
    """Searcher -> seed -> its winner's figure on TEST between the bag's worst trial (0) and best one (1) on VAL.

    NaN where it was not measured.
    """
    laps = paired(race.laps, searchers)
    share = _share_of_range(laps)
    return {
        name: {lap.seed: math.nan if lap.test is None else share(lap.test) for lap in own} for name, own in laps.items()
    }


def if_all_known(values: Sequence[float]) -> Estimate | None:
    """Over seeds; None if the figure of one is missing."""
    return None if any(map(math.isnan, values)) else estimate(values)


def _share_of_range(laps: Mapping[str, Sequence[Lap]]) -> Callable[[float], float]:
    """From a score to its place between the worst and the best trial of all these laps."""
    scores = [score for own in laps.values() for lap in own for score in lap.scores] or [0.0]
    worst, width = min(scores), (max(scores) - min(scores)) or 1.0
    return lambda score: (score - worst) / width


def _lines(task: Task | None, races: Sequence[RaceResult], searchers: Sequence[str], trials: int) -> list[Overall]:
    curves = mean_curves(races, searchers, trials)
    if not curves:
        return []
    bags = [shares(race, searchers, trials) for race in races]
    tests = [tested(race, searchers) for race in races]
    seeds = common_seeds(tests)
    ranks = _ranks(bags, [name for name, own in curves.items() if all(len(curve) == trials for curve in own)])
    costs = {name: [lap.llm_seconds for race in races for lap in race.laps if lap.searcher == name] for name in curves}
    return [
        Overall(
            searcher=name,
            task=task,
            bags=len(races),
            seeds=len(own),
            after=best_after(own, trials),
            test=if_all_known([statistics.fmean(bag[name][seed] for bag in tests) for seed in seeds]),
            rank=ranks.get(name),
            llm_seconds=statistics.fmean(costs[name]),
        )
        for name, own in curves.items()
    ]


def common_seeds(bags: Sequence[Mapping[str, Mapping[int, object]]]) -> list[int]:
    """Seeds that every searcher has finished on every bag."""
    found: list[set[int]] = [set(next(iter(bag.values()), {})) for bag in bags]
    return sorted(set.intersection(*found)) if found else []


def _ranks(bags: Sequence[Curves], searchers: Sequence[str]) -> dict[str, float]:
    """Mean place at the end of the budget over bags and their common seeds."""
    places: dict[str, list[float]] = {name: [] for name in searchers}
    for bag in bags:
        for seed in common_seeds(bags):
            ends = {name: bag[name][seed][-1] for name in searchers}
            for name, end in ends.items():
                better = sum(other > end for other in ends.values())
                equal = sum(other == end for other in ends.values())
                places[name].append(better + (equal + 1) / 2)
    return {name: statistics.fmean(found) for name, found in places.items()}
