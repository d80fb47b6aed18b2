"""timm's networks as backbones whose batch norms can keep their statistics.

Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

from typing import Any

from mmpretrain.models import TIMMBackbone
from mmpretrain.registry import MODELS
from torch.nn.modules.batchnorm import _BatchNorm


@MODELS.register_module(force=True)
class NormEvalTIMMBackbone(TIMMBackbone):
    """mmpretrain's `TIMMBackbone` with the `norm_eval` of mmdetection's backbones.

    Args:
        *given, **others: of `TIMMBackbone`.
        norm_eval: batch norms normalise with the statistics of their weights in training too; scale and shift are
            still trained.
    """

    def __init__(self, *given: Any, norm_eval: bool = False, **others: Any) -> None:
        super().__init__(*given, **others)
        self.norm_eval = norm_eval

    def train(self, mode: bool = True) -> NormEvalTIMMBackbone:
        """As of `torch.nn.Module`; the batch norms stay in evaluation mode where `norm_eval` says so."""
        super().train(mode)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self
