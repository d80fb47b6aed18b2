"""How much of a run's time is over, earlier calls included."""

from __future__ import annotations

import time
from collections.abc import Callable


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
