"""What counts as the same output."""

from __future__ import annotations

import numpy as np
import pytest

from autommlab.deployment.comparison import OutputComparison, detection_difference
from autommlab.tasks import Task
from autommlab.understanding.request import Engine

BOXES = np.array([[0, 0, 50, 50], [60, 60, 90, 90], [0, 0, 9, 9]], np.float32)
SCORES = np.array([0.9, 0.5, 0.02], np.float32)
LABELS = np.array([0, 1, 0])


def test_order_and_unsure_boxes_do_not_matter() -> None:
    shuffled = (BOXES[[1, 0]], SCORES[[1, 0]], LABELS[[1, 0]])
    assert detection_difference((BOXES, SCORES, LABELS), shuffled, 100) == 0


@pytest.mark.parametrize("side", [0, 1])
def test_a_confident_box_that_only_one_side_has(side: int) -> None:
    both = [(BOXES, SCORES, LABELS), (BOXES[:1], SCORES[:1], LABELS[:1])]
    assert detection_difference(both[side], both[1 - side], 100) == 1


def test_shifted_and_rescored_boxes() -> None:
    shifted = BOXES + np.float32(2)
    assert detection_difference((BOXES, SCORES, LABELS), (shifted, SCORES, LABELS), 100) == pytest.approx(0.02)
    rescored = (BOXES, SCORES - np.float32(0.1), LABELS)
    assert detection_difference((BOXES, SCORES, LABELS), rescored, 100) == pytest.approx(0.1, abs=1e-6)


def test_another_class_is_another_box() -> None:
    assert detection_difference((BOXES, SCORES, LABELS), (BOXES, SCORES, 1 - LABELS), 100) == 1


def test_weak_models_are_compared_too() -> None:
    weak = (BOXES, SCORES / 20, LABELS)
    assert detection_difference(weak, (BOXES[:0], SCORES[:0], LABELS[:0]), 100) == 1


def test_no_boxes_on_either_side() -> None:
    empty = (BOXES[:0], SCORES[:0], LABELS[:0])
    assert detection_difference(empty, empty, 100) == 0


def comparison() -> OutputComparison:
    return OutputComparison(Task.SEGMENTATION, {}, 64)


def test_tolerance_grows_with_the_outputs_and_the_engine() -> None:
    seen = comparison()
    seen.add([np.full((1, 2), 20.0)], [np.full((1, 2), 20.01)])
    assert seen.largest == pytest.approx(0.01)
    assert seen.tolerance(Engine.ONNXRUNTIME) == pytest.approx(0.02)
    assert seen.tolerance(Engine.NCNN) > seen.tolerance(Engine.ONNXRUNTIME)


def test_nan_is_never_within_tolerance() -> None:
    seen = comparison()
    seen.add([np.zeros((1, 2))], [np.array([[0.0, np.nan]])])
    seen.add([np.zeros((1, 2))], [np.zeros((1, 2))])
    assert seen.largest == float("inf")


def test_other_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"shapes \[\(1, 3\)\], PyTorch's \[\(1, 2\)\]"):
        comparison().add([np.zeros((1, 2))], [np.zeros((1, 3))])
