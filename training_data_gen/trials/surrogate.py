"""A forest fitted to trials: what a configuration would reach in a bag of which some trials are known.

For developing searchers and for smoothing the few noisy trials of a bag, never for claims. It sees the
hyperparameters and, of each bag, how its known trials turned out; it cannot speak about any other bag. Its error is
measured on trials left out.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.search_space import choices
from searchers.space import Configuration
from searchers.transfer.transfer_surrogate import Forest
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import by_bag, main_seed

_LEAF, _FOLDS = 2, 5
_CHOICES = {name: choices(name) for name in ("optimizer", "lr_schedule")}


class SurrogateError(BaseModel):
    """How far the surrogate is from trials that it has not seen, of bags of which it has seen others.

    Attributes:
        trials: left out once each, in five parts.
        mae: mean absolute error, as a normalised score.
        r2: fraction of the variance within bags that it explains.
        spearman: mean over bags of the rank correlation.
    """

    model_config = ConfigDict(frozen=True)

    trials: int
    mae: float
    r2: float
    spearman: float


class _Bag(NamedTuple):
    """What the surrogate knows of a bag: lowest score, range, mean and spread of its known trials as fractions of
    it.
    """

    low: float
    width: float
    mean: float
    spread: float
    train: int
    task: Task


class Surrogate:
    """The objective on VAL of every bag that it has trials of.

    Args:
        recorded: of any bags; repeats under other seeds are left out.
    """

    def __init__(self, recorded: Sequence[RecordedTrial]) -> None:
        known = {name: main_seed(own) for name, own in by_bag(recorded).items()}
        self._bags = {name: _facts(own) for name, own in known.items()}
        rows = [row for own in known.values() for row in own]
        self._forest = Forest(
            [self._features(t.planned, t.config) for t in rows],
            [self._normalised(t) for t in rows],
            min_samples_leaf=_LEAF,
        )

    def values(self, bag: str, configs: Sequence[Configuration]) -> list[float]:
        """The objective of each configuration in the bag.

        Raises:
            KeyError: no trial of this bag was given.
        """
        normalised = self._forest.means([self._features(bag, config) for config in configs])
        facts = self._bags[bag]
        return [float(value) for value in facts.low + normalised * facts.width]

    def _normalised(self, trial: RecordedTrial) -> float:
        facts = self._bags[trial.planned]
        return (_reached(trial) - facts.low) / facts.width

    def _features(self, bag: str, config: Configuration) -> list[float]:
        facts = self._bags[bag]
        values = Hyperparameters.model_validate(config)
        steps, batch = values.iterations, values.batch_size
        named = [float(getattr(values, field) == choice) for field, allowed in _CHOICES.items() for choice in allowed]
        return [
            math.log(values.lr), math.log(values.weight_decay), math.log(steps), math.log(batch),
            math.log(steps * batch / max(1, facts.train)), *named,
            *(float(facts.task is task) for task in Task), facts.mean, facts.spread, facts.low, facts.width,
        ]  # fmt: skip


def surrogate_error(recorded: Sequence[RecordedTrial]) -> SurrogateError:
    """Cross-validated over the trials of each bag.

    Raises:
        ValueError: no bag has ten trials.
    """
    from scipy.stats import spearmanr

    bags = {name: own for name, given in by_bag(recorded).items() if len(own := main_seed(given)) >= 2 * _FOLDS}
    if not bags:
        raise ValueError(f"no bag has {2 * _FOLDS} trials or more: nothing to measure the surrogate's error on")
    guessed: dict[str, dict[str, float]] = {name: {} for name in bags}
    for fold in range(_FOLDS):
        fitted = Surrogate([t for own in bags.values() for n, t in enumerate(own) if n % _FOLDS != fold])
        for name, own in bags.items():
            left_out = [t for n, t in enumerate(own) if n % _FOLDS == fold]
            values = fitted.values(name, [t.config for t in left_out])
            guessed[name].update(zip((t.key for t in left_out), values, strict=True))
    errors, residual, variance, ranks = [], 0.0, 0.0, []
    for name, own in bags.items():
        real = np.array([_reached(t) for t in own])
        guess = np.array([guessed[name][t.key] for t in own])
        width = float(np.ptp(real))
        if not width:
            continue
        errors += list(np.abs(real - guess) / width)
        residual += float(np.sum(((real - guess) / width) ** 2))
        variance += float(np.sum(((real - real.mean()) / width) ** 2))
        ranks.append(float(spearmanr(real, guess).statistic) if np.ptp(guess) else 0.0)
    if not ranks:
        raise ValueError("all trials of each bag reached the same: there is nothing to predict")
    return SurrogateError(
        trials=len(errors), mae=float(np.mean(errors)), r2=1 - residual / variance, spearman=statistics.fmean(ranks)
    )


def _facts(own: Sequence[RecordedTrial]) -> _Bag:
    scores = [_reached(t) for t in own]
    low, width = min(scores), (max(scores) - min(scores)) or 1.0
    normalised = [(score - low) / width for score in scores]
    return _Bag(low, width, statistics.fmean(normalised), statistics.pstdev(normalised), own[0].bag.train, own[0].task)


def _reached(trial: RecordedTrial) -> float:
    return 0.0 if trial.failed else trial.score
