"""mmengine's training loop cut into pieces, so that Ray Tune can look in between.

Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import IterBasedTrainLoop, Runner

from autommlab.training.pace import Pace


class DivergedError(RuntimeError):
    """The loss is not a finite number any more."""


@LOOPS.register_module(force=True)
class SteppedTrainLoop(IterBasedTrainLoop):
    """`IterBasedTrainLoop` whose `run` only gets ready; `advance` trains, the caller validates."""

    def run(self) -> torch.nn.Module:
        """Call the hooks that precede training and skip the data that a resumed trial has seen."""
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        if self._iter > 0:
            self.dataloader_iterator.skip_iter(self._iter)
        return self.runner.model

    def advance(self, until: int, pace: Pace | None = None) -> None:
        """Train up to and including iteration `until`.

        Args:
            until: position in the schedule.
            pace: passes over positions where there is a deadline.
        """
        while self._iter < min(until, self._max_iters):
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            if pace is not None:
                self._pass_over(pace.after_step(self._max_iters - self._iter))

    def _pass_over(self, positions: int) -> None:
        for _ in range(positions):
            for scheduler in self.runner.param_schedulers:
                scheduler.step()
        self._iter += positions


@HOOKS.register_module(force=True)
class StopOnNonFiniteLoss(Hook):
    """Ends a diverged trial at once instead of letting it burn its budget."""

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Raise `DivergedError` if the step's loss, the mean over all workers, is NaN or infinite."""
        loss = outputs.get("loss") if outputs else None
        if loss is None:
            return
        mean = torch.as_tensor(loss).detach().clone()
        all_reduce(mean, op="mean")  # so that all workers end here together; does nothing in a single one
        if not math.isfinite(float(mean)):
            raise DivergedError(f"the loss became {float(mean)} at iteration {batch_idx + 1}")
