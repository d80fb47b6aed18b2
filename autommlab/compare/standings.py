"""From finished studies to the table's lines."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from autommlab.common.trial_status import is_scored
from autommlab.compare.curves import (
    Estimate,
    best_so_far,
    checkpoints,
    estimate,
    normalised_regret,
    paired_p_value,
    trials_to_match,
    wins,
)
from autommlab.compare.records import Standing, StudySummary


def standings(studies: Sequence[StudySummary], searchers: Sequence[str], trials: int) -> tuple[Standing, ...]:
    """One line per searcher, in the given order; only seeds that every searcher has finished count.

    Args:
        studies: in any order.
        searchers: those to show; the first one is what the others are tested against.
        trials: the budget.
    """
    by_name = paired(studies, searchers)
    if not by_name:
        return ()
    curves = {name: [curve_of(study, trials) for study in own] for name, own in by_name.items()}
    finals = {name: [curve[-1] for curve in own] for name, own in curves.items()}
    every = [score for own in by_name.values() for study in own for score in study.scores]
    regrets, won = normalised_regret(finals, max(every), min(every)), wins(finals)
    target = statistics.fmean(finals[searchers[0]])
    return tuple(
        Standing(
            searcher=name,
            best_after=best_after(curves[name], trials),
            test=_tested(own),
            regret=regrets[name],
            wins=won[name],
            failed=_share([not is_scored(status) for study in own for status in study.statuses]),
            fallbacks=sum(study.fallbacks for study in own) / max(1, sum(len(study.scores) for study in own)),
            p_value=None if name == searchers[0] else paired_p_value(finals[name], finals[searchers[0]]),
            trials_to_match=_median_trials(curves[name], target),
            seconds=statistics.fmean(study.seconds for study in own),
            llm_seconds=statistics.fmean(study.llm_seconds for study in own),
            llm_tokens=round(statistics.fmean(study.llm_tokens for study in own)),
        )
        for name, own in by_name.items()
    )


def paired(studies: Sequence[StudySummary], searchers: Sequence[str]) -> dict[str, list[StudySummary]]:
    """Searcher -> its studies in the order of their seeds, of the seeds that every searcher has finished."""
    found = {(study.searcher, study.seed): study for study in studies}
    seeds = sorted({seed for _, seed in found if all((name, seed) in found for name in searchers)})
    return {name: [found[name, seed] for seed in seeds] for name in searchers} if seeds else {}


def best_after(curves: Sequence[Sequence[float]], trials: int) -> dict[int, Estimate]:
    """Number of trials -> best so far over seeds, as far as all of the curves go."""
    reached = min(map(len, curves), default=0)
    return {k: estimate([curve[k - 1] for curve in curves]) for k in checkpoints(trials) if k <= reached}


def curve_of(study: StudySummary, trials: int) -> list[float]:
    """Best so far after each trial of the budget; a study that ended before its budget stays where it was."""
    curve = best_so_far(study.scores)
    length = min(trials, study.budget or trials)
    return (curve + [curve[-1] if curve else 0.0] * length)[:length]


def _tested(studies: Sequence[StudySummary]) -> Estimate | None:
    found = [study.test for study in studies if study.test is not None]
    return estimate(found) if found else None


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0


def _median_trials(curves: Sequence[Sequence[float]], target: float) -> int | None:
    """Trials that the median seed needs; None if at least half of the seeds never get there."""
    needed = sorted(trials_to_match(curve, target) or 10**9 for curve in curves)
    median = needed[len(needed) // 2]
    return None if median == 10**9 else median
