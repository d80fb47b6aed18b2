"""LabelMe: a JSON file for each picture, with rectangles, polygons, circles and points.

The picture is the file that `imagePath` names. The copy inside of the JSON (`imageData`) is never read: it would hide
that the picture is gone, and no other tool sees it.
"""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from autommlab.common.errors import DataError
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files, poses
from autommlab.data.readers.coco_files import mentions
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.shape_sets import shape_set
from autommlab.data.readers.shapes import AnySplit, LoosePoint, Picture, Polygon, Shape, corners, ellipse
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem
from autommlab.tasks import Task

#: Files that are looked at to recognise the layout, and files of any kind that may lie before them.
_LOOKED_AT, _LOOKED_FOR = 20, 50_000


def detect(root: Path) -> tuple[Task, ...]:
    """The tasks that the kinds of shapes in the first files serve."""
    found = islice(files.walk(root), _LOOKED_FOR)
    own = list(islice((path for path in found if _is_json(path) and _is_labelme(path)), _LOOKED_AT))
    kinds = {
        kind for kind in ("polygon", "circle", "rectangle", "mask", "point") if any(mentions(p, kind) for p in own)
    }
    tasks = [Task.DETECTION] if kinds - {"point"} else []
    tasks += [Task.SEGMENTATION] if kinds & {"polygon", "circle"} else []
    tasks += [Task.KEYPOINT] if "point" in kinds else []
    return tuple(tasks)


def _annotations(root: Path) -> Iterator[tuple[Path, AnySplit]]:
    tops = files.split_folders(root)
    for path in files.walk(root):
        if _is_json(path):
            yield path, next((split for top, split in tops.items() if path.is_relative_to(top)), "")


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json" and path.name != "meta.json"


def _is_labelme(path: Path) -> bool:
    return mentions(path, "shapes") and mentions(path, "imagePath")


def read(spec: DatasetSpec) -> LoadedDataset:
    """Every picture that has a JSON file."""
    problems: list[Problem] = []
    unread: Counter[str] = Counter()
    pictures = [
        picture
        for path, split in _annotations(spec.root)
        if (picture := _picture(spec.root, path, split, unread, problems))
    ]
    if not pictures:
        told = f" {problems[0].where}: {problems[0].what}." if problems else ""
        raise DataError(f"{spec.root}: no LabelMe annotation could be read.{told} Expected {READER.summary}.")
    for kind, count in unread.items():
        what = f"{count} shape(s) of kind {kind!r} are not read"
        where = files.readable(str(spec.root))
        problems.append(
            Problem("bad-annotation", where, what, "draw rectangles, polygons, circles or points", "warning")
        )
    layout = poses.gathered(spec.root, pictures, problems) if spec.task is Task.KEYPOINT else None
    return shape_set(spec, pictures, files.named_classes(spec.root), problems, layout)


def _picture(root: Path, path: Path, split: AnySplit, unread: Counter[str], problems: list[Problem]) -> Picture | None:
    where = files.shown(root, path)
    try:
        content = files.read_json(path)
    except DataError as error:
        problems.append(Problem("bad-annotation", where, f"{error} Picture left out", "save it again"))
        return None
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        what = "is no LabelMe annotation; passed over"
        problems.append(Problem("not-an-annotation", where, what, "move it elsewhere", "warning"))
        return None
    image = _image(root, path, content, where, problems)
    if image is None:
        return None
    sides = [boxes.number(content.get(key)) or 0 for key in ("imageWidth", "imageHeight")]
    stated = (int(sides[0]), int(sides[1])) if min(sides) >= 1 else None
    picture = Picture(image, path, where, split, stated)
    for number, entry in enumerate(content["shapes"]):
        _add(picture, entry, f"{where}, shape {number}", unread, problems)
    return picture


def _image(root: Path, path: Path, content: dict[str, Any], where: str, problems: list[Problem]) -> Path | None:
    given = content.get("imagePath")
    names = [given] if isinstance(given, str) and given else []
    names += [path.stem + suffix for suffix in (".jpg", *sorted(files.IMAGE_SUFFIXES - {".jpg"}))]
    found = Finder(root, [path.parent, root / "images", root]).find(where, *names)
    if isinstance(found, Problem):
        problems.append(found)
        return None
    if not files.is_regular(found) and content.get("imageData"):
        what = (
            f"the picture {files.readable(found.name)} is missing; the copy inside of the JSON (imageData) is not read"
        )
        problems.append(Problem("missing-image", where, what, "save the picture beside its JSON file"))
        return None
    return found


def _add(picture: Picture, entry: Any, where: str, unread: Counter[str], problems: list[Problem]) -> None:
    label = clean_name(entry["label"]) if isinstance(entry, dict) and isinstance(entry.get("label"), str) else ""
    given = entry.get("points") if isinstance(entry, dict) else None
    points = [boxes.finite_numbers(point, 2) for point in given] if isinstance(given, list) else []
    corners_found = tuple((point[0], point[1]) for point in points if point)
    if not label or not corners_found or len(corners_found) < len(points):
        what = "has no label, or its points are not pairs of numbers; left out"
        problems.append(Problem("bad-annotation", where, what, "complete or delete it"))
        return
    kind = str(entry.get("shape_type") or "polygon")[:40]
    group = entry.get("group_id")
    group = group if isinstance(group, int | str) else None
    if kind == "point":
        picture.loose.append(LoosePoint(label, *corners_found[0], group=group))
    elif shape := _shape(label, kind, corners_found, group):
        picture.shapes.append(shape)
    elif kind in ("rectangle", "polygon", "circle", "mask"):
        what = f"a {kind} of {len(corners_found)} point(s); left out"
        problems.append(Problem("bad-annotation", where, what, "draw it again or delete it"))
    else:
        unread[kind] += 1


def _shape(label: str, kind: str, points: Polygon, group: int | str | None) -> Shape | None:
    if kind in ("rectangle", "mask") and len(points) >= 2:
        box = boxes.around(points, (0, 0))
        outline = (corners(box),) if box and kind == "rectangle" else ()
        return Shape(label, box, outline, group=group)
    if kind == "circle" and len(points) == 2:
        radius = math.dist(*points)
        return Shape(label, polygons=(ellipse(points[0], radius, radius),), group=group)
    return Shape(label, polygons=(points,), group=group) if kind == "polygon" and len(points) >= 3 else None


READER = Reader(
    "labelme",
    (Task.DETECTION, Task.SEGMENTATION, Task.KEYPOINT),
    "*.json of LabelMe beside their pictures (or a folder for each split)",
    detect,
    read,
)
