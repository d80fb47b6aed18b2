"""Input sizes in question, and what a picture costs at one that was not measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.models.limits import Limit
from autommlab.models.records import Measured
from autommlab.planning.records import Size, SizeCost
from autommlab.planning.sizes import candidate_sizes, cost_at, within_limits
from autommlab.tasks import Task
from tests.helpers.tiny_trials import make_bag

MEASURED = Measured(params_m=3, flops_g=0.1, ms_per_image=5, input_size=(64, 64), device="a test")


@pytest.mark.parametrize(
    ("median", "last"), [((50, 40), (64, 64)), ((100, 80), (128, 128)), ((4000, 3000), (224, 224))]
)
def test_pictures_are_not_enlarged_and_the_gpus_size_is_the_largest(tmp_path: Path, median: Size, last: Size) -> None:
    bag = make_bag(Task.CLASSIFICATION, tmp_path).model_copy(update={"median_size": median})
    sizes = candidate_sizes((64, 64), (224, 224), bag)
    assert sizes[0] == (64, 64)
    assert sizes[-1] == last
    assert len(set(sizes)) == len(sizes)
    assert all(side % 32 == 0 for size in sizes for side in size)


def test_the_aspect_ratio_stays(tmp_path: Path) -> None:
    bag = make_bag(Task.KEYPOINT, tmp_path).model_copy(update={"median_size": (800, 600)})
    assert candidate_sizes((96, 128), (192, 256), bag)[-1] == (192, 256)


def test_a_cost_between_measured_ones_lies_between_them_and_beyond_grows_with_the_pixels() -> None:
    costs = [
        SizeCost(input_size=(64, 64), train_s=0.01, load_s=0.004, val_s=0.003),
        SizeCost(input_size=(128, 128), train_s=0.03, load_s=0.006, val_s=0.01),
    ]
    between, beyond = cost_at((96, 96), costs), cost_at((192, 192), costs)
    assert 0.01 < between.train_s < 0.03 < beyond.train_s
    assert not between.measured
    assert cost_at((64, 64), costs) is costs[0]
    assert cost_at((128, 128), costs[:1]).train_s == pytest.approx(0.04), "of one measured size: in proportion"


def test_noise_makes_no_larger_input_cheaper() -> None:
    costs = [
        SizeCost(input_size=(64, 64), train_s=0.03, load_s=0, val_s=0.01),
        SizeCost(input_size=(96, 96), train_s=0.02, load_s=0, val_s=0.01),
    ]
    assert cost_at((192, 192), costs).train_s >= 0.02


def test_a_size_beyond_the_requests_limit_is_out() -> None:
    limits = [Limit("FLOPs", 0.3, "the request")]
    assert within_limits((96, 96), MEASURED, limits)
    assert not within_limits((128, 128), MEASURED, limits)
