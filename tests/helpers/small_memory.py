"""A fake that injects a fault: a GPU whose memory holds few images, on a machine without any GPU."""

from __future__ import annotations

from typing import Any

import pytest


def let_memory_hold(images: int, monkeypatch: pytest.MonkeyPatch, *, mode: str = "loss") -> list[int]:
    """Classifiers run out of memory in a forward pass of more images than that.

    Args:
        images: that fit.
        monkeypatch: takes the fault out again.
        mode: "loss" = of training, "predict" = of validation and TEST.

    Returns:
        Gets the images of each pass.
    """
    import torch

    from autommlab.tasks import Task
    from autommlab.training.trial import prepare_toolbox

    prepare_toolbox(Task.CLASSIFICATION)
    from mmpretrain.models import ImageClassifier

    usual, seen = ImageClassifier.forward, list[int]()

    def forward(self: Any, inputs: Any, *given: Any, **named: Any) -> Any:
        if named.get("mode") == mode:
            seen.append(len(inputs))
            if len(inputs) > images:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Injected by a test.")
        return usual(self, inputs, *given, **named)

    monkeypatch.setattr(ImageClassifier, "forward", forward)
    return seen
