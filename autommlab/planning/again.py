"""Planning again for a run that goes on with more time or more trials: what is trained counts, and stays as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autommlab.options import RunOptions
from autommlab.planning.circumstances import SHORTEST_FINAL_S
from autommlab.planning.records import Plan
from autommlab.planning.run_time import asked_seconds


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a run has done by an earlier plan.

    Attributes:
        plan: the earlier one.
        trials: of the search that are finished.
        searched_s: what the search took.
    """

    plan: Plan
    trials: int
    searched_s: float


def seconds_now(options: RunOptions, earlier: Earlier | None, spent_s: float) -> float | None:
    """Of the whole run as it is asked for now; None where trials limit it and not the time.

    More trials of a run that had a time take the time that they need, and the final training comes again.

    Args:
        options: as they are now.
        earlier: None for a run that has no plan yet.
        spent_s: of the run until now.
    """
    asked_s = asked_seconds(options)
    before = earlier.plan if earlier else None
    if asked_s is not None or earlier is None or before is None or before.time is None or before.full is None:
        return asked_s
    more = max(0, options.budget.trials - earlier.trials)
    search = before.search
    trials_s = math.ceil(more / max(1, search.concurrent)) * search.trial_s if search else 0.0
    return spent_s + before.full.start_s + trials_s + before.finals_s + before.time.after_training_s


def has_more(options: RunOptions, earlier: Earlier, spent_s: float) -> bool:
    """Whether the options ask for more time than the earlier plan had, and enough of it is left to train."""
    asked_s, before = seconds_now(options, earlier, spent_s), earlier.plan.time
    if asked_s is None or (before is not None and asked_s <= before.asked_s):
        return False
    reserved_s = before.after_training_s if before else 0.0
    start_s = earlier.plan.full.start_s if earlier.plan.full else 0.0
    return asked_s - spent_s - reserved_s > start_s + SHORTEST_FINAL_S
