"""What annotation tools draw: boxes, outlines, points and tags on a picture, before a task makes samples of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from autommlab.data.readers import boxes
from autommlab.data.readers.boxes import Box, Points
from autommlab.data.records import Split

AnySplit = Split | Literal[""]
Polygon = tuple[tuple[float, float], ...]
Size = tuple[int, int]

#: An ellipse becomes a polygon of so many corners: off by less than a pixel up to a radius of 200 pixels.
ELLIPSE_CORNERS = 36


@dataclass(frozen=True, slots=True)
class Runs:
    """COCO's run lengths of a mask: columns first, beginning with what is outside.

    Attributes:
        size: (width, height) in pixels; the lengths add up to its pixels.
        packed: see `drawn_masks.packed_runs`.
    """

    size: Size
    packed: bytes


@dataclass(frozen=True, slots=True)
class Shape:
    """One object.

    Attributes:
        label: class as the tool writes it.
        box: (x, y, width, height); None where it follows from the rest.
        polygons: outlines; together one object.
        runs: its mask; then the box is given too.
        points: (x, y, v) of a pose, in the order of the set's layout.
        ignored: a crowd or a difficult object, which evaluation passes over.
        group: what the tool binds it to its points by; None for nothing.
    """

    label: str
    box: Box | None = None
    polygons: tuple[Polygon, ...] = ()
    runs: Runs | None = None
    points: Points = ()
    ignored: bool = False
    group: int | str | None = None

    @property
    def outlined(self) -> bool:
        """Whether it says which pixels are its own."""
        return bool(self.polygons) or self.runs is not None


@dataclass(frozen=True, slots=True)
class LoosePoint:
    """A point that the tool draws on its own; points of a group are one object."""

    name: str
    x: float
    y: float
    v: int = 2
    group: int | str | None = None


@dataclass(slots=True)
class Picture:
    """One picture with all that is drawn on it.

    Attributes:
        source: its annotation file.
        where: place of the annotation, for messages.
        stated: size in pixels that the coordinates mean; None = that of the file.
        in_pixels: False where they are fractions of the picture, 0 to 1.
        loose: points that `poses.gathered` makes objects of.
        tags: classes of the picture as a whole.
    """

    image: Path
    source: Path
    where: str
    split: AnySplit = ""
    stated: Size | None = None
    in_pixels: bool = True
    shapes: list[Shape] = field(default_factory=list)
    loose: list[LoosePoint] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def corners(box: Box) -> Polygon:
    """A box as a polygon."""
    x, y, w, h = box
    return (x, y), (x + w, y), (x + w, y + h), (x, y + h)


def polygon_of(flat: Sequence[float] | None) -> Polygon | None:
    """x, y, x, y ... as a polygon; None for less than three points."""
    return tuple(boxes.pairs(flat)) if flat and len(flat) >= 6 and len(flat) % 2 == 0 else None


def outline_points(shape: Shape) -> list[tuple[float, float]]:
    """All corners of an object's polygons."""
    return [point for polygon in shape.polygons for point in polygon]


def ellipse(centre: tuple[float, float], across: float, down: float, angle: float = 0) -> Polygon:
    """An ellipse of two radii as a polygon.

    Args:
        centre: (x, y).
        across, down: radii.
        angle: that it is turned by, in radians.
    """
    turns = [2 * math.pi * step / ELLIPSE_CORNERS for step in range(ELLIPSE_CORNERS)]
    return turned([(centre[0] + across * math.cos(t), centre[1] + down * math.sin(t)) for t in turns], centre, angle)


def turned(points: Iterable[tuple[float, float]], about: tuple[float, float], angle: float) -> Polygon:
    """Points turned by an angle in radians, clockwise as the picture is seen."""
    cos, sin = math.cos(angle), math.sin(angle)
    moved = ((x - about[0], y - about[1]) for x, y in points)
    return tuple((about[0] + x * cos - y * sin, about[1] + x * sin + y * cos) for x, y in moved)
