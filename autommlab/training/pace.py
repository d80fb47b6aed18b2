"""Keeps a training to its deadline: the schedule moves on faster than the steps where there is no time for all of them.

A learning rate that has not come down leaves a worse model than fewer steps with a complete schedule ("budgeted
training", arXiv 1905.04753). So a training that is slower than planned, be it from its first step or because the
machine got busy, passes over positions of its schedule evenly and still ends at the last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

#: Steps before the speed counts: in the first ones libraries choose their kernels.
_FIRST_STEPS = 3
#: Weight of the newest step in the mean seconds of a step.
_NEWEST = 0.1


class Deadline(BaseModel):
    """When the trainings of a study have to be over.

    Attributes:
        ends_at: seconds since the epoch, validations included.
        validation_s: what one validation is expected to take.
    """

    model_config = ConfigDict(frozen=True)

    ends_at: float
    validation_s: float = 0.0


class DeadlinePace:
    """How many positions of the schedule are passed over after each step of one training.

    Attributes:
        passed_over: so far.
    """

    def __init__(self, deadline: Deadline, clock: Callable[[], float] = time.time) -> None:
        """Nothing is trained yet.

        Args:
            deadline: of the training.
            clock: seconds since the epoch.
        """
        self.passed_over = 0
        self._deadline, self._clock = deadline, clock
        self._validation_s = deadline.validation_s
        self._reserved_s = self._debt = 0.0
        self._steps, self._step_s = 0, 0.0
        self._last: float | None = None

    def begin(self, reports: int) -> None:
        """Steps follow, with so many validations after or between them."""
        self._last = self._clock()
        self._reserved_s = reports * self._validation_s

    def validated(self, seconds: float) -> None:
        """A validation took so long."""
        self._validation_s = max(seconds, self._validation_s)

    def after_step(self, left: int) -> int:
        """Positions to pass over now, of the `left` ones that follow."""
        now = self._clock()
        taken, self._last = now - (self._last or now), now
        self._steps += 1
        self._step_s = taken if self._steps <= 2 else (1 - _NEWEST) * self._step_s + _NEWEST * taken
        time_left = self._deadline.ends_at - self._reserved_s - now
        if self._steps < _FIRST_STEPS and time_left > 0:
            return 0
        extra = self._extra(left, time_left / max(self._step_s, 1e-6))
        self.passed_over += extra
        return extra

    def _extra(self, left: int, affordable: float) -> int:
        if affordable < 1:
            return left
        self._debt = max(0.0, self._debt + left / affordable - 1)
        extra = min(left, int(self._debt))
        self._debt -= extra
        return extra
