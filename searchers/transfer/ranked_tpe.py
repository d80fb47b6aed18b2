"""TPE whose draws are ranked by past trials and this study's results together.

TPE draws around the best configurations so far and over the whole space, and takes the draw that its two densities
favour most. After 3 to 20 results these densities know little, least of all where the results lie close together, as
an LLM's
do: then they favour whatever lies far from all of them. `residual_gp` picks better among the same draws.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection

from searchers.distance import is_near
from searchers.space import Configuration, SearchSpace
from searchers.transfer.residual_gp import ResidualGP, Result
from searchers.transfer.transfer_surrogate import TransferSurrogate

#: Draws a proposal, ten times what TPE compares; a quarter of them did a little worse.
_DRAWS = 256


class RankedTPESampler(TPESampler):
    """Optuna's `TPESampler` with more draws and another order among them.

    Args:
        space: what may be proposed.
        score: of any configuration of it.
        settings: of `TPESampler`; with multivariate=True, as parameters one by one make no configuration.
    """

    def __init__(self, space: SearchSpace, score: TransferSurrogate, **settings: Any) -> None:
        super().__init__(n_ei_candidates=_DRAWS, **settings)
        self._space, self._score = space, score
        # Optuna leaves out parameters with one value.
        self._fixed = space.sample(random.Random(0))  # noqa: S311 - draws a configuration, not secrets
        self._results: dict[int, Result] = {}
        self._running: list[Configuration] = []

    @contextlib.contextmanager
    def light(self) -> Iterator[None]:
        """Inside the block without the past trials behind the score: no part of a state, and hundreds of times it."""
        score = self._score
        del self._score
        try:
            yield
        finally:
            self._score = score

    def take_over(self, before: RankedTPESampler) -> None:
        """After a restore: the score of the sampler that the searcher was made with."""
        self._score = before._score

    def _sample(self, study: Study, *arguments: Any, **more: Any) -> dict[str, Any]:
        sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
        self._running = []
        for trial in study.get_trials(deepcopy=False):
            config, known = {**self._fixed, **trial.params}, self._results.get(trial.number)
            if trial.value is not None and (known is None or known.value != sign * trial.value):
                self._results[trial.number] = Result(config, sign * trial.value, *self._score.values([config]))
            elif trial.params and not trial.state.is_finished():  # one that is being asked for has none yet
                self._running.append(config)
        return super()._sample(study, *arguments, **more)

    def _compute_acquisition_func(self, samples: dict[str, np.ndarray], mpe_below: Any, mpe_above: Any) -> np.ndarray:
        configs = self._configs(samples, mpe_below._search_space)
        results = list(self._results.values())
        gains = ResidualGP(self._space, self._score, results, self._running).improvement(configs)
        tried = [*(result.config for result in results), *self._running]
        for best in np.argsort(-gains, kind="stable"):
            if not is_near(self._space, configs[best], tried):
                break
            gains[best] = -np.inf
        return gains

    def _configs(self, samples: dict[str, np.ndarray], distributions: dict[str, Any]) -> list[Configuration]:
        named = {
            name: [distributions[name].to_external_repr(value) for value in drawn] for name, drawn in samples.items()
        }
        rows = zip(*named.values(), strict=True)
        return [self._space.clip({**self._fixed, **dict(zip(named, row, strict=True))}) for row in rows]
