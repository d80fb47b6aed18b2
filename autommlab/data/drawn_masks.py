"""Semantic masks that are drawn from outlines when they are asked for, instead of lying in a file.

A pixel belongs to an outline where its centre lies inside by the even-odd rule; COCO's own masks differ by rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.common.errors import DataError

if TYPE_CHECKING:
    import numpy as np

#: Edges times pixel rows of one mask; a picture with a thousand long outlines has about a million.
_MOST_CROSSINGS = 30_000_000
_CENTRE = 0.5


@dataclass(frozen=True, slots=True)
class Region:
    """The outline of one object; packed, as a large set has millions of points.

    Attributes:
        value: class index that its pixels get; 255 for unlabelled ones.
        polygons: each x, y, x, y ... as 32-bit floats, in pixels of the mask.
        runs: COCO's run lengths (columns first, beginning with what is outside) as 32-bit integers; b"" for none.
    """

    value: int
    polygons: tuple[bytes, ...] = ()
    runs: bytes = b""


@dataclass(frozen=True, slots=True)
class DrawnMask:
    """The mask of one picture.

    Attributes:
        image: the picture.
        source: annotation file, for messages.
        size: (width, height) in pixels of the upright picture.
        regions: later ones lie over earlier ones; the rest is class 0.
    """

    image: Path
    source: Path
    size: tuple[int, int]
    regions: tuple[Region, ...] = ()

    def __str__(self) -> str:
        return f"{self.source} ({self.image.name})"

    def drawn(self) -> np.ndarray:
        """Class indexes, (height, width) uint8.

        Raises:
            DataError: the outlines have more points than any drawing of a picture.
        """
        import numpy as np

        mask = np.zeros(self.size[::-1], np.uint8)
        crossings = 0
        for region in self.regions:
            if region.runs:
                mask[_inside_runs(region.runs, self.size)] = region.value
            for packed in region.polygons:
                points = np.frombuffer(packed, np.float32).reshape(-1, 2).astype(np.float64)
                tops, bottoms = _rows(points, self.size[1])
                crossings += int((bottoms - tops).sum())
                if crossings > _MOST_CROSSINGS:
                    raise DataError(f"{self}: its outlines have too many points to be drawn. Simplify them.")
                _fill(mask, points, tops, bottoms, region.value)
        return mask


def packed_points(points: Iterable[tuple[float, float]], across: float = 1, down: float = 1) -> bytes:
    """The points of a polygon for `Region`, scaled."""
    import numpy as np

    return np.array([(x * across, y * down) for x, y in points], np.float32).tobytes()


def packed_runs(runs: Iterable[float]) -> bytes:
    """Run lengths for `Region`."""
    import numpy as np

    return np.array(list(runs), np.uint32).tobytes()


def packed_mask(mask: np.ndarray) -> bytes:
    """Run lengths for `Region` of a mask (height, width) of 0 and 1."""
    import numpy as np

    flat = mask.T.ravel()
    ends = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
    return np.diff(np.concatenate([[0], ends, [flat.size]])).astype(np.uint32).tobytes()


def mask_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """(x, y, width, height) around the pixels of a mask (height, width) that are not 0; it must have one."""
    import numpy as np

    rows, columns = np.nonzero(mask)
    left, top = int(columns.min()), int(rows.min())
    return left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top


def _rows(points: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """First row and end of the rows whose centres each edge crosses."""
    import numpy as np

    one, other = points[:, 1], np.roll(points[:, 1], -1)
    tops = np.ceil(np.minimum(one, other) - _CENTRE).clip(0, height).astype(np.int64)
    return tops, np.ceil(np.maximum(one, other) - _CENTRE).clip(0, height).astype(np.int64)


def _fill(mask: np.ndarray, points: np.ndarray, tops: np.ndarray, bottoms: np.ndarray, value: int) -> None:
    """Set the pixels inside a polygon (n, 2): in each row, inside and outside take turns at the edges."""
    import numpy as np

    counts = bottoms - tops
    edges = np.repeat(np.arange(len(points)), counts)
    if not len(edges):
        return
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + tops[edges]
    (x, y), (x_next, y_next) = points[edges].T, np.roll(points, -1, 0)[edges].T
    across = x + (rows + _CENTRE - y) * (x_next - x) / (y_next - y)
    columns = np.ceil(across - _CENTRE).clip(0, mask.shape[1]).astype(np.int64)
    top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max()
    turns = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.bitwise_xor.at(turns, (rows - top, columns - left), 1)
    inside = np.bitwise_xor.accumulate(turns, axis=1)[:, :-1].astype(bool)
    mask[top:bottom, left:right][inside] = value


def _inside_runs(packed: bytes, size: tuple[int, int]) -> np.ndarray:
    """(height, width) bool of run lengths that make up a mask of `size`."""
    import numpy as np

    runs = np.frombuffer(packed, np.uint32)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(size).T
