"""The objects of a COCO file that nothing is wrong with, all at once: nearly all of a large one's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autommlab.data.readers import boxes
from autommlab.data.readers.coco_entries import Columns, Entries
from autommlab.data.records import Instance

Flags = NDArray[np.bool_]
_INT64 = 1 << 63


@dataclass(slots=True)
class PlainObjects:
    """What the columns of a file tell without a look at single entries.

    Attributes:
        rows: (entries,) position of the entry's image among the readable ones; -1 for none.
        sound: (entries,) the entry gives an object as it is written, or silently none.
        kept: (entries,) sound and an object.
    """

    rows: NDArray[np.int64]
    sound: Flags
    kept: Flags
    _labels: NDArray[np.int64]
    _boxes: NDArray[np.float64]
    _points: NDArray[np.float64]
    _columns: Columns

    def of(self, numbers: NDArray[np.int64]) -> list[Instance]:
        """The objects of kept entries."""
        columns = self._columns
        if self._points.shape[1]:
            triples = self._points[numbers].reshape(len(numbers), self._points.shape[1] // 3, 3).tolist()
            points = [tuple((x, y, int(v)) for x, y, v in each) for each in triples]
        else:
            points = [()] * len(numbers)
        areas = columns.areas[numbers]
        return list(
            map(
                Instance,
                self._labels[numbers].tolist(),
                map(tuple, self._boxes[numbers].tolist()),
                points,
                columns.crowds[numbers].tolist(),
                np.where(areas > 0, areas, 0.0).tolist(),
            )
        )

    def counts(self, numbers: NDArray[np.int64], classes: int) -> list[int]:
        """How many of these kept entries are of each class."""
        return np.bincount(self._labels[numbers], minlength=classes).tolist()


def plain_objects(
    entries: Entries,
    labels: Mapping[Any, int],
    pictures: Mapping[Any, tuple[Path, int, int]],
    points: int | None,
    repeated: frozenset[int],
) -> PlainObjects:
    """Sort out the entries that need no look.

    Args:
        entries: of the file.
        labels: category id -> class index.
        pictures: image id -> (path, width, height) of the readable ones.
        points: of each object; None reads boxes alone.
        repeated: positions of entries that are to be looked at in any case.
    """
    columns = entries.columns
    rows = _positions(columns.images, list(pictures))
    order = _positions(columns.categories, list(labels))
    classes = np.array([*labels.values(), -1], np.int64)[order]
    sizes = np.array([*((width, height) for _, width, height in pictures.values()), (0, 0)], float)[rows]
    sound = (rows >= 0) & (order >= 0)
    sound[[*entries.odd, *repeated]] = False
    if any(entries.fractions):
        sound[:] = False
    silent = np.zeros(len(entries), bool)
    shown = np.zeros((len(entries), 0))
    if points is not None:
        shown, silent, fits = _points(columns.points, points, sizes)
        sound &= fits | silent
    clipped, fits = _boxes(columns.boxes, sizes)
    sound &= fits | silent
    return PlainObjects(rows, sound, sound & ~silent, classes, clipped, shown, columns)


def _positions(wanted: NDArray[np.int64], ids: list[Any]) -> NDArray[np.int64]:
    """Where each id stands in a list; -1 where it does not."""
    whole = [(key, at) for at, key in enumerate(ids) if isinstance(key, int) and -_INT64 <= key < _INT64]
    if not whole:
        return np.full(len(wanted), -1)
    keys, places = (np.array(each, np.int64) for each in zip(*sorted(whole), strict=True))
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[found] == wanted, places[found], -1)


def _boxes(given: NDArray[np.float64], sizes: NDArray[np.float64]) -> tuple[NDArray[np.float64], Flags]:
    """(boxes clipped to their images, whether `boxes.fault` finds nothing wrong with them), in the same arithmetic."""
    near, extent = given[:, :2], given[:, 2:]
    far = near + extent
    low = np.minimum(np.maximum(near, 0.0), sizes)
    high = np.minimum(np.maximum(far, low), sizes)
    inside = ((low == near) & (high == far)).all(axis=1)
    clipped = np.where(inside[:, None], given, np.concatenate([low, high - low], axis=1))
    fits = (
        (extent >= boxes.SMALLEST_PX)
        & (near < sizes)
        & (far > 0)
        & (clipped[:, 2:] >= boxes.SMALLEST_PX)
        & (near >= -boxes.TOLERANCE_PX)
        & (far <= sizes + boxes.TOLERANCE_PX)
    ).all(axis=1)
    return clipped, np.asarray(fits)


def _points(
    given: NDArray[np.float64], count: int, sizes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Flags, Flags]:
    """(x, y, v of each point, whether no point is labelled, whether all are as the set has them and in the image)."""
    if given.shape[1] != 3 * count:
        silent = ~np.asarray(given.any(axis=1))
        return np.zeros((len(given), 3 * count)), silent, np.zeros(len(given), bool)
    triples = given.reshape(len(given), count, 3)
    seen = triples[..., 2] != 0
    shown = np.where(seen[..., None], triples, 0.0)
    shown[..., 2] = np.clip(np.trunc(shown[..., 2]), 0, 2)
    edge = boxes.TOLERANCE_PX
    fits = ((shown[..., :2] >= -edge) & (shown[..., :2] <= sizes[:, None] + edge)).all(axis=(1, 2))
    return shown.reshape(len(given), -1), ~np.asarray((shown[..., 2] > 0).any(axis=1)), np.asarray(fits)
