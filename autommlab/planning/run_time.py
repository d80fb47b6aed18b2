"""What limits a run, the time that a person gives or the number of trials, and how much of the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable

from autommlab.options import RunOptions
from autommlab.settings import Images

#: Most pictures of a run that is limited by its time: every one to train on; validation and test are cut to what
#: tells a difference of two percent, so that looking at them leaves time for training.
PLANNED_IMAGES: Images = (None, 1000, 1000)


def asked_seconds(options: RunOptions) -> float | None:
    """Of the whole run; None where trials limit it and not the time."""
    if options.time_min is not None:
        return 60 * options.time_min
    minutes = options.budget.minutes if not options.trials else None
    return None if minutes is None else 60 * minutes


def trials_fixed(options: RunOptions) -> bool:
    """Whether the person says how many trials a search has, and not its time."""
    file = options.budget_file
    in_file = file is not None and file.trials is not None and file.minutes is None
    return options.trials is not None or in_file


class RunClock:
    """Counts from the start of a call; what earlier calls of the same run took comes on top.

    Args:
        before_s: seconds of earlier calls.
        clock: seconds that only grow.
    """

    def __init__(self, before_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._before_s, self._clock, self._began = before_s, clock, clock()

    def spent_s(self) -> float:
        """Seconds of the run until now."""
        return self._before_s + self._clock() - self._began
