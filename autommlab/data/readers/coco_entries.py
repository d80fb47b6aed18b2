"""The annotations of a COCO file as columns of numbers, parsed part by part.

As Python objects those of COCO's 118,000 training pictures take about 3 GB, mostly outlines that nobody reads. An
entry that is not written as nearly all are (whole numbers as ids, a box of four numbers) is kept as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from autommlab.data.readers import boxes, coco_shapes
from autommlab.data.readers.ids import is_id

_INT64 = 1 << 63
#: A coordinate from here on is none (`boxes.number`).
_MOST = 1e9
_NOTHING = (None, msgspec.UNSET)


class Fractions(NamedTuple):
    """Which coordinates of a file are fractions of the image: tools mix them with pixels."""

    boxes: bool = False
    outlines: bool = False
    points: bool = False


class Annotation(msgspec.Struct, gc=False):
    """What is read of an entry; outlines and points only where they are needed."""

    id: Any = msgspec.UNSET
    image_id: Any = msgspec.UNSET
    category_id: Any = msgspec.UNSET
    bbox: Any = msgspec.UNSET
    area: Any = msgspec.UNSET
    iscrowd: Any = msgspec.UNSET
    segmentation: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    keypoints: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    def as_written(self) -> dict[str, Any]:
        """The entry as `json` reads it, without what is never looked at."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {
            name: msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
            for name, value in found.items()
            if value is not msgspec.UNSET
        }


@dataclass(slots=True)
class Columns:
    """Entries that are written as nearly all are.

    Attributes:
        ids, images, categories: (entries,) ids of each entry, its image and its category.
        boxes: (entries, 4) x, y, width, height as written, not all 0.
        areas: (entries,), NaN where the entry has none.
        crowds: (entries,).
        points: (entries, 3 x points) x, y, v as written, all 0 where the entry has none; (entries, 0) where no points
            are read.
    """

    ids: NDArray[np.int64]
    images: NDArray[np.int64]
    categories: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowds: NDArray[np.bool_]
    points: NDArray[np.float64]


class Entries(Sequence[Any]):
    """The list `annotations` of a file.

    Attributes:
        columns: rows of all entries; those of odd ones mean nothing.
        odd: position -> entry that is not in the columns.
        fractions: which coordinates are fractions of the image instead of pixels.
    """

    def __init__(self, columns: Columns, odd: dict[int, Any], fractions: Fractions) -> None:
        self.columns, self.odd, self.fractions = columns, odd, fractions

    def __len__(self) -> int:
        return len(self.columns.ids)

    @overload
    def __getitem__(self, number: int) -> Any: ...
    @overload
    def __getitem__(self, number: slice) -> list[Any]: ...
    def __getitem__(self, number: int | slice) -> Any:
        if isinstance(number, slice):
            return [self[at] for at in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        if number in self.odd:
            return self.odd[number]
        columns = self.columns
        entry: dict[str, Any] = {
            "id": int(columns.ids[number]),
            "image_id": int(columns.images[number]),
            "category_id": int(columns.categories[number]),
            "bbox": columns.boxes[number].tolist(),
            "area": None if np.isnan(columns.areas[number]) else float(columns.areas[number]),
            "iscrowd": int(columns.crowds[number]),
        }
        return entry | {"keypoints": columns.points[number].tolist()} if columns.points.size else entry

    def repeated(self) -> frozenset[int]:
        """Positions of the entries whose id an earlier one has."""
        if not self.odd and len(np.unique(self.columns.ids)) == len(self):
            return frozenset()
        seen: set[Any] = set()
        found = []
        for number, plain in enumerate(self.columns.ids.tolist()):
            entry = self.odd.get(number, {"id": plain})
            key = entry.get("id") if isinstance(entry, dict) else None
            if is_id(key):
                found += [number] if key in seen else []
                seen.add(key)
        return frozenset(found)


@dataclass(slots=True)
class _Spread:
    """`boxes.are_fractions` of numbers that come in parts."""

    pixels: bool = False
    broken: bool = False

    def take(self, numbers: NDArray[np.float64]) -> None:
        if self.pixels or not numbers.size:
            return
        self.pixels = bool(numbers.max() > boxes.MOST_FRACTION or numbers.min() < boxes.LEAST_FRACTION)
        self.broken = self.broken or bool((numbers != np.round(numbers)).any())

    def take_lazily(self, parts: Iterable[Iterable[float]]) -> None:
        for part in parts:
            if self.pixels:
                return
            self.take(np.fromiter(part, float))

    @property
    def fractions(self) -> bool:
        return self.broken and not self.pixels


@dataclass(slots=True)
class EntriesBuilder:
    """Puts the parts of a list `annotations` together.

    Attributes:
        with_points: whether points are read.
    """

    with_points: bool
    _parts: list[Columns] = field(default_factory=list)
    _odd: dict[int, Any] = field(default_factory=dict)
    _count: int = 0
    _numbers: int | None = None
    _boxes: _Spread = field(default_factory=_Spread)
    _outlines: _Spread = field(default_factory=_Spread)
    _points: _Spread = field(default_factory=_Spread)

    def add_parsed(self, found: list[Annotation]) -> None:
        """Add entries of the usual fields."""
        points = [self._flat(entry) for entry in found] if self.with_points else []
        plain = [True] * len(found) if _are_plain(found) else [_is_plain(entry) for entry in found]
        odd = [not usual or (self.with_points and points[at] is None) for at, usual in enumerate(plain)]
        self._outlines.take_lazily(
            coco_shapes.outline_coordinates({"segmentation": msgspec.json.decode(entry.segmentation)})
            for entry in found
            if isinstance(entry.segmentation, msgspec.Raw)
        )
        self._points.take_lazily(
            coco_shapes.point_coordinates({"keypoints": msgspec.json.decode(entry.keypoints)})
            for entry in found
            if isinstance(entry.keypoints, msgspec.Raw)
        )
        blank = Annotation(0, 0, 0, [0, 0, 0, 0], 0, 0)
        usual = [blank if strange else entry for strange, entry in zip(odd, found, strict=True)]
        width = self._numbers or 0
        none = [0.0] * width
        rows = [points[at] or none for at in range(len(found))] if width else []
        columns = Columns(
            np.array([entry.id for entry in usual], np.int64),
            np.array([entry.image_id for entry in usual], np.int64),
            np.array([entry.category_id for entry in usual], np.int64),
            np.fromiter(chain.from_iterable(entry.bbox for entry in usual), float).reshape(-1, 4),
            np.array([np.nan if entry.area in _NOTHING else entry.area for entry in usual], float),
            np.array([entry.iscrowd not in (*_NOTHING, 0) for entry in usual], bool),
            np.array(rows, float).reshape(len(found), width),
        )
        self._boxes.take(columns.boxes[~np.array(odd, bool)])
        strange_ones = [(at, entry.as_written()) for at, entry in enumerate(found) if odd[at]]
        self._boxes.take_lazily(coco_shapes.box_coordinates(entry) for _, entry in strange_ones)
        self._odd |= {self._count + at: entry for at, entry in strange_ones}
        self._parts.append(columns)
        self._count += len(found)

    def add_odd(self, found: list[Any]) -> None:
        """Add entries as they stand."""
        given = [entry for entry in found if isinstance(entry, dict)]
        self._boxes.take_lazily(map(coco_shapes.box_coordinates, given))
        self._outlines.take_lazily(map(coco_shapes.outline_coordinates, given))
        self._points.take_lazily(map(coco_shapes.point_coordinates, given))
        self._odd |= {self._count + at: entry for at, entry in enumerate(found)}
        count, zeros = len(found), np.zeros(len(found), np.int64)
        self._parts.append(
            Columns(
                zeros, zeros, zeros, np.zeros((count, 4)), np.zeros(count), np.zeros(count, bool),
                np.zeros((count, self._numbers or 0)),
            )
        )  # fmt: skip
        self._count += count

    def built(self) -> Entries:
        """All entries."""
        width = self._numbers or 0
        for part in self._parts:
            if part.points.shape[1] != width:  # before the first entry with points
                part.points = np.zeros((len(part.ids), width))
        names = ("ids", "images", "categories", "boxes", "areas", "crowds", "points")
        whole = [np.concatenate([getattr(part, name) for part in self._parts]) for name in names] if self._parts else []
        columns = Columns(*whole) if whole else _no_columns()
        fractions = Fractions(self._boxes.fractions, self._outlines.fractions, self._points.fractions)
        return Entries(columns, self._odd, fractions)

    def _flat(self, entry: Annotation) -> list[float] | None:
        """The numbers x, y, v of an entry's points, as many as the others have; None where they differ."""
        given = msgspec.json.decode(entry.keypoints) if isinstance(entry.keypoints, msgspec.Raw) else None
        if not given:
            return []
        if not isinstance(given, list) or len(given) % 3 or not _are_coordinates(given):
            return None
        self._numbers = len(given) if self._numbers is None else self._numbers
        return given if len(given) == self._numbers else None


def _no_columns() -> Columns:
    none = np.zeros(0, np.int64)
    return Columns(none, none, none, np.zeros((0, 4)), np.zeros(0), np.zeros(0, bool), np.zeros((0, 0)))


def _are_plain(found: list[Annotation]) -> bool:
    """Whether `_is_plain` is true of all entries, asked column by column; False where it may be true all the same."""
    ids = [key for entry in found for key in (entry.id, entry.image_id, entry.category_id)]
    if {*map(type, ids)} != {int} or min(ids) < -_INT64 or max(ids) >= _INT64:
        return False
    given = [entry.bbox for entry in found]
    if {*map(type, given)} != {list} or {*map(len, given)} != {4} or not all(map(any, given)):
        return False
    areas, crowds = [entry.area for entry in found], [entry.iscrowd for entry in found]
    numbers = [*chain.from_iterable(given), *areas]
    return _are_coordinates(numbers) and {*map(type, crowds)} == {int}


def _is_plain(entry: Annotation) -> bool:
    box = entry.bbox
    return (
        type(entry.id) is int
        and type(entry.image_id) is int
        and type(entry.category_id) is int
        and min(entry.id, entry.image_id, entry.category_id) >= -_INT64
        and max(entry.id, entry.image_id, entry.category_id) < _INT64
        and type(box) is list
        and len(box) == 4
        and _are_coordinates(box)
        and any(box)
        and (entry.area in _NOTHING or (type(entry.area) in (int, float) and abs(entry.area) < _MOST))
        and (type(entry.iscrowd) in (int, bool) or entry.iscrowd in _NOTHING)
    )


def _are_coordinates(values: list[Any]) -> bool:
    return {*map(type, values)} <= {int, float} and min(values) > -_MOST and max(values) < _MOST
