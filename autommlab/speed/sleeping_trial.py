"""A stand-in trainable that only sleeps and reports, for measuring what surrounds a trial. It trains nothing."""

from __future__ import annotations

import os
import time
from typing import Any

from ray import tune

from autommlab.common.trial_status import SCORE


class SleepingTrial(tune.Trainable):
    """One report after `seconds`; the score depends on the point alone, so that searchers have something to read."""

    def setup(self, config: dict[str, Any], seconds: float = 1.0) -> None:
        """Remember the point; `seconds` comes by `tune.with_parameters`."""
        self._seconds = seconds
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take another point in the same process."""
        self._point = dict(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Sleep, then report when it began and ended."""
        began = time.time()
        time.sleep(self._seconds)
        score = 1 / (1 + abs(float(self._point["lr"]) - 1e-3) * 1e3)
        return {SCORE: score, "began": began, "ended": time.time(), "worker": os.getpid(), "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to keep."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to restore."""
