"""A transfer surrogate: what trials of earlier studies let one expect of a configuration in this one.

A forest over hyperparameters and the facts of the context, fitted to each trial's place in its own study's
range. `hpo-llama` ranks the candidates of a call by it, as OptFormer (arXiv 2205.13320) ranks its samples by
predicted metrics; the searcher `forest` is the same score without an LLM. Results of the present study do not
enter: with a handful of them the order of random configurations was not better (45 bags, an eighth left out in turn,
2026-11-26); `residual_gp` adds them where the configurations lie close together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from searchers.candidates import Candidate, Ranker, by_likelihood
from searchers.context import Fact, StudyContext
from searchers.distance import unit_value
from searchers.settings import LlmOptions
from searchers.space import ChoiceParameter, Configuration, SearchSpace
from searchers.transfer.trial_history import (
    PastStudy,
    PastTrial,
    history_or_shipped,
    load_history,
    past_studies,
    why_not_applied,
)

_TREES = 100
#: Fraction of the features that a split looks at.
_FEATURES = 0.6
#: A fact that a study does not have.
_UNKNOWN = -1.0
#: Studies whose range is taken for usual.
_NEAREST = 6
#: Decimals of a normalised score that decide; forests on two machines agree as far.
_DECIMALS = 6


class Forest:
    """Extremely randomised trees.

    Args:
        rows: features of what is known.
        values: one for each row.
        settings: more of scikit-learn's `ExtraTreesRegressor`.
    """

    def __init__(self, rows: Sequence[Sequence[float]], values: Sequence[float], **settings: Any) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        fitted: Any = ExtraTreesRegressor(_TREES, max_features=_FEATURES, random_state=0, **settings)
        fitted.fit(np.array(rows, dtype=np.float32), values)
        # Its own `predict` dispatches to threads, which costs more than a few rows do.
        self._trees = [tree.tree_ for tree in fitted.estimators_]

    def means(self, rows: Sequence[Sequence[float]]) -> np.ndarray:
        """What the trees expect of each row."""
        asked = np.array(rows, dtype=np.float32)
        expected: np.ndarray = np.mean([tree.predict(asked)[:, 0] for tree in self._trees], axis=0)
        return expected


class TransferSurrogate:
    """Expected normalised score, 0 to 1; also a `Ranker`.

    Args:
        space, context: of the present study.
        studies: earlier ones in terms of this space, not empty, the nearest first.

    Attributes:
        usual_range: from the worst to the best trial of the nearest studies, in units of the objective.
    """

    def __init__(self, space: SearchSpace, context: StudyContext, studies: Sequence[PastStudy]) -> None:
        self._space = space
        self.usual_range = float(np.median([s.range for s in studies[:_NEAREST] if s.range > 0] or [1.0]))
        every = [study.facts for study in studies]
        self._named = sorted({(n, v) for facts in every for n, v in facts.items() if isinstance(v, str)})
        self._counted = sorted({n for facts in every for n, v in facts.items() if not isinstance(v, str)})
        self._facts = self._described(context.facts)
        rows = [
            [*self._placed(config), *described]
            for study in studies
            for described in [self._described(study.facts)]
            for config, _ in study.trials
        ]
        scores = [score for study in studies for _, score in study.trials]
        self._forest = Forest(rows, scores)

    def values(self, configs: Sequence[Configuration]) -> list[float]:
        """What each configuration is expected to reach."""
        if not configs:
            return []
        means = self._forest.means([[*self._placed(config), *self._facts] for config in configs])
        return [round(float(value), _DECIMALS) for value in means]

    def __call__(self, candidates: Sequence[Candidate], space: SearchSpace) -> list[Candidate]:
        """See `Ranker`; of equally promising ones the likelier text comes first."""
        likely = by_likelihood(candidates, space)
        values = self.values([candidate.config for candidate in likely])
        told = [replace(candidate, expected=value) for candidate, value in zip(likely, values, strict=True)]
        return sorted(told, key=lambda candidate: -(candidate.expected or 0.0))

    def _placed(self, config: Configuration) -> list[float]:
        """Numbers by their place and, where the scale is logarithmic, by themselves; choices one by one."""
        row: list[float] = []
        for parameter in self._space.parameters:
            value = config[parameter.name]
            if isinstance(parameter, ChoiceParameter):
                row += [float(value == choice) for choice in parameter.choices]
            else:
                row += [unit_value(parameter, value), math.log(float(value)) if parameter.log else float(value)]
        return row

    def _described(self, facts: Mapping[str, Fact]) -> list[float]:
        numbers = [facts.get(name) for name in self._counted]
        return [
            *(float(facts.get(name) == value) for name, value in self._named),
            *(float(n) if isinstance(n, int | float) else _UNKNOWN for n in numbers),
        ]


def fit_surrogate(
    space: SearchSpace, context: StudyContext, trial_history: Sequence[PastTrial], mode: str = "max"
) -> TransferSurrogate | None:
    """Fitted to past trials; None if no earlier study has this space's parameters.

    Args:
        space, context, mode: of the present study.
        trial_history: trials of earlier ones.
    """
    studies = past_studies(space, context, trial_history, mode)
    return TransferSurrogate(space, context, studies) if studies else None


def surrogate_from(
    path: Path, space: SearchSpace, context: StudyContext, mode: str = "max"
) -> TransferSurrogate | None:
    """`fit_surrogate` by the trials of a file: read and fitted once a process for as long as the file stays as it is.

    Raises:
        SearcherError: the file cannot be used.
    """
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _fitted(path, changed, space, tuple(context.facts.items()), mode)


@lru_cache(maxsize=8)
def _fitted(
    path: Path, _changed: int, space: SearchSpace, facts: tuple[tuple[str, Fact], ...], mode: str
) -> TransferSurrogate | None:
    return fit_surrogate(space, StudyContext(facts=dict(facts)), load_history(path), mode)


def surrogate_for(
    given: str | None, space: SearchSpace, context: StudyContext, mode: str
) -> tuple[TransferSurrogate | None, str]:
    """The surrogate of a study, or None and why past trials do not apply to it; arguments as in `why_not_applied`.

    Raises:
        SearcherError: the file of past trials cannot be used.
    """
    reason = why_not_applied(given, space, context, mode)
    return (None if reason else surrogate_from(history_or_shipped(given), space, context, mode)), reason


def ranker_for(space: SearchSpace, context: StudyContext, options: LlmOptions, mode: str) -> Ranker:
    """The ranker that the options ask for; by likelihood where no past trials apply.

    Raises:
        SearcherError: the file of past trials cannot be used.
    """
    if options.rank_by == "likelihood" or why_not_applied(options.trial_history, space, context, mode):
        return by_likelihood
    return surrogate_from(history_or_shipped(options.trial_history), space, context, mode) or by_likelihood
