"""Several pictures in one call of the engine: which models take them, and that each gets its own answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autommlab.deployment.predicting import load_bundle
from autommlab.model_service.batching import Batches, batches_of
from tests.helpers.tiny_bundles import SIDE, make_bundle


@pytest.mark.parametrize(
    ("kind", "most"),
    [("classification", 4), ("segmentation", 4), ("detection", 1), ("detection-raw", 1), ("keypoint-simcc", 1)],
)
def test_graphs_that_are_made_for_one_picture_are_found(tmp_path: Path, kind: str, most: int) -> None:
    """The outputs of the last three are constants, of one picture."""
    bundle = load_bundle(make_bundle(tmp_path / "bundle", kind), threads=1)
    assert batches_of(bundle.predictor, 1).most == 1
    batches = batches_of(bundle.predictor, 7, threads=1)
    assert batches.most == most
    pictures = [np.full((1, 3, SIDE, SIDE), number / 9, np.float32) for number in range(9)]
    for count in range(1, 10):
        together = batches(pictures[:count])
        assert len(together) == count
        for picture, found in zip(pictures, together, strict=False):
            assert all(map(np.array_equal, found, bundle.predictor.session(picture)))


def test_calls_are_as_large_as_they_can_be() -> None:
    asked: list[int] = []

    def session_of(size: int) -> Callable[[np.ndarray], list[np.ndarray]]:
        def run(tensors: np.ndarray) -> list[np.ndarray]:
            assert tensors.shape[0] == size
            asked.append(size)
            return [tensors * 2]

        return run

    batches = Batches({size: session_of(size) for size in (1, 2, 4)})
    found = batches([np.full((1, 2), number, np.float32) for number in range(7)])
    assert asked == [4, 2, 1]
    assert [float(outputs[0][0, 0]) for outputs in found] == [0, 2, 4, 6, 8, 10, 12]
