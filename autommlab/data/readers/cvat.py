"""CVAT's XML ("CVAT for images 1.1"): one file for the set, with boxes, polygons, masks, points, skeletons and tags."""

import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from autommlab.bundle_runtime.pictures import MAX_PIXELS
from autommlab.common.errors import DataError
from autommlab.data.drawn_masks import packed_mask
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files, poses
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.shape_sets import labels_of, shape_set
from autommlab.data.readers.shapes import (
    AnySplit,
    LoosePoint,
    Picture,
    Polygon,
    Runs,
    Shape,
    Size,
    corners,
    ellipse,
    polygon_of,
    turned,
)  # fmt: skip
from autommlab.data.readers.voc_xml import parsed_xml
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem
from autommlab.tasks import Task

#: Largest file that is read, which takes ten times its size in memory; ten thousand pictures with fifty polygons each
#: have about 100 MB.
_MOST_BYTES = 128 << 20
_HEAD_BYTES, _PEEK_BYTES = 1 << 12, 1 << 20
_LONGEST_NAME = 100
#: Kinds of shapes and the tasks that they serve, the more telling ones first.
_SERVED = {
    Task.DETECTION: (b"<box", b"<polygon", b"<mask", b"<ellipse"),
    Task.SEGMENTATION: (b"<polygon", b"<mask", b"<ellipse"),
    Task.KEYPOINT: (b"<points", b"<skeleton"),
    Task.CLASSIFICATION: (b"<tag",),
}


def detect(root: Path) -> tuple[Task, ...]:
    """The tasks that the kinds of shapes at the start of the file serve."""
    starts = [start for path in _annotations(root) if b"<image" in (start := _start(path, _PEEK_BYTES))]
    return tuple(t for t, marks in _SERVED.items() if any(mark in start for mark in marks for start in starts))


def _annotations(root: Path) -> list[Path]:
    """CVAT's files at the top and in split folders."""
    places = [root, *files.split_folders(root), root / "annotations"]
    return [
        path for place in places for path in files.listed(place, ".xml") if b"<annotations" in _start(path, _HEAD_BYTES)
    ]


def _start(path: Path, size: int) -> bytes:
    with path.open("rb") as content:
        return content.read(size)


def read(spec: DatasetSpec) -> LoadedDataset:
    """Every image of the files; those without a shape show nothing."""
    problems: list[Problem] = []
    names: list[str] = []
    pictures: list[Picture] = []
    for path in _annotations(spec.root):
        tree = _tree(path)
        names += [clean_name(found) for label in tree.iterfind("meta//label") if (found := label.findtext("name"))]
        pictures += _pictures(spec.root, path, tree, problems)
    if not pictures:
        told = f" {problems[0].where}: {problems[0].what}." if problems else ""
        raise DataError(f"{spec.root}: no image in a CVAT annotation.{told} Expected {READER.summary}.")
    layout = poses.gathered(spec.root, pictures, problems) if spec.task is Task.KEYPOINT else None
    # Labels of a project may be of other tasks: those of points, of tags.
    used = labels_of(spec.task, pictures)
    return shape_set(spec, pictures, [name for name in names if name in used], problems, layout)


def _tree(path: Path) -> ET.Element:
    try:
        tree = parsed_xml(files.read_bytes(path, _MOST_BYTES))
    except (OSError, LookupError, ValueError, ET.ParseError) as error:
        raise DataError(
            f"{path}: cannot be read ({files.readable(str(error))}). Export the task again as 'CVAT for images 1.1'."
        ) from error
    if tree.find("track") is not None:
        raise DataError(f"{path}: holds tracks of a video. Export the task as 'CVAT for images 1.1' or as COCO.")
    return tree


def _pictures(root: Path, path: Path, tree: ET.Element, problems: list[Problem]) -> Iterator[Picture]:
    unread: Counter[str] = Counter()
    name_of_file = files.shown(root, path)
    tops = [path.parent, path.parent / "images", root / "images", root]
    finders: dict[str, Finder] = {}
    for number, entry in enumerate(tree.iterfind("image")):
        name, subset = entry.get("name") or "", entry.get("subset") or ""
        where = f"{name_of_file}, image {files.readable(name[:200]) or number}"
        if subset not in finders:
            finders[subset] = Finder(root, [*(top / subset[:_LONGEST_NAME] for top in tops), *tops])
        found = finders[subset].find(where, name) if name else None
        if not isinstance(found, Path):
            what = "has no name; left out"
            problems.append(found or Problem("bad-annotation", where, what, "complete or delete it"))
            continue
        picture = Picture(found, path, where, _split(root, path, subset, found), _size(entry))
        for position, shape in enumerate(entry):
            _add(picture, shape, f"{where}, {shape.tag} {position}", unread, problems)
        yield picture
    for kind, count in unread.items():
        what = f"{count} shape(s) of kind {kind!r} are not read"
        remedy = "draw boxes, polygons, masks, points or skeletons"
        problems.append(Problem("bad-annotation", name_of_file, what, remedy, "warning"))


def _split(root: Path, path: Path, subset: str, image: Path) -> AnySplit:
    """Of CVAT's subset, else of the folder of the file or of the image."""
    folders = [*path.relative_to(root).parts[:-1], *image.relative_to(root).parts[:-1]]
    return next((split for name in (subset, *folders) if (split := files.split_of(name))), "")


def _size(entry: ET.Element) -> Size | None:
    width, height = (boxes.number(entry.get(side)) or 0 for side in ("width", "height"))
    return (int(width), int(height)) if min(width, height) >= 1 else None


def _add(picture: Picture, entry: ET.Element, where: str, unread: Counter[str], problems: list[Problem]) -> None:
    label = clean_name(entry.get("label") or "")
    if entry.tag == "tag" and label:
        picture.tags.append(label)
    elif entry.tag == "skeleton" and label:
        _add_skeleton(picture, entry, label)
    elif entry.tag == "points" and label and (points := _points(entry)):
        group = where
        picture.loose += [
            LoosePoint(label if len(points) == 1 else f"point{n}", x, y, group=None if len(points) == 1 else group)
            for n, (x, y) in enumerate(points)
        ]
        if len(points) > 1:
            picture.shapes.append(Shape(label, group=group))
    elif entry.tag == "mask" or entry.tag in _KINDS:
        read = _mask(picture, entry, label) if entry.tag == "mask" else _KINDS[entry.tag](entry, label)
        shape = read if label else None
        if shape:
            picture.shapes.append(shape)
        else:
            what = "has no label, or its coordinates are no numbers; left out"
            problems.append(Problem("bad-annotation", where, what, "complete or delete it"))
    else:
        unread[entry.tag[:40]] += 1


def _add_skeleton(picture: Picture, entry: ET.Element, label: str) -> None:
    group = f"skeleton {len(picture.shapes)} {len(picture.loose)}"
    for part in entry.iterfind("points"):
        found = _points(part)
        name = clean_name(part.get("label") or "")
        if found and name and part.get("outside") != "1":
            picture.loose.append(LoosePoint(name, *found[0], 1 if part.get("occluded") == "1" else 2, group))
    picture.shapes.append(Shape(label, group=group))


def _points(entry: ET.Element) -> Polygon:
    pairs = [boxes.finite_numbers(pair.split(","), 2) for pair in (entry.get("points") or "").split(";")]
    return tuple((pair[0], pair[1]) for pair in pairs if pair) if all(pairs) else ()


def _turn(entry: ET.Element) -> float:
    return math.radians(boxes.number(entry.get("rotation")) or 0)


def _box(entry: ET.Element, label: str) -> Shape | None:
    found = boxes.finite_numbers([entry.get(key) for key in ("xtl", "ytl", "xbr", "ybr")])
    if found is None:
        return None
    box = found[0], found[1], found[2] - found[0], found[3] - found[1]
    if angle := _turn(entry):
        return Shape(label, polygons=(turned(corners(box), (box[0] + box[2] / 2, box[1] + box[3] / 2), angle),))
    return Shape(label, box, (corners(box),))


def _polygon(entry: ET.Element, label: str) -> Shape | None:
    polygon = polygon_of([number for point in _points(entry) for number in point])
    return Shape(label, polygons=(polygon,)) if polygon else None


def _ellipse(entry: ET.Element, label: str) -> Shape | None:
    found = boxes.finite_numbers([entry.get(key) for key in ("cx", "cy", "rx", "ry")])
    return Shape(label, polygons=(ellipse((found[0], found[1]), found[2], found[3], _turn(entry)),)) if found else None


def _mask(picture: Picture, entry: ET.Element, label: str) -> Shape | None:
    """A mask of a part of the picture: its rows from left to right as run lengths, beginning with what is outside."""
    import numpy as np

    place = boxes.finite_numbers([entry.get(key) for key in ("left", "top", "width", "height")])
    lengths = boxes.finite_numbers((entry.get("rle") or "").split(","))
    if not place or not lengths or min(*place[:2], *lengths) < 0 or min(place[2:]) < 1 or picture.stated is None:
        return None
    left, top, width, height = map(int, place)
    across, down = picture.stated
    if sum(lengths) != width * height or left + width > across or top + height > down or across * down > MAX_PIXELS:
        return None
    whole = np.zeros((down, across), np.uint8)
    inside = np.repeat(np.arange(len(lengths)) % 2, np.array(lengths, np.int64))
    whole[top : top + height, left : left + width] = inside.reshape(height, width)
    return Shape(label, (left, top, width, height), runs=Runs(picture.stated, packed_mask(whole)))


_KINDS = {"box": _box, "polygon": _polygon, "ellipse": _ellipse}

READER = Reader(
    "cvat",
    (Task.DETECTION, Task.SEGMENTATION, Task.KEYPOINT, Task.CLASSIFICATION),
    "annotations.xml of 'CVAT for images 1.1' with images/",
    detect,
    read,
)
