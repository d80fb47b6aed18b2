"""What can be said about a set of trials; pure functions."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from autommlab.training.records import Hyperparameters
from searchers.distance import unit_value
from searchers.space import ChoiceParameter
from training_data_gen.trials.records import RecordedTrial

Key = TypeVar("Key", bound=Hashable)

#: Bins of a numeric hyperparameter for its fraction of variance, by its place within the bounds.
BINS = 5
#: Below these, a fraction of variance or a forest's score says nothing.
_FEWEST_TRIALS, _FEWEST_GROUPS = 30, 2
_TREES, _FOLDS = 200, 5


class Spread(BaseModel):
    """The objective on VAL over the quasi-random configurations of one bag, failures as 0.

    Attributes:
        default: what the default configuration reached; None if it was not trained.
        better: fraction of the configurations that beat it.
        near: highest of the configurations around it; None without any.
        noise: standard deviation between seeds of the same configuration; None if nothing was repeated.
    """

    model_config = ConfigDict(frozen=True)

    lowest: float
    median: float
    highest: float
    deviation: float
    default: float | None = None
    better: float | None = None
    near: float | None = None
    noise: float | None = None


class TaskFigures(BaseModel):
    """One task's line of the card.

    Attributes:
        failed, diverged: fractions of the trials.
        hours: of building, training and validation, summed over workers.
        seconds: median of a trial, and the longest one.
        spread: mean of highest - lowest over bags.
        noise: standard deviation between seeds, over all repeated configurations; None if there are none.
        explained: hyperparameter -> fraction of the variance within bags (eta squared over bins).
        together: share that a random forest on all six explains on bags it has not seen; None with too few.
    """

    model_config = ConfigDict(frozen=True)

    bags: int
    trials: int
    failed: float
    diverged: float
    hours: float
    seconds: tuple[float, float]
    spread: float
    noise: float | None
    explained: dict[str, float]
    together: float | None


def grouped(recorded: Iterable[RecordedTrial], key: Callable[[RecordedTrial], Key]) -> dict[Key, list[RecordedTrial]]:
    """Trials by a key, in order of appearance."""
    groups: dict[Key, list[RecordedTrial]] = defaultdict(list)
    for trial in recorded:
        groups[key(trial)].append(trial)
    return dict(groups)


def by_bag(recorded: Iterable[RecordedTrial]) -> dict[str, list[RecordedTrial]]:
    """Trials of each planned bag."""
    return grouped(recorded, lambda t: t.planned)


def main_seed(recorded: Sequence[RecordedTrial]) -> list[RecordedTrial]:
    """Those of the seed under which the most was trained: repeats under other seeds would count twice."""
    seeds = grouped(recorded, lambda t: t.seed)
    return max(seeds.values(), key=len, default=[])


def spread(recorded: Sequence[RecordedTrial]) -> Spread:
    """Of one bag's trials, which are not empty."""
    own = main_seed(recorded)
    scores = [t.score for t in own if t.sobol_number is not None] or [t.score for t in own]
    default = next((t.score for t in own if t.sobol_number is None and not t.near), None)
    return Spread(
        lowest=min(scores),
        median=statistics.median(scores),
        highest=max(scores),
        deviation=statistics.pstdev(scores),
        default=default,
        better=None if default is None else sum(score > default for score in scores) / len(scores),
        near=max((t.score for t in own if t.near), default=None),
        noise=noise(recorded),
    )


def noise(recorded: Iterable[RecordedTrial]) -> float | None:
    """Standard deviation between seeds of the same configuration, pooled over configurations; None if none is
    repeated.
    """
    repeated = [
        [t.score for t in same]
        for same in grouped(recorded, lambda t: (t.planned, tuple(sorted(t.config.items())))).values()
        if len({t.seed for t in same}) > 1
    ]
    if not repeated:
        return None
    squares = sum((score - statistics.fmean(scores)) ** 2 for scores in repeated for score in scores)
    return math.sqrt(squares / sum(len(scores) - 1 for scores in repeated))


def task_figures(recorded: Sequence[RecordedTrial]) -> TaskFigures:
    """Of one task's trials, which are not empty."""
    bags = by_bag(recorded)
    seconds = sorted(t.seconds for t in recorded)
    ranges = [found.highest - found.lowest for found in map(spread, bags.values())]
    own = [t for found in bags.values() for t in main_seed(found) if not t.near]
    return TaskFigures(
        bags=len(bags),
        trials=len(recorded),
        failed=sum(t.failed for t in recorded) / len(recorded),
        diverged=sum(t.status == "diverged" for t in recorded) / len(recorded),
        hours=sum(seconds) / 3600,
        seconds=(statistics.median(seconds), seconds[-1]),
        spread=statistics.fmean(ranges),
        noise=noise(recorded),
        explained=explained(own),
        together=explained_together(own),
    )


def explained(recorded: Sequence[RecordedTrial]) -> dict[str, float]:
    """Fraction of the variance of the standardised score within bags that each hyperparameter explains alone.

    Eta squared over its choices or over `BINS` equal bins of its range, less what as many bins would
    explain by chance (omega squared), never below 0. Empty with too few trials.
    """
    rows, scores = _standardised(recorded)
    if len(rows) < _FEWEST_TRIALS:
        return {}
    return {
        name: _omega_squared([_bin(t, name) for t in rows], scores)
        for name in Hyperparameters.model_fields
        if name in rows[0].config
    }


def explained_together(recorded: Sequence[RecordedTrial]) -> float | None:
    """R squared of a random forest on all hyperparameters, on bags that it was not fitted to."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.metrics import r2_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    rows, scores = _standardised(recorded)
    groups = [t.planned for t in rows]
    folds = min(_FOLDS, len(set(groups)))
    if len(rows) < _FEWEST_TRIALS or folds < _FEWEST_GROUPS:
        return None
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=0)
    features = np.array([_features(t) for t in rows])
    predicted = cross_val_predict(forest, features, scores, groups=groups, cv=GroupKFold(folds))
    return float(r2_score(scores, predicted))


def _standardised(recorded: Sequence[RecordedTrial]) -> tuple[list[RecordedTrial], np.ndarray]:
    """Trials of the bags whose scores differ, and their scores in deviations from the bag's mean."""
    rows, scores = [], []
    for found in by_bag(recorded).values():
        own = [t.score for t in found]
        deviation = statistics.pstdev(own)
        if deviation > 0:
            rows += found
            scores += [(score - statistics.fmean(own)) / deviation for score in own]
    return rows, np.array(scores)


def _bin(trial: RecordedTrial, name: str) -> Hashable:
    parameter = next(p for p in trial.parameters if p.name == name)
    if isinstance(parameter, ChoiceParameter):
        return trial.config[name]
    return min(int(unit_value(parameter, trial.config[name]) * BINS), BINS - 1)


def _features(trial: RecordedTrial) -> list[float]:
    found: list[float] = []
    for parameter in trial.parameters:
        value = trial.config[parameter.name]
        if isinstance(parameter, ChoiceParameter):
            found += [float(value == choice) for choice in parameter.choices]
        else:
            found.append(unit_value(parameter, value))
    return found


def _omega_squared(bins: Sequence[Hashable], scores: np.ndarray) -> float:
    groups: Mapping[Hashable, list[float]] = defaultdict(list)
    for at, score in zip(bins, scores, strict=True):
        groups[at].append(float(score))
    total = float(((scores - scores.mean()) ** 2).sum())
    between = sum(len(g) * (statistics.fmean(g) - float(scores.mean())) ** 2 for g in groups.values())
    free = len(scores) - len(groups)
    if total == 0 or free <= 0:
        return 0.0
    within = (total - between) / free
    return max(0.0, (between - (len(groups) - 1) * within) / (total + within))
