"""TPE that starts from what earlier studies promise instead of random draws: the fair rival of an LLM that saw them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from searchers.context import StudyContext, StudySettings
from searchers.distance import is_near
from searchers.optuna_search import OptunaSearcher, tpe_after
from searchers.space import Configuration, SearchSpace
from searchers.tracking import Attempt
from searchers.transfer.prospects import Prospects
from searchers.transfer.transfer_surrogate import surrogate_for

_NAME = "tpe-warm"


def warm_tpe(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    trial_history: str | None = None,
    warm: Annotated[int, Field(ge=1)] = 3,
) -> OptunaSearcher:
    """`tpe` whose first trials are the best of the grid around the default by the transfer surrogate.

    Args:
        space, study: see `TrackingSearcher`; the study's own first configurations come before.
        context: what the study is about; without a default configuration in it there is no grid.
        trial_history: JSONL file, perhaps compressed (.gz); None = AUTOMMLAB_TRIAL_HISTORY, else that of this package.
        warm: how many of the grid's configurations are tried; TPE's model takes over after as many trials.

    Raises:
        SearcherError: the file cannot be used.
    """
    known = context or StudyContext()
    score, missing = surrogate_for(trial_history, space, known, study.mode)
    found = _best(Prospects(space, score, study.mode, known.default), warm) if score else []
    own = [dict(config) for config in study.first_configs]
    more = [config for config in found if not is_near(space, config, own)]
    searcher = tpe_after(space, replace(study, first_configs=[*own, *more]), startup_trials=warm, name=_NAME)
    searcher.without_past_trials(missing, "it starts with random draws")
    return searcher


def _best(prospects: Prospects, count: int) -> list[Configuration]:
    """The most promising ones, no two of them near each other, before there is any result."""
    ledger: list[Attempt] = []
    for _ in range(count):
        # Without results no neighbour is drawn, so the generator decides nothing.
        best = prospects.best(ledger, random.Random(0))  # noqa: S311
        if best is None:
            break
        ledger.append(Attempt(best.config, best.source))
    return [attempt.config for attempt in ledger]
