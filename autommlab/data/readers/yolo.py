"""YOLO's text labels: a line "class x y width height" for each object, in fractions of the picture.

Lines with more numbers are outlines (YOLO-seg, oriented boxes): boxes around them in detection, masks in segmentation.
"""

import re
from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.readers import boxes, files
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.shape_sets import shape_set
from autommlab.data.readers.shapes import Picture, Shape, polygon_of
from autommlab.data.readers.yolo_files import YoloSet, describe, first_labels, has_points, label_of
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem
from autommlab.tasks import Task

#: Largest label file of a picture; one with ten thousand outlines has about 10 MB.
_LABEL_BYTES = 32 << 20
#: Fractions reach from 0 to 1, and a little further where an object is cut by the picture's edge.
_FURTHEST = 2.0
_LINE = re.compile(rb"\s*\d{1,5}(\s+-?[\d.]+(?:[eE]-?\d+)?){4,}\s*")
_PEEK_BYTES = 4096
#: Fewest numbers in the line of an outline.
_OUTLINE = 7
_REMEDY = "write 'class x y width height' in fractions of the picture, or 'class x y x y x y ...' for an outline"


def detect(root: Path) -> tuple[Task, ...]:
    """Detection where label files have boxes, also segmentation where they have outlines; poses are another layout."""
    if has_points(root):
        return ()
    columns = [count for label in first_labels(root) if (count := _columns(label))]
    if not columns:
        return ()
    return (Task.DETECTION, Task.SEGMENTATION) if max(columns) >= _OUTLINE else (Task.DETECTION,)


def _columns(label: Path) -> int:
    """Most numbers in one of the first lines of a label file; 0 where these are no labels."""
    with label.open("rb") as content:
        start = content.read(_PEEK_BYTES)
    lines = [line for line in start.splitlines()[: -1 if len(start) == _PEEK_BYTES else None] if line.strip()]
    return max((len(line.split()) for line in lines), default=0) if all(map(_LINE.fullmatch, lines)) else 0


def read(spec: DatasetSpec) -> LoadedDataset:
    """Every image; those without a label file, or with an empty one, show nothing."""
    problems: list[Problem] = []
    found = described(spec.root, problems)
    return shape_set(spec, pictures_of(spec.root, found, problems), found.names, problems)


def described(root: Path, problems: list[Problem]) -> YoloSet:
    """The set in a folder.

    Raises:
        DataError: its settings cannot be read, or it has no image.
    """
    found = describe(root, problems)
    if not found.images:
        told = f" {problems[0].where}: {problems[0].what}." if problems else ""
        raise DataError(f"{root}: no image of a YOLO set.{told} Expected {READER.summary}.")
    return found


def pictures_of(root: Path, found: YoloSet, problems: list[Problem]) -> list[Picture]:
    """The images of a set with their objects; classes without a name in the set are told and left out."""
    pictures = []
    for image, split in found.images:
        label = label_of(root, image)
        where = files.shown(root, label or image)
        picture = Picture(image, label or image, where, split, in_pixels=False)
        picture.shapes = _shapes(label, where, found, problems) if label else []
        pictures.append(picture)
    if not found.names:
        _name_classes(root, pictures, problems)
    return pictures


def _name_classes(root: Path, pictures: list[Picture], problems: list[Problem]) -> None:
    if any(picture.shapes for picture in pictures):
        what = "nothing names the classes, so they are called class0, class1 and so on"
        problems.append(
            Problem("unnamed-classes", files.readable(str(root)), what, "write them into classes.txt", "warning")
        )


def _shapes(label: Path, where: str, found: YoloSet, problems: list[Problem]) -> list[Shape]:
    try:
        lines = files.read_lines(label, _LABEL_BYTES)
    except DataError as error:
        problems.append(Problem("bad-annotation", where, f"{error} Image left out", "export the labels again"))
        return []
    shapes = []
    for number, line in enumerate(lines, start=1):
        read = _shape(line, found)
        if isinstance(read, Shape):
            shapes.append(read)
        else:
            kind, what, remedy = read
            problems.append(Problem(kind, f"{where}, line {number}", f"{what}; left out", remedy))
    return shapes


def _shape(line: str, found: YoloSet) -> Shape | tuple[str, str, str]:
    """The object of a line; kind, what and remedy of its problem where it is broken."""
    numbers = boxes.finite_numbers(line.split())
    if not numbers or numbers[0] != int(numbers[0]):
        return "bad-annotation", f"{line[:80]!r} is no line of numbers that begins with a class index", _REMEDY
    index = int(numbers[0])
    if index < 0 or (found.names and index >= len(found.names)):
        what = f"class index {index} does not exist; the set names {len(found.names)} classes"
        return "unknown-class", what, "correct the index or name the class"
    label = found.names[index] if found.names else f"class{index}"
    return _object(label, numbers[1:], found) or ("bad-annotation", _fault(line, len(numbers), found), _REMEDY)


def _object(label: str, numbers: tuple[float, ...], found: YoloSet) -> Shape | None:
    """A box, a box with points, or an outline; None for anything else."""
    posed = found.points is not None and len(numbers) == 4 + found.points[0] * found.points[1]
    if any(abs(number) > _FURTHEST for number in (numbers[:4] if posed else numbers)):
        return None
    if len(numbers) == 4 or posed:
        points = _pose(numbers[4:], found.points[1]) if found.points and posed else ()
        return Shape(label, _box(numbers), points=points)
    polygon = polygon_of(numbers) if found.points is None else None
    return Shape(label, polygons=(polygon,)) if polygon else None


def _fault(line: str, count: int, found: YoloSet) -> str:
    more = f"or {5 + found.points[0] * found.points[1]} (kpt_shape)" if found.points else "or pairs of an outline"
    if count == 5 or (count >= _OUTLINE and count % 2):
        return f"{line[:80]!r} has coordinates over 1, which are no fractions of the picture"
    return f"has {count} numbers, expected 5 {more}"


def _box(numbers: tuple[float, ...]) -> boxes.Box:
    x, y, w, h = numbers[:4]
    return x - w / 2, y - h / 2, w, h


def _pose(numbers: tuple[float, ...], each: int) -> boxes.Points:
    """(x, y, v) per point; two numbers a point tell no visibility, and a point at 0, 0 is not labelled."""
    points = [numbers[at : at + each] for at in range(0, len(numbers), each)]
    if each == 2:
        return tuple((x, y, 2 if x > 0 and y > 0 else 0) for x, y in points)
    return tuple((x, y, min(max(int(v), 0), 2)) for x, y, v in points)


READER = Reader(
    "yolo",
    (Task.DETECTION, Task.SEGMENTATION),
    "data.yaml with images/{train,val}/*.jpg and labels/{train,val}/*.txt, or {train,valid,test}/images and labels "
    "(Ultralytics, Roboflow), or obj.data with lists (Darknet, CVAT), or images with labels and classes.txt",
    detect,
    read,
)
