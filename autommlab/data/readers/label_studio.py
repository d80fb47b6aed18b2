"""Label Studio's JSON export: a list of tasks, each with a picture and the results of its annotations, in percent.

Rectangles, ellipses, polygons, brush masks, keypoints (of the region that is their parent) and choices.
"""

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from autommlab.common.errors import DataError
from autommlab.data.drawn_masks import mask_box, packed_mask
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files, poses
from autommlab.data.readers.brush import brush_mask
from autommlab.data.readers.coco_files import mentions
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.shape_sets import labels_of, shape_set
from autommlab.data.readers.shapes import LoosePoint, Picture, Polygon, Runs, Shape, Size, corners, ellipse, turned
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem
from autommlab.tasks import Task

_SERVED = {
    Task.DETECTION: ("rectanglelabels", "polygonlabels", "brushlabels", "ellipselabels"),
    Task.SEGMENTATION: ("polygonlabels", "brushlabels", "ellipselabels"),
    Task.KEYPOINT: ("keypointlabels",),
    Task.CLASSIFICATION: ("choices",),
}
#: What Label Studio puts before the name of an uploaded file.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def detect(root: Path) -> tuple[Task, ...]:
    """The tasks that the kinds of results at the start and end of the files serve."""
    found = _exports(root)
    return tuple(task for task, kinds in _SERVED.items() if any(mentions(p, kind) for p in found for kind in kinds))


def _exports(root: Path) -> list[Path]:
    lying = [path for place in (root, *files.split_folders(root)) for path in files.listed(place, ".json")]
    return [path for path in lying if path.name != "meta.json" and _is_list(path) and mentions(path, "to_name")]


def _is_list(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def read(spec: DatasetSpec) -> LoadedDataset:
    """Every task that has a finished annotation."""
    problems: list[Problem] = []
    pictures: list[Picture] = []
    for path in _exports(spec.root):
        content = files.read_json(path)
        reading = _Export(spec.root, path, problems)
        if isinstance(content, list):
            pictures += [picture for at, entry in enumerate(content) if (picture := reading.picture(at, entry))]
        reading.tell_unread()
    if not pictures:
        told = f" {problems[0].where}: {problems[0].what}." if problems else ""
        raise DataError(f"{spec.root}: no annotated task of Label Studio.{told} Expected {READER.summary}.")
    layout = poses.gathered(spec.root, pictures, problems) if spec.task is Task.KEYPOINT else None
    used = labels_of(spec.task, pictures)
    names = [name for name in files.named_classes(spec.root) if name in used]
    return shape_set(spec, pictures, names, problems, layout)


class _Export:
    """Reads the tasks of one file."""

    def __init__(self, root: Path, path: Path, problems: list[Problem]) -> None:
        self._root, self._path, self._problems = root, path, problems
        self._name = files.shown(root, path)
        self._split = files.split_of(path.parent.name if path.parent != root else path.stem)
        self._finder = Finder(root, [root / "images", path.parent / "images", path.parent, root])
        self._unread: Counter[str] = Counter()
        self._unfinished = 0

    def tell_unread(self) -> None:
        """Note what was passed over."""
        for kind, count in self._unread.items():
            what = f"{count} result(s) of kind {kind!r} are not read"
            self._note(
                "bad-annotation", self._name, what, "draw rectangles, polygons, brush masks or keypoints", "warning"
            )
        if self._unfinished:
            what = f"{self._unfinished} task(s) have no finished annotation; left out"
            self._note("unlabelled-image", self._name, what, "annotate them, or leave it so", "warning")

    def picture(self, number: int, task: Any) -> Picture | None:
        """The picture of a task with all results of its first finished annotation."""
        where = f"{self._name}, task {task.get('id', number) if isinstance(task, dict) else number}"
        where = files.readable(where[:300])
        given = task.get("annotations") if isinstance(task, dict) else None
        done = (
            [a for a in given if isinstance(a, dict) and not a.get("was_cancelled")] if isinstance(given, list) else []
        )
        results = done[0].get("result") if done else None
        if not isinstance(results, list):
            self._unfinished += 1
            return None
        if len(done) > 1:
            what = f"has {len(done)} annotations; the first counts"
            self._note("duplicate-image", where, what, "delete the others", "warning")
        image = self._image(task, where)
        if image is None:
            return None
        picture = Picture(image, self._path, where, self._split, in_pixels=False)
        for at, result in enumerate(results):
            self._add(picture, result, f"{where}, result {at}")
        return picture

    def _note(self, kind: str, where: str, what: str, remedy: str, severity: Any = "error") -> None:
        self._problems.append(Problem(kind, where, what, remedy, severity))

    def _image(self, task: dict[str, Any], where: str) -> Path | None:
        values = task["data"].values() if isinstance(task.get("data"), dict) else ()
        given = [v for v in (*values, task.get("file_upload")) if isinstance(v, str) and v]
        names = [name for value in given for name in (value, *parse_qs(value.partition("?")[2]).get("d", []))]
        names = [name for name in names if files.is_image(name.partition("?")[0])]
        if not names:
            self._note("bad-annotation", where, "names no picture; left out", "export the task again")
            return None
        last = [Path(name.partition("?")[0].replace("\\", "/")).name for name in names]
        relative = [name for name in names if "://" not in name and not name.startswith("/")]
        options = [*relative, *last, *(_UPLOADED.sub("", name) for name in last), *names]
        found = self._finder.find(where, *dict.fromkeys(options))
        if isinstance(found, Problem):
            self._problems.append(found)
            return None
        return found

    def _add(self, picture: Picture, result: Any, where: str) -> None:
        kind = str(result.get("type"))[:40] if isinstance(result, dict) else ""
        value = result.get("value") if kind else None
        if not isinstance(value, dict) or result.get("image_rotation") not in (None, 0):
            what = (
                "has no value" if not isinstance(value, dict) else "is drawn on a picture that was turned in the tool"
            )
            self._note("bad-annotation", where, f"{what}; left out", "draw it again or delete it")
            return
        named = value.get(kind)
        labels = [clean_name(n) for n in named if isinstance(n, str)] if isinstance(named, list) else []
        if kind == "choices":
            picture.tags += [label for label in labels if label]
        elif kind not in _KINDS:
            self._unread[kind] += 1
        elif not labels or not labels[0] or not _KINDS[kind](picture, result, value, labels[0]):
            what = f"{kind} without a label or with broken values; left out"
            self._note("bad-annotation", where, what, "draw it again or delete it")


def _fractions(value: dict[str, Any], *keys: str) -> tuple[float, ...] | None:
    found = boxes.finite_numbers([value.get(key) for key in keys])
    return tuple(number / 100 for number in found) if found else None


def _size(result: dict[str, Any]) -> Size | None:
    sides = [boxes.number(result.get(key)) or 0 for key in ("original_width", "original_height")]
    return (int(sides[0]), int(sides[1])) if min(sides) >= 1 else None


def _id(result: dict[str, Any], key: str) -> str | None:
    found = result.get(key)
    return found if isinstance(found, str) else None


def _rotated(points: Polygon, about: tuple[float, float], result: dict[str, Any], value: dict[str, Any]) -> Polygon:
    """Fractions of the picture turned in its pixels, by degrees clockwise."""
    angle = math.radians(boxes.number(value.get("rotation")) or 0)
    across, down = _size(result) or (1, 1)
    moved = turned([(x * across, y * down) for x, y in points], (about[0] * across, about[1] * down), angle)
    return tuple((x / across, y / down) for x, y in moved)


def _rectangle(picture: Picture, result: dict[str, Any], value: dict[str, Any], label: str) -> bool:
    box = _fractions(value, "x", "y", "width", "height")
    if box is None:
        return False
    given = box[0], box[1], box[2], box[3]
    outline, upright = corners(given), not boxes.number(value.get("rotation"))
    outline = outline if upright else _rotated(outline, outline[0], result, value)
    picture.shapes.append(Shape(label, given if upright else None, (outline,), group=_id(result, "id")))
    return True


def _ellipse(picture: Picture, result: dict[str, Any], value: dict[str, Any], label: str) -> bool:
    found = _fractions(value, "x", "y", "radiusX", "radiusY")
    if found is None:
        return False
    outline = _rotated(ellipse((found[0], found[1]), found[2], found[3]), (found[0], found[1]), result, value)
    picture.shapes.append(Shape(label, polygons=(outline,), group=_id(result, "id")))
    return True


def _polygon(picture: Picture, result: dict[str, Any], value: dict[str, Any], label: str) -> bool:
    given = value.get("points")
    points = [boxes.finite_numbers(point, 2) for point in given] if isinstance(given, list) else []
    if len(points) < 3 or not all(points):
        return False
    outline = tuple((point[0] / 100, point[1] / 100) for point in points if point)
    picture.shapes.append(Shape(label, polygons=(outline,), group=_id(result, "id")))
    return True


def _brush(picture: Picture, result: dict[str, Any], value: dict[str, Any], label: str) -> bool:
    stream, size = value.get("rle"), _size(result)
    mask = brush_mask(stream, size) if isinstance(stream, list) and size else None
    if mask is None or size is None or not mask.any():
        return False
    box = boxes.scaled(mask_box(mask), 1 / size[0], 1 / size[1])
    picture.shapes.append(Shape(label, box, runs=Runs(size, packed_mask(mask)), group=_id(result, "id")))
    return True


def _keypoint(picture: Picture, result: dict[str, Any], value: dict[str, Any], label: str) -> bool:
    point = _fractions(value, "x", "y")
    if point is None:
        return False
    picture.loose.append(LoosePoint(label, point[0], point[1], group=_id(result, "parentID")))
    return True


_KINDS: dict[str, Callable[[Picture, dict[str, Any], dict[str, Any], str], bool]] = {
    "rectanglelabels": _rectangle,
    "ellipselabels": _ellipse,
    "polygonlabels": _polygon,
    "brushlabels": _brush,
    "keypointlabels": _keypoint,
}

READER = Reader(
    "label-studio",
    (Task.DETECTION, Task.SEGMENTATION, Task.KEYPOINT, Task.CLASSIFICATION),
    "Label Studio's export 'JSON' (not JSON-MIN) with the pictures beside it or in images/",
    detect,
    read,
)
