"""A fixed portfolio: the same configurations for every study of a task, chosen from past studies of that task alone.

The simplest use of a trial history: unlike `zero_shot`, nothing of the study but its task is looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from searchers.context import StudyContext, StudySettings
from searchers.space import Configuration, SearchSpace
from searchers.transfer.trial_history import PastStudy, history_or_shipped, load_history, past_studies, why_not_applied
from searchers.transfer.zero_shot import ZeroShotSearch, portfolio

_NAME = "fixed-portfolio"
#: The fact that says what kind of model is trained.
_TASK = "task"


def fixed_portfolio(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    trial_history: str | None = None,
    size: Annotated[int, Field(ge=1)] = 10,
) -> ZeroShotSearch:
    """Configurations that together do best over all past studies of the same task, the best one first.

    Args:
        space, study: see `TrackingSearcher`.
        context: its fact "task" chooses the past studies; without one, or where no past study has it, all count.
        trial_history: JSONL file, perhaps compressed (.gz); None = AUTOMMLAB_TRIAL_HISTORY, else that of this package.
        size: most configurations; random ones follow.

    Raises:
        SearcherError: the file cannot be used.
    """
    known = context or StudyContext()
    missing = why_not_applied(trial_history, space, known, study.mode)
    found: list[Configuration] = []
    if not missing:
        past = past_studies(space, known, load_history(history_or_shipped(trial_history)), study.mode)
        found = portfolio(space, _of_the_task(past, known), size)
    searcher = ZeroShotSearch(space, study, configs=found, name=_NAME)
    searcher.without_past_trials(missing, "it draws at random")
    return searcher


def _of_the_task(past: list[PastStudy], context: StudyContext) -> list[PastStudy]:
    """All of them weigh the same."""
    own = [one for one in past if one.facts.get(_TASK) == context.facts.get(_TASK)]
    return [replace(one, distance=0.0) for one in own or past]
