"""Which input sizes come into question for a model and its data."""

from __future__ import annotations

from collections.abc import Sequence

from autommlab.data.records import Bag
from autommlab.models.limits import Figures, Limit, broken
from autommlab.models.records import Measured
from autommlab.planning.records import Size, SizeCost

#: Sides are multiples of it: the strides of all backbones divide it.
_STEP = 32
#: Each candidate has about twice the pixels of the one before.
_GROWTH = 1.4


def candidate_sizes(smallest: Size, largest: Size, bag: Bag) -> tuple[Size, ...]:
    """From the smallest input size to the largest one that comes into question, each about twice the last in pixels.

    A picture gains nothing by being enlarged, so the first size that holds the usual picture whole is the last one.

    Args:
        smallest, largest: (width, height) in pixels; their aspect ratio is one.
        bag: whose pictures are trained on.
    """
    sizes = [smallest]
    factor = 1.0
    while _holds_less(sizes[-1], bag) and sizes[-1] != largest:
        factor *= _GROWTH
        width = min(largest[0], round(smallest[0] * factor / _STEP) * _STEP)
        height = round(width * smallest[1] / smallest[0] / _STEP) * _STEP
        sizes.append(largest if width >= largest[0] else (width, height))
    return tuple(sizes)


def _holds_less(size: Size, bag: Bag) -> bool:
    """Whether pictures of the median size are shrunk to this one."""
    return max(size) < max(bag.median_size)


def within_limits(size: Size, measured: Measured, limits: Sequence[Limit]) -> bool:
    """Whether the model holds the limits at a size, its figures taken to grow with the pixels."""
    factor = pixels(size) / pixels(measured.input_size)
    scaled = Figures(measured.params_m, measured.flops_g * factor, measured.ms_per_image * factor)
    return not broken(limits, scaled)


def pixels(size: Size) -> int:
    """Of an input."""
    return size[0] * size[1]


def cost_at(size: Size, costs: Sequence[SizeCost]) -> SizeCost:
    """What a picture costs at a size: as measured, or on the line through the two nearest measured sizes.

    Args:
        size: (width, height) in pixels.
        costs: at least one, measured.
    """
    known = {cost.input_size: cost for cost in costs}
    if size in known:
        return known[size]
    near = sorted(costs, key=lambda cost: abs(pixels(cost.input_size) - pixels(size)))[:2]
    first, last = near[0], near[-1]
    span = pixels(last.input_size) - pixels(first.input_size)
    at = (pixels(size) - pixels(first.input_size)) / span if span else 0.0
    scale = pixels(size) / pixels(first.input_size)

    def between(name: str) -> float:
        low, high = getattr(first, name), getattr(last, name)
        straight = low + at * (high - low) if span else low * scale
        return max(straight, min(low, high) * min(1.0, scale))  # noise must not make a larger input cheaper

    names = ("train_s", "load_s", "val_s", "memory_mb")
    return SizeCost(input_size=size, measured=False, batch=first.batch, **{name: between(name) for name in names})
