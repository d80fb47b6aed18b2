"""Pasting sprites into a scene while keeping, pixel by pixel, which object is on top.

Boxes, areas and masks all come from that one map, so they are exact and agree with each other.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

#: Alpha from which a pixel belongs to the object on top.
SOLID = 128


@dataclass(frozen=True, slots=True)
class Visible:
    """What can be seen of one object.

    Attributes:
        number: 1, 2, ... in the order of pasting: its value in `Scene.owner`.
        label: class index.
        bbox: tight (x, y, width, height) of the visible pixels.
        area: visible pixels.
    """

    number: int
    label: int
    bbox: tuple[int, int, int, int]
    area: int


def tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the true pixels of a boolean (height, width) mask that has at least one."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return (
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    )


class Scene:
    """A picture that objects are pasted into, the later over the earlier ones.

    Attributes:
        image: RGB, changed in place.
        owner: (height, width) uint8: 0 background, else the number of the object on top.
        labels: class index of object 1, 2, ...
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.owner = np.zeros((image.height, image.width), dtype=np.uint8)
        self.labels: list[int] = []
        self._full_areas: list[int] = []

    def decorate(self, sprite: Image.Image, corner: tuple[int, int]) -> None:
        """Paste something that belongs to no class; only sensible before the first `place`."""
        self.image.paste(sprite, corner, sprite)

    def place(
        self,
        sprite: Image.Image,
        corner: tuple[int, int],
        label: int,
        *,
        inside: float = 0.75,
        keep: float = 0.5,
    ) -> bool:
        """Paste an object with its upper left at `corner`, unless it would spoil the scene.

        Args:
            inside: least share of the object that must lie in the picture.
            keep: least share of every earlier object that must stay visible.

        Returns:
            Whether it was pasted.
        """
        solid = np.asarray(sprite.getchannel("A")) >= SOLID
        x, y = corner
        left, top = max(0, x), max(0, y)
        window = self.owner[top : y + sprite.height, left : x + sprite.width]
        part = solid[top - y : top - y + window.shape[0], left - x : left - x + window.shape[1]]
        full = int(solid.sum())
        if full == 0 or part.sum() < inside * full or not self._earlier_survive(window, part, keep):
            return False
        self.labels.append(label)
        self._full_areas.append(full)
        window[part] = len(self.labels)
        self.image.paste(sprite, corner, sprite)
        return True

    def _earlier_survive(self, window: np.ndarray, part: np.ndarray, keep: float) -> bool:
        lost = np.bincount(window[part], minlength=len(self.labels) + 1)
        now = np.bincount(self.owner.ravel(), minlength=len(self.labels) + 1)
        left = (now - lost)[1:]
        return bool(np.all(left >= keep * np.array(self._full_areas)))

    def visible(self) -> list[Visible]:
        """Every object with its visible box and area, in the order of pasting."""
        seen = []
        for number, label in enumerate(self.labels, start=1):
            mask = self.owner == number
            seen.append(Visible(number, label, tight_box(mask), int(mask.sum())))
        return seen

    def class_mask(self) -> Image.Image:
        """8-bit index mask: each pixel the label of the object on top, 0 where there is none."""
        table = np.array([0, *self.labels], dtype=np.uint8)
        return Image.fromarray(table[self.owner], "L")
