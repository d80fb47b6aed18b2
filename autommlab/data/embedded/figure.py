"""Drawing of jointed figures: solid parts in space, the nearer over the farther, and who covers what.

Space is in pixels of the final image: x right, y down, z towards the viewer. Everything is drawn three times
as large and reduced, which smooths the edges; a second picture keeps the number of the part on top, from
which silhouettes and the visibility of joints follow.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from autommlab.data.embedded.colours import Colour, shade
from autommlab.data.embedded.compose import tight_box

#: Enlargement while drawing.
SUPER = 3
_OUTLINE = 0.55


@dataclass(frozen=True, slots=True)
class Capsule:
    """A tapered rod between two points of shape (3,) with a radius at each end, pixels."""

    start: np.ndarray
    end: np.ndarray
    start_radius: float
    end_radius: float


@dataclass(frozen=True, slots=True)
class BodyPart:
    """Rods of one colour drawn as one shape.

    Attributes:
        number: 1..255, unique in the image.
        lift: pixels added to the depth, to put a part before another one that it touches.
        outlined: a darker rim of one pixel.
    """

    number: int
    colour: Colour
    capsules: tuple[Capsule, ...]
    lift: float = 0.0
    outlined: bool = True

    @property
    def depth(self) -> float:
        """Mean z of its ends, plus `lift`."""
        return self.lift + sum(float(rod.start[2] + rod.end[2]) for rod in self.capsules) / (2 * len(self.capsules))


class Canvas:
    """An image under construction, three times as large as it will be.

    Attributes:
        size: (width, height) of the final image in pixels.
        image: RGB, enlarged.
    """

    def __init__(self, backdrop: Image.Image) -> None:
        self.size = backdrop.size
        large = (backdrop.width * SUPER, backdrop.height * SUPER)
        self.image = backdrop.resize(large, Image.Resampling.NEAREST)
        self._owner = Image.new("L", large)

    def draw(self, parts: Iterable[BodyPart]) -> None:
        """Draw parts over what is there, the farthest first."""
        pen, numbers = ImageDraw.Draw(self.image), ImageDraw.Draw(self._owner)
        for part in sorted(parts, key=lambda part: part.depth):
            rim = 1.0 if part.outlined else 0.0
            for rod in part.capsules:
                _stroke(numbers, rod, rim, part.number)
                if part.outlined:
                    _stroke(pen, rod, rim, shade(part.colour, _OUTLINE))
            for rod in part.capsules:
                _stroke(pen, rod, 0.0, part.colour)

    def finish(self) -> Image.Image:
        """The image at its final size."""
        return self.image.reduce(SUPER)

    def owner(self) -> np.ndarray:
        """(3 height, 3 width) uint8 numbers of the parts on top, 0 where there is none."""
        return np.asarray(self._owner)


def silhouette(owner: np.ndarray, first: int, last: int) -> np.ndarray:
    """(height, width) bool: pixels of the final image whose middle is covered by the parts `first`..`last`."""
    middles = owner[SUPER // 2 :: SUPER, SUPER // 2 :: SUPER]
    return (middles >= first) & (middles <= last)


def owner_at(owner: np.ndarray, x: float, y: float) -> int | None:
    """Number of the part on top at a point of the final image; None outside of it."""
    row, column = int(np.floor(y * SUPER)), int(np.floor(x * SUPER))
    if not (0 <= row < owner.shape[0] and 0 <= column < owner.shape[1]):
        return None
    return int(owner[row, column])


def box_and_area(mask: np.ndarray) -> tuple[tuple[int, int, int, int], int]:
    """Tight (x, y, width, height) and number of pixels of a mask that is not empty."""
    return tight_box(mask), int(mask.sum())


def _stroke(pen: ImageDraw.ImageDraw, rod: Capsule, rim: float, fill: Colour | int) -> None:
    # Plain floats: with arrays of two numbers this function would cost more than the drawing itself.
    x0, y0 = float(rod.start[0]) * SUPER, float(rod.start[1]) * SUPER
    x1, y1 = float(rod.end[0]) * SUPER, float(rod.end[1]) * SUPER
    first, second = (rod.start_radius + rim) * SUPER, (rod.end_radius + rim) * SUPER
    pen.ellipse((x0 - first, y0 - first, x0 + first, y0 + first), fill=fill)
    length = math.hypot(x1 - x0, y1 - y0)
    if length > 1e-6:
        pen.ellipse((x1 - second, y1 - second, x1 + second, y1 + second), fill=fill)
        across_x, across_y = (y0 - y1) / length, (x1 - x0) / length
        pen.polygon(
            (
                *(x0 + across_x * first, y0 + across_y * first),
                *(x1 + across_x * second, y1 + across_y * second),
                *(x1 - across_x * second, y1 - across_y * second),
                *(x0 - across_x * first, y0 - across_y * first),
            ),
            fill=fill,
        )


DOWN = np.array([0.0, 1.0, 0.0])


def yaw(degrees: float) -> np.ndarray:
    """(3, 3) turn about the vertical: 90 makes forward point right."""
    cos, sin = _cos_sin(degrees)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def pitch(degrees: float) -> np.ndarray:
    """(3, 3) turn that leans a standing thing forward and swings a hanging one back."""
    cos, sin = _cos_sin(degrees)
    return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])


def roll(degrees: float) -> np.ndarray:
    """(3, 3) turn in the image plane: moves a hanging limb towards +x."""
    cos, sin = _cos_sin(degrees)
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def _cos_sin(degrees: float) -> tuple[float, float]:
    radians = np.deg2rad(degrees)
    return float(np.cos(radians)), float(np.sin(radians))
