"""The optimiser's wrapper of all trials: autocast on any device, and one step over several parts of a batch.

mmengine's `AmpOptimWrapper` refuses to run without a GPU, and its `accumulative_counts` counts each part as an
iteration, so that schedules and reports would shift. Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from autommlab.acceleration import Precision

_SCALER = "loss_scaler"


def autocast(kind: str, precision: Precision) -> torch.autocast:
    """The context of a forward pass on a device of this kind; does nothing for float32."""
    reduced = precision != "float32"
    return torch.autocast(kind, dtype=getattr(torch, precision) if reduced else None, enabled=reduced)


@OPTIM_WRAPPERS.register_module(force=True)
class TrialOptimWrapper(OptimWrapper):
    """Autocast, a scaled loss for float16, and gradients summed over the parts of a batch.

    Args:
        precision: of the forward pass.
        **others: of mmengine's `OptimWrapper`.

    Attributes:
        stepping: whether an update of the weights has begun and not ended; what fails then cannot be tried again.
    """

    def __init__(self, *, precision: Precision = "float32", **others: Any) -> None:
        super().__init__(**others)
        self.kind = self.optimizer.param_groups[0]["params"][0].device.type
        self.stepping = False
        self._weight, self._is_last = 1.0, True
        self.use(precision)

    def use(self, precision: Precision) -> None:
        """Go on in this precision."""
        self.precision = precision
        self._scaler: Any = torch.amp.GradScaler(self.kind, enabled=precision == "float16")

    @contextlib.contextmanager
    def part(self, fraction: float, *, is_last: bool) -> Iterator[None]:
        """Inside the block: the loss is that of a part of the batch, and the weights are updated after the last one.

        Args:
            fraction: of the batch's images, so that all parts together give the mean over the batch.
            is_last: of its parts.
        """
        self._weight, self._is_last = fraction, is_last
        try:
            yield
        finally:
            self._weight, self._is_last = 1.0, True

    def should_update(self) -> bool:
        """Whether the whole batch has been seen, or all batches of `accumulative_counts`."""
        return self._is_last and super().should_update()

    def should_sync(self) -> bool:
        """Whether workers exchange gradients."""
        return self._is_last and super().should_sync()

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """The part's share of the batch's loss."""
        scaled = super().scale_loss(loss)
        return scaled if self._weight == 1.0 else scaled * self._weight

    @contextlib.contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """The context of a forward pass in training."""
        with super().optim_context(model), autocast(self.kind, self.precision):
            yield

    def backward(self, loss: torch.Tensor, **options: Any) -> None:
        """Add the gradients of a loss."""
        self._scaler.scale(loss).backward(**options)
        self._inner_count += self._is_last  # mmengine counts batches, not their parts

    def step(self, **options: Any) -> None:
        """Update the weights; float16 gradients that overflowed leave them as they are."""
        self.stepping = True
        if self.clip_grad_kwargs:
            self._scaler.unscale_(self.optimizer)
            self._clip_grad()
        self._scaler.step(self.optimizer, **options)
        self._scaler.update()
        self.stepping = False

    def state_dict(self) -> dict[str, Any]:
        """Of the optimiser and of the loss's scale."""
        return {**super().state_dict(), _SCALER: self._scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of an earlier process."""
        state = dict(state_dict)
        scale = state.pop(_SCALER, None)
        if scale and self._scaler.is_enabled():
            self._scaler.load_state_dict(scale)
        super().load_state_dict(state)
