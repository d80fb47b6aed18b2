"""The searcher of a study, and what it is told of trials that were trained before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autommlab.common.trial_status import SCORE, WORST_SCORE
from autommlab.training.records import TrialRecord
from autommlab.training.study_options import StudyOptions
from searchers.space import Configuration, SearchSpace

if TYPE_CHECKING:
    from ray.tune.search import Searcher

    from searchers.context import StudyContext
    from serve.client import ServiceClient


def searcher_of(
    space: SearchSpace,
    options: StudyOptions,
    first: Sequence[Configuration],
    context: StudyContext,
    service: ServiceClient | None,
    *,
    seed: int,
) -> Searcher:
    """The searcher of a study; its seed counts earlier trials that are in no state of its own, for one that has yet to
    learn would draw the same points again.
    """
    import searchers
    from searchers.context import StudySettings
    from searchers.finalists import FinalistSearch

    if options.finalists:
        settings = StudySettings(metric=SCORE, seed=seed, first_configs=options.finalists, worst_score=WORST_SCORE)
        return FinalistSearch(space, settings)
    return searchers.create(
        options.searcher,
        space,
        metric=SCORE,
        mode="max",
        seed=seed % 2**32,
        first_configs=first,
        context=context,
        service=service,
        worst_score=WORST_SCORE,
        **searchers.read_options(options.searcher, options.searcher_options),
    )


def tell_earlier(searcher: Searcher, earlier: Sequence[TrialRecord], first: Sequence[Configuration]) -> None:
    """Let a searcher know of earlier trials, those of its first configurations before all others."""
    tried = [(record, record.hyperparameters.model_dump()) for record in earlier]
    for record, point in sorted(tried, key=lambda pair: pair[1] not in first):
        if hasattr(searcher, "observe"):  # one of somebody else's may not know how to
            searcher.observe(record.trial_id, point, record.proposed_by)
            told = {SCORE: record.score, "status": record.status, "reason": record.reason}
            searcher.on_trial_complete(record.trial_id, told)


def first_configurations(options: StudyOptions, default_configuration: Configuration | None) -> list[Configuration]:
    """What the searcher proposes before anything of its own."""
    import searchers

    return [default_configuration] if default_configuration and searchers.needs_first_configs(options.searcher) else []
