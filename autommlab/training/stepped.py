"""mmengine's loops cut into pieces, so that Ray Tune can look in between, and able to do with less memory or precision.

Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import IterBasedTrainLoop, Runner, TestLoop, ValLoop

from autommlab.acceleration import Precision
from autommlab.training.loss_curve import LossCurve
from autommlab.training.optim_wrapper import autocast
from autommlab.training.pace import DeadlinePace
from autommlab.training.parts import (
    batch_size,
    free_memory,
    in_parts,
    is_out_of_memory,
    lacks_precision,
    next_precision,
    split,
)


class DivergedError(RuntimeError):
    """The loss is not a finite number any more."""


@LOOPS.register_module(force=True)
class SteppedTrainLoop(IterBasedTrainLoop):
    """`IterBasedTrainLoop` whose `run` only gets ready; `advance` trains, the caller validates.

    Args:
        *given, **others: of `IterBasedTrainLoop`.
        micro_batches: a step that runs out of memory is done again with the batch in twice as many parts, and so are
            the steps after it.

    Attributes:
        parts: of a batch, 1 = undivided.
        notes: sentences about what had to be changed, for the trial's record.
        losses: of the steps that this process has taken, kept by `StopOnNonFiniteLoss`.
    """

    def __init__(self, *given: Any, micro_batches: bool = False, **others: Any) -> None:
        super().__init__(*given, **others)
        self._may_split = micro_batches
        self.parts = 1
        self.notes: list[str] = []
        self.losses = LossCurve(self._max_iters)

    def run(self) -> torch.nn.Module:
        """Call the hooks that precede training and skip the data that a resumed trial has seen."""
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        if self._iter > 0:
            self.dataloader_iterator.skip_iter(self._iter)
        return self.runner.model

    def advance(self, until: int, pace: DeadlinePace | None = None) -> None:
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

    def run_iter(self, data_batch: Any) -> None:
        """One step of the optimiser."""
        self.runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=data_batch)
        outputs = self._step(data_batch)
        self.runner.call_hook("after_train_iter", batch_idx=self._iter, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _step(self, data_batch: Any) -> dict[str, Any]:
        while True:
            try:
                return in_parts(self.runner.model, self.runner.optim_wrapper, data_batch, self.parts)
            except Exception as error:
                self._adapt(error, batch_size(data_batch))
            # Not before here, where the failed step's frames are gone, and with them all that it had computed.
            free_memory(self.runner.model.parameters())

    def _adapt(self, error: Exception, images: int) -> None:
        """Change what makes the step possible.

        Raises:
            Exception: the error itself, where there is nothing to change or the weights are half updated.
        """
        wrapper = self.runner.optim_wrapper
        if wrapper.stepping:
            raise error
        if self._may_split and is_out_of_memory(error) and self.parts < images:
            self.parts = min(2 * self.parts, images)
        elif wrapper.precision != "float32" and lacks_precision(error):
            reason = str(error).splitlines()[0]
            other = next_precision(wrapper.precision, wrapper.kind)
            self.notes.append(f"trains in {other}: the model does not run in {wrapper.precision} ({reason})")
            wrapper.use(other)
        else:
            raise error


class _Predicting:
    """Part of a loop: predicts a batch, with less memory or in float32 where it has to."""

    runner: Runner
    evaluator: Any
    precision: Precision = "float32"
    parts = 1

    def predicted(self, data_batch: Any) -> list[Any]:
        """The model's samples for a batch, in its order."""
        kind = next(self.runner.model.parameters()).device.type
        while True:
            try:
                with autocast(kind, self.precision):
                    found = [self.runner.model.val_step(part) for part in split(data_batch, self.parts)]
                return [sample for samples in found for sample in samples]
            except Exception as error:
                self._adapt(error, batch_size(data_batch))
            free_memory()

    def _adapt(self, error: Exception, images: int) -> None:
        if is_out_of_memory(error) and self.parts < images:
            self.parts = min(2 * self.parts, images)
        elif self.precision != "float32" and lacks_precision(error):
            kind = next(self.runner.model.parameters()).device.type
            self.precision = next_precision(self.precision, kind)
        else:
            raise error


@LOOPS.register_module(force=True)
class TrialValLoop(_Predicting, ValLoop):
    """`ValLoop` under autocast; a batch that does not fit into memory is split.

    Args:
        *given, **others: of `ValLoop`.
        precision: of the forward pass.
    """

    def __init__(self, *given: Any, precision: Precision = "float32", **others: Any) -> None:
        super().__init__(*given, **others)
        self.precision = precision

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Predict one batch and hand it to the metrics."""
        self.runner.call_hook("before_val_iter", batch_idx=idx, data_batch=data_batch)
        outputs = self.predicted(data_batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook("after_val_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)


@LOOPS.register_module(force=True)
class TrialTestLoop(_Predicting, TestLoop):
    """`TestLoop` in float32; a batch that does not fit into memory is split."""

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Predict one batch and hand it to the metrics."""
        self.runner.call_hook("before_test_iter", batch_idx=idx, data_batch=data_batch)
        outputs = self.predicted(data_batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook("after_test_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)


@HOOKS.register_module(force=True)
class StopOnNonFiniteLoss(Hook):
    """Keeps the loss of each step, and ends a diverged trial at once instead of letting it burn its budget."""

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Take the step's loss, the mean over all workers.

        Raises:
            DivergedError: it is NaN or infinite.
        """
        loss = outputs.get("loss") if outputs else None
        if loss is None:
            return
        mean = torch.as_tensor(loss).detach().clone()
        all_reduce(mean, op="mean")  # so that all workers end here together; does nothing in a single one
        value = float(mean)
        if not math.isfinite(value):
            raise DivergedError(f"the loss became {value} at iteration {batch_idx + 1}")
        runner.train_loop.losses.add(batch_idx + 1, value, _learning_rate(runner.optim_wrapper.optimizer))


def _learning_rate(optimizer: torch.optim.Optimizer) -> float:
    """The peak rate times what the schedules have made of it; parameters may have multipliers of their own beside."""
    peak = float(optimizer.defaults["lr"])
    group = next((group for group in optimizer.param_groups if group.get("initial_lr")), None)
    return peak if group is None else peak * float(group["lr"]) / float(group["initial_lr"])
