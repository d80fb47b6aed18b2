"""The entries of a COCO file's `annotations`: each an object, or a problem."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autommlab.data.readers import boxes, coco_shapes, fitting
from autommlab.data.readers.boxes import Box, Points
from autommlab.data.readers.coco_entries import Fractions
from autommlab.data.readers.files import readable
from autommlab.data.readers.ids import Ids
from autommlab.data.records import Instance, KeypointLayout, Problem, Severity


class _BrokenError(Exception):
    """An entry that must be left out: kind, what and remedy of its problem."""


@dataclass(slots=True)
class Annotations:
    """Reads the entries of one file.

    Attributes:
        name: of the file, for messages.
        labels: category id -> class index.
        pictures: image id -> (path, width, height), the readable ones.
        image_ids, category_ids: how the ids of the file are compared.
        layout: the points of each object; None reads boxes alone.
        fractions: which coordinates are fractions of the image instead of pixels.
        problems: receives what is wrong.
        repeated: positions of entries whose id an earlier one has.
    """

    name: str
    labels: dict[Any, int]
    pictures: dict[Any, tuple[Path, int, int]]
    image_ids: Ids
    category_ids: Ids
    layout: KeypointLayout | None
    fractions: Fractions
    problems: list[Problem]
    repeated: frozenset[int] = frozenset()

    def read(self, number: int, entry: Any) -> tuple[int | str, Instance] | None:
        """Image id and object of the entry at position `number`; None where it is broken or has no labelled point.

        The box is still as written; see `fitted`.
        """
        try:
            image, category = self._ids(entry)
            found = self._instance(entry, image, category)
        except _BrokenError as fault:
            kind, what, remedy = fault.args
            self.problems.append(Problem(kind, self._where(number, entry), f"{what}; left out", remedy))
            return None
        else:
            return (image, found) if found else None
        finally:
            self._note_repeated_id(number, entry)

    def fitted(self, number: int, entry: Any, item: Instance, size: tuple[int, int]) -> Instance | None:
        """The object of the entry with its box clipped to an image of `size` and points outside of it unlabelled.

        None where too little of it is left.
        """
        found = self._points_inside(number, entry, item, size)
        if found is None:
            return None
        item = found
        inside = boxes.clipped(item.bbox, *size)
        # The margin around points may reach out of the image; that is nobody's mistake.
        margin = self.layout is not None and not any(boxes.finite_numbers(entry.get("bbox"), 4) or ())
        if boxes.fault(inside if margin else item.bbox, *size) is None:
            return replace(item, bbox=inside)
        bbox = fitting.box_in_image(item.bbox, size, self._where(number, entry), "", self.problems)
        return replace(item, bbox=bbox) if bbox else None

    def _points_inside(self, number: int, entry: Any, item: Instance, size: tuple[int, int]) -> Instance | None:
        """The object with its points outside of the image unlabelled; None where no labelled one is left."""
        kept = tuple((x, y, v) if boxes.is_inside(x, y, size) else (0.0, 0.0, 0) for x, y, v in item.keypoints)
        if kept == item.keypoints:
            return item
        outside = sum(v > 0 and not boxes.is_inside(x, y, size) for x, y, v in item.keypoints)
        if outside:
            left = any(v for *_, v in kept)
            what = f"{outside} labelled point(s) lie outside of the {size[0]}x{size[1]} image; taken as unlabelled"
            what += "" if left else ", and the object is left out"
            severity: Severity = "warning" if left else "error"
            self.problems.append(
                Problem("point-outside", self._where(number, entry), what, "correct or delete the points", severity)
            )
            return replace(item, keypoints=kept) if left else None
        return item

    def _ids(self, entry: Any) -> tuple[int | str, int | str]:
        given = [entry.get(key) for key in ("image_id", "category_id")] if isinstance(entry, dict) else [None, None]
        image, category = self.image_ids.key(given[0]), self.category_ids.key(given[1])
        if image is None or category is None:
            raise _BrokenError("bad-annotation", "lacks image_id or category_id, or one is no id", "complete it")
        if image not in self.pictures:
            what = f"image_id {_shown(given[0])} names no readable image"
            raise _BrokenError("bad-annotation", what, "add the image or delete the annotation")
        if category not in self.labels:
            what = f"category_id {_shown(given[1])} is not among the categories"
            raise _BrokenError("unknown-class", what, "add the category or correct the id")
        return image, category

    def _instance(self, entry: dict[str, Any], image: int | str, category: int | str) -> Instance | None:
        _, width, height = self.pictures[image]
        points = self._points(entry, self.layout) if self.layout else ()
        if self.layout and not points:
            return None
        area = boxes.number(entry.get("area")) or 0.0
        if self.fractions.points:
            points = tuple((x * width, y * height, v) for x, y, v in points)
        box = self._box(entry, points, (width, height))
        area = 0.0 if self.fractions.boxes else area
        return Instance(
            label=self.labels[category],
            bbox=box,
            keypoints=points,
            is_crowd=entry.get("iscrowd") not in (None, 0, "0", "", False),
            area=max(area, 0.0),
        )

    def _box(self, entry: dict[str, Any], points: Points, size: tuple[int, int]) -> Box:
        """The entry's own box in pixels, else the one that follows from its outline or its points (in pixels)."""
        given = entry.get("bbox")
        box = boxes.finite_numbers(given, 4)
        if box is not None and any(box):
            own = box[0], box[1], box[2], box[3]
            return boxes.scaled(own, *size) if self.fractions.boxes else own
        # A box of zeros is how some pose tools write that there is none.
        if given in (None, []) or box is not None:
            if outline := coco_shapes.outline_box(entry.get("segmentation")):
                # Run lengths have no coordinates: they are always pixels.
                drawn = self.fractions.outlines and isinstance(entry["segmentation"], list)
                return boxes.scaled(outline, *size) if drawn else outline
            if around := coco_shapes.points_box(points or self._loose_points(entry, size), size):
                return around
        if box is not None:
            return 0.0, 0.0, 0.0, 0.0
        if given is None:
            what = "has neither bbox nor a polygon, mask or labelled point that a box follows from"
        else:
            what = f"bbox {_shown(given)} is not four finite numbers below 1e9"
        raise _BrokenError("bad-annotation", what, "write [x, y, width, height] in pixels")

    def _points(self, entry: dict[str, Any], layout: KeypointLayout) -> Points:
        """(x, y, v) per point; () for an object without any labelled point, which teaches nothing."""
        given = entry.get("keypoints") or []
        points = coco_shapes.keypoints_of(given)
        if points is not None and not any(v for _, _, v in points):
            return ()
        if points is None or len(points) != len(layout.names):
            size = len(given) / 3 if isinstance(given, list) else 0
            size = size if points is None else len(points)
            what = f"{size:g} keypoints, expected {len(layout.names)} triples x, y, v of finite numbers"
            raise _BrokenError("keypoint-count", what, "list every point; 0, 0, 0 for an unlabelled one")
        return points

    def _loose_points(self, entry: dict[str, Any], size: tuple[int, int]) -> Points:
        """The points in pixels of an entry that is read for its box alone."""
        points = coco_shapes.keypoints_of(entry.get("keypoints")) or ()
        across, down = size if self.fractions.points else (1, 1)
        return tuple((x * across, y * down, v) for x, y, v in points)

    def _note_repeated_id(self, number: int, entry: Any) -> None:
        if number in self.repeated:
            what = f"the annotation id {_shown(entry['id'])} is used twice (both are kept)"
            self.problems.append(
                Problem("duplicate-id", self._where(number, entry), what, "number them anew", "warning")
            )

    def _where(self, number: int, entry: Any) -> str:
        if not isinstance(entry, dict):
            return f"{self.name}, annotation at position {number}"
        image = self.image_ids.key(entry.get("image_id"))
        path = readable(self.pictures[image][0].name) if image in self.pictures else ""
        text = f"{self.name}, annotation {_shown(entry.get('id', f'at position {number}'))}"
        return f"{text} ({path})" if path else text


def _shown(value: Any, most: int = 80) -> str:
    """A value of the file in a message: on one line and not endless."""
    # A nested value is never long in a sound file, and its text may be as deep as the file allows.
    text = value if isinstance(value, str) else "..." if isinstance(value, dict) else _plain_text(value)
    return readable(text if len(text) <= most else f"{text[:most]}...")


def _plain_text(value: Any) -> str:
    if isinstance(value, list):
        inner = ["..." if isinstance(item, list | dict) else _plain_text(item) for item in value[:8]]
        return f"[{', '.join(inner)}{', ...' if len(value) > 8 else ''}]"
    if isinstance(value, int) and abs(value) > 10**40:
        return "a huge number"
    return str(value)
