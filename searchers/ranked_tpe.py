"""TPE whose draws are ranked by past trials too: while results of this study are few, those of earlier ones decide.

TPE draws around the best points so far and takes the draw that its two densities favour most. After 3 to 20
results these densities know little; a learned score (`learned_score`) picks better among the same draws. Its say
fades with the results, as the prior's does in piBO (arXiv 2204.11051), so that past trials that mislead are outvoted.
Made on landscapes of training bags, see `training_data_gen/benchmarks/README.md`.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from optuna.samplers import TPESampler
from optuna.study import Study

from searchers.learned_score import LearnedScore
from searchers.space import Point, SearchSpace

#: Results of this study after which its densities count as much as past trials do; 5 and 20 did as well.
_EVEN_AFTER = 10


class RankedTPESampler(TPESampler):
    """Optuna's `TPESampler` with another order among the points it draws.

    Args:
        space: what may be proposed.
        score: of any point of it.
        settings: of `TPESampler`; with multivariate=True, as parameters one by one make no point.
    """

    def __init__(self, space: SearchSpace, score: LearnedScore, **settings: Any) -> None:
        super().__init__(**settings)
        self._space, self._score = space, score
        # Optuna leaves out parameters with one value.
        self._fixed = space.sample(random.Random(0))
        self._known = 0

    def _sample(self, study: Study, *arguments: Any, **more: Any) -> dict[str, Any]:
        self._known = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
        return super()._sample(study, *arguments, **more)

    def _compute_acquisition_func(self, samples: dict[str, np.ndarray], mpe_below: Any, mpe_above: Any) -> np.ndarray:
        here = super()._compute_acquisition_func(samples, mpe_below, mpe_above)
        before = np.array(self._score.values(self._points(samples, mpe_below._search_space)))
        weight = _EVEN_AFTER / (_EVEN_AFTER + self._known)
        return weight * _standardised(before) + (1 - weight) * _standardised(here)

    def _points(self, samples: dict[str, np.ndarray], distributions: dict[str, Any]) -> list[Point]:
        named = {
            name: [distributions[name].to_external_repr(value) for value in drawn] for name, drawn in samples.items()
        }
        rows = zip(*named.values(), strict=True)
        return [self._space.clip({**self._fixed, **dict(zip(named, row, strict=True))}) for row in rows]


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread else np.zeros_like(values)
