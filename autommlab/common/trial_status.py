"""What every trial reports: the key of its score, and how it ended."""

from __future__ import annotations

from typing import Literal

#: Key of the objective in a result, whatever the figure is called.
SCORE = "score"
#: What a failed trial of ours has there: scores are fractions.
WORST_SCORE = 0.0
#: How a trial ended. Only "ok" and "stopped" (early, by a scheduler) carry a score that the model reached.
TrialStatus = Literal["ok", "stopped", "diverged", "out-of-memory", "failed", "worker-died"]


def is_scored(status: object) -> bool:
    """Whether a trial that ended so has a score that its model reached."""
    return status in ("ok", "stopped")
