"""What limits a run: the time that a person gives, or the number of trials."""

from __future__ import annotations

from autommlab.options import RunOptions
from autommlab.settings import Images

#: Most pictures of a run that is limited by its time: every one to train on; validation and test are cut to what
#: tells a difference of two percent, so that looking at them leaves time for training.
PLANNED_IMAGES: Images = (None, 1000, 1000)


def asked_seconds(options: RunOptions) -> float | None:
    """Of the whole run; None where trials limit it and not the time."""
    if options.time_min is not None:
        return 60 * options.time_min
    return None if trials_fixed(options) or options.budget.minutes is None else 60 * options.budget.minutes


def trials_fixed(options: RunOptions) -> bool:
    """Whether the person says how many trials there are."""
    in_file = options.budget_file is not None and options.budget_file.trials is not None
    return options.trials is not None or in_file
