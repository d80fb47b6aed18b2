"""Boxes of objects: faults, clipping, fractions of the image, numbers as files write them."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from autommlab.data.records import Problem

#: Rounding of exported coordinates; less is no mistake of the annotator.
TOLERANCE_PX = 1.0
#: A side of fewer pixels is dropped by the toolboxes.
SMALLEST_PX = 1.0
#: Coordinates beyond these are no fractions of the image, whatever rounding adds.
LEAST_FRACTION, MOST_FRACTION = -0.02, 1.02
#: Room around the points of an object: as a fraction of their longer side, and of the image's where they hardly spread.
_MARGIN, _LEAST_MARGIN = 0.1, 0.02

Box = tuple[float, float, float, float]
Points = tuple[tuple[float, float, int], ...]
Verdict = tuple[Literal["box-empty", "box-outside"], str, Literal["error", "warning"]]


def fault(bbox: Box, width: int, height: int) -> Verdict | None:
    """What is wrong with a box: (kind, sentence, severity); None for a good one.

    An error means that the toolboxes drop the box, a warning that it is clipped.

    Args:
        bbox: (x, y, width, height) in pixels.
        width, height: of the image in pixels.
    """
    x, y, w, h = bbox
    text = f"box x={x:g} y={y:g} width={w:g} height={h:g}"
    if w <= 0 or h <= 0:
        return "box-empty", f"{text} has no area", "error"
    if w < SMALLEST_PX or h < SMALLEST_PX:
        return "box-empty", f"{text} is smaller than a pixel", "error"
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return "box-outside", f"{text} lies wholly outside the {width}x{height} image", "error"
    if min(clipped(bbox, width, height)[2:]) < SMALLEST_PX:
        return "box-outside", f"{text} has less than a pixel inside the {width}x{height} image", "error"
    if min(x, y) < -TOLERANCE_PX or x + w > width + TOLERANCE_PX or y + h > height + TOLERANCE_PX:
        return "box-outside", f"{text} sticks out of the {width}x{height} image", "warning"
    return None


def clipped(bbox: Box, width: int, height: int) -> Box:
    """The part of a box that lies in its image."""
    x, y, w, h = bbox
    left, top = min(max(x, 0.0), width), min(max(y, 0.0), height)
    right, bottom = min(max(x + w, left), width), min(max(y + h, top), height)
    # A box that lies inside keeps its numbers to the last digit.
    inside = (left, top, right, bottom) == (x, y, x + w, y + h)
    return bbox if inside else (left, top, right - left, bottom - top)


def is_inside(x: float, y: float, size: tuple[int, int]) -> bool:
    """Whether a point lies in an image of `size` (width, height), but for rounding."""
    return -TOLERANCE_PX <= x <= size[0] + TOLERANCE_PX and -TOLERANCE_PX <= y <= size[1] + TOLERANCE_PX


def around(points: Iterable[tuple[float, float]], size: tuple[int, int], margin: bool = False) -> Box | None:
    """The box around points, with a margin for those of a pose, whose body reaches further; None without any.

    Args:
        points: (x, y).
        size: (width, height) of the image; the box may reach out of it.
    """
    found = list(points)
    if not found:
        return None
    left, right = min(x for x, _ in found), max(x for x, _ in found)
    top, bottom = min(y for _, y in found), max(y for _, y in found)
    if not margin:
        return left, top, right - left, bottom - top
    room = max(_MARGIN * max(right - left, bottom - top), _LEAST_MARGIN * max(size))
    return left - room, top - room, right - left + 2 * room, bottom - top + 2 * room


def are_fractions(numbers: Iterable[float]) -> bool:
    """Whether the coordinates of all boxes of a file are fractions of the image (0 to 1) instead of pixels."""
    broken = highest = lowest = 0.0
    for number in numbers:
        highest, lowest = max(highest, number), min(lowest, number)
        broken = max(broken, abs(number - round(number)))
        if highest > MOST_FRACTION or lowest < LEAST_FRACTION:
            return False
    return broken > 0


def fractions_note(where: str) -> Problem:
    """The note on a file whose coordinates are fractions."""
    what = "the coordinates are fractions of the image, 0 to 1; they were taken times its size"
    return Problem("fractions", where, what, "nothing needs doing, or export them in pixels", "warning")


def scaled(bbox: Box, across: float, down: float) -> Box:
    """A box in an image that is `across` times as wide and `down` times as high."""
    x, y, w, h = bbox
    return x * across, y * down, w * across, h * down


def finite_numbers(value: object, count: int | None = None) -> tuple[float, ...] | None:
    """`value` as finite numbers, `count` of them where it is given; None for anything else."""
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count):
        return None
    found = [number(item) for item in value]
    return None if any(item is None for item in found) else tuple(item for item in found if item is not None)


def number(value: object) -> float | None:
    """A finite number; None for anything else. Numbers in quotes count: some tools write them so."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return None
    return found if math.isfinite(found) and abs(found) < 1e9 else None


def pairs(flat: Sequence[float]) -> list[tuple[float, float]]:
    """x, y, x, y ... as points."""
    return list(zip(flat[::2], flat[1::2], strict=False))
