"""What annotation tools draw: boxes, outlines, points and tags on a picture, before a task makes samples of them."""

from collections.abc import Sequence
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
    """

    label: str
    box: Box | None = None
    polygons: tuple[Polygon, ...] = ()
    runs: Runs | None = None
    points: Points = ()
    ignored: bool = False

    @property
    def outlined(self) -> bool:
        """Whether it says which pixels are its own."""
        return bool(self.polygons) or self.runs is not None


@dataclass(slots=True)
class Picture:
    """One picture with all that is drawn on it.

    Attributes:
        source: its annotation file.
        where: place of the annotation, for messages.
        stated: size in pixels that the coordinates mean; None = they are fractions of the picture, 0 to 1.
        tags: classes of the picture as a whole.
    """

    image: Path
    source: Path
    where: str
    split: AnySplit = ""
    stated: Size | None = None
    shapes: list[Shape] = field(default_factory=list)
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
