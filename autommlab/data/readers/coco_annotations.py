"""The entries of a COCO file's `annotations`: each an object, or a problem."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autommlab.data.readers import boxes
from autommlab.data.records import Instance, KeypointLayout, Problem


class _BrokenError(Exception):
    """An entry that must be left out: kind, what and remedy of its problem."""


@dataclass(slots=True)
class Annotations:
    """Reads the entries of one file.

    Attributes:
        name: of the file, for messages.
        labels: category id -> class index.
        pictures: image id -> (path, width, height), the readable ones.
        layout: the points of each object; None reads boxes alone.
        problems: receives what is wrong.
    """

    name: str
    labels: dict[Any, int]
    pictures: dict[Any, tuple[Path, int, int]]
    layout: KeypointLayout | None
    problems: list[Problem]
    _seen: set[Any] = field(default_factory=set)

    def read(self, number: int, entry: Any) -> Instance | None:
        """The object of the entry at position `number`; None where it is broken or has no labelled point."""
        try:
            self._check_ids(entry)
            return self._instance(entry)
        except _BrokenError as fault:
            kind, what, remedy = fault.args
            self.problems.append(Problem(kind, self._where(number, entry), f"{what}; left out", remedy))
            return None
        finally:
            self._note_repeated_id(number, entry)

    def _check_ids(self, entry: Any) -> None:
        if not isinstance(entry, dict) or not all(is_id(entry.get(k)) for k in ("image_id", "category_id")):
            raise _BrokenError("bad-annotation", "lacks image_id or category_id", "complete or delete it")
        if entry["image_id"] not in self.pictures:
            what = f"image_id {entry['image_id']} names no readable image"
            raise _BrokenError("bad-annotation", what, "add the image or delete the annotation")
        if entry["category_id"] not in self.labels:
            what = f"category_id {entry['category_id']} is not among the categories"
            raise _BrokenError("unknown-class", what, "add the category or correct the id")

    def _instance(self, entry: dict[str, Any]) -> Instance | None:
        numbers = _numbers(entry.get("bbox"), 4)
        if numbers is None:
            what = f"bbox {entry.get('bbox')!r} is not four finite numbers"
            raise _BrokenError("bad-annotation", what, "write [x, y, width, height] in pixels")
        bbox = (numbers[0], numbers[1], numbers[2], numbers[3])
        _, width, height = self.pictures[entry["image_id"]]
        wrong = boxes.fault(bbox, width, height)
        if wrong and wrong[2] == "error":
            raise _BrokenError(wrong[0], wrong[1], "correct or delete the box")
        points = self._points(entry, self.layout) if self.layout else ()
        if self.layout and not points:
            return None
        area = entry.get("area")
        return Instance(
            label=self.labels[entry["category_id"]],
            bbox=bbox,
            keypoints=points,
            is_crowd=bool(entry.get("iscrowd", 0)),
            area=float(area) if isinstance(area, int | float) and math.isfinite(area) and area > 0 else 0.0,
        )

    def _points(self, entry: dict[str, Any], layout: KeypointLayout) -> tuple[tuple[float, float, int], ...]:
        """(x, y, v) per point; () for an object without any labelled point, which teaches nothing."""
        given = entry.get("keypoints") or []
        if isinstance(given, list) and not any(given[2::3]):
            return ()
        flat = _numbers(given, 3 * len(layout.names))
        if flat is None:
            size = len(given) / 3 if isinstance(given, list) else 0
            what = f"{size:g} keypoints, expected {len(layout.names)} triples x, y, v of finite numbers"
            raise _BrokenError("keypoint-count", what, "list every point; 0, 0, 0 for an unlabelled one")
        return tuple((flat[i], flat[i + 1], min(max(int(flat[i + 2]), 0), 2)) for i in range(0, len(flat), 3))

    def _note_repeated_id(self, number: int, entry: Any) -> None:
        key = entry.get("id") if isinstance(entry, dict) else None
        if not is_id(key):
            return
        if key in self._seen:
            what = f"the annotation id {key} is used twice (both are kept)"
            self.problems.append(
                Problem("duplicate-id", self._where(number, entry), what, "number them anew", "warning")
            )
        self._seen.add(key)

    def _where(self, number: int, entry: Any) -> str:
        if not isinstance(entry, dict):
            return f"{self.name}, annotation at position {number}"
        image = entry.get("image_id")
        path = self.pictures[image][0].name if is_id(image) and image in self.pictures else ""
        text = f"{self.name}, annotation {entry.get('id', f'at position {number}')}"
        return f"{text} ({path})" if path else text


def is_id(value: Any) -> bool:
    """Whether a value can identify an entry."""
    return isinstance(value, int | str)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, list) or len(value) != count:
        return None
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in value):
        return None
    return tuple(map(float, value))
