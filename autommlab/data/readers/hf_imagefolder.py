"""Hugging Face's `imagefolder` with metadata: `metadata.jsonl` or `metadata.csv` beside the pictures.

A column `label` is the class of a picture; `objects` has boxes (x, y, width, height in pixels) and their categories.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autommlab.common.errors import DataError
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.shape_sets import labels_of, shape_set
from autommlab.data.readers.shapes import AnySplit, Picture, Shape
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem
from autommlab.tasks import Task

_NAMES = ("metadata.jsonl", "metadata.csv")
_LABELS = ("label", "labels", "class", "category")
_OBJECTS, _CATEGORIES = "objects", ("categories", "category", "labels", "label", "id")
_PEEK_BYTES = 1 << 16


def detect(root: Path) -> tuple[Task, ...]:
    """Detection where the first rows have objects, classification where they have a label."""
    tasks: list[Task] = []
    for path, _ in _tables(root):
        with path.open("rb") as content:
            start = content.read(_PEEK_BYTES)
        if b"file_name" in start:
            tasks += [Task.DETECTION] if b"bbox" in start else []
            tasks += (
                [Task.CLASSIFICATION] if any(f'"{name}"'.encode() in _quoted(path, start) for name in _LABELS) else []
            )
    return tuple(dict.fromkeys(tasks))[:1]


def _quoted(path: Path, start: bytes) -> bytes:
    """The column names of a table in quotes, as JSON has them."""
    if path.suffix.lower() == ".jsonl":
        return start
    return b",".join(b'"' + name.strip().strip(b'"') + b'"' for name in start.split(b"\n", 1)[0].split(b","))


def _tables(root: Path) -> list[tuple[Path, AnySplit]]:
    places: list[tuple[Path, AnySplit]] = [(root, ""), (root / "data", ""), *files.split_folders(root).items()]
    places += files.split_folders(root / "data").items()
    return [
        (p, split) for place, split in places for p in files.listed(place, ".jsonl", ".csv") if p.name.lower() in _NAMES
    ]


def read(spec: DatasetSpec) -> LoadedDataset:
    """Every row that names a picture."""
    problems: list[Problem] = []
    pictures: list[Picture] = []
    listed = files.named_classes(spec.root)
    for path, split in _tables(spec.root):
        finder = Finder(spec.root, [path.parent])
        for number, row in _rows(path):
            where = f"{files.shown(spec.root, path)}, row {number}"
            if picture := _picture(row, finder, path, where, split, problems):
                _annotate(picture, row, listed, problems)
                pictures.append(picture)
    if not pictures:
        told = f" {problems[0].where}: {problems[0].what}." if problems else ""
        raise DataError(f"{spec.root}: no picture in metadata.jsonl or metadata.csv.{told} Expected {READER.summary}.")
    # One list of classes for labels and for objects does not tell which are whose.
    shared = any(picture.tags for picture in pictures) and any(picture.shapes for picture in pictures)
    used = labels_of(spec.task, pictures) if shared else set(listed)
    return shape_set(spec, pictures, [name for name in listed if name in used], problems)


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(number, row) of a table; None for a broken one.

    Raises:
        DataError: the file cannot be read.
    """
    lines = files.read_lines(path)
    if path.suffix.lower() == ".jsonl":
        for number, line in enumerate(lines, start=1):
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None
        return
    try:
        yield from enumerate(csv.DictReader(io.StringIO("\n".join(lines))), start=2)
    except csv.Error as error:
        raise DataError(f"{path}: not a usable CSV file: {error}. Save it again, with commas and quotes.") from error


def _picture(
    row: Any, finder: Finder, path: Path, where: str, split: AnySplit, problems: list[Problem]
) -> Picture | None:
    name = row.get("file_name") if isinstance(row, dict) else None
    if not isinstance(name, str) or not name:
        what = "is no row with a file_name; left out"
        problems.append(Problem("bad-annotation", where, what, "complete or delete it"))
        return None
    found = finder.find(where, name)
    if isinstance(found, Problem):
        problems.append(found)
        return None
    folders = found.relative_to(finder.root).parts[:-1]
    named: list[AnySplit] = [split, *map(files.split_of, folders)]
    return Picture(found, path, where, next(filter(None, named), ""))


def _annotate(picture: Picture, row: dict[str, Any], listed: tuple[str, ...], problems: list[Problem]) -> None:
    label = next((row[key] for key in _LABELS if row.get(key) not in (None, "")), None)
    if (name := _class(label, listed)) is not None:
        picture.tags.append(name)
    objects = row.get(_OBJECTS)
    if isinstance(objects, str):
        try:
            objects = json.loads(objects)
        except (ValueError, RecursionError):
            objects = {}
    for number, (given, category) in enumerate(_pairs(objects)):
        box, name = boxes.finite_numbers(given, 4), _class(category, listed)
        if box and name:
            picture.shapes.append(Shape(name, (box[0], box[1], box[2], box[3])))
        else:
            what = "has no category, or its bbox is not four numbers; left out"
            remedy = "write bbox as [x, y, width, height] in pixels"
            problems.append(Problem("bad-annotation", f"{picture.where}, object {number}", what, remedy))


def _pairs(objects: Any) -> list[tuple[Any, Any]]:
    """(box, category) of a table of lists, or of a list of tables; a shorter list ends in None."""
    if isinstance(objects, list):
        each = [entry for entry in objects if isinstance(entry, dict)]
        return [(entry.get("bbox"), next((entry[k] for k in _CATEGORIES if k in entry), None)) for entry in each]
    if not isinstance(objects, dict) or not isinstance(objects.get("bbox"), list):
        return []
    named: list[Any] = next((objects[key] for key in _CATEGORIES if isinstance(objects.get(key), list)), [])
    given = objects["bbox"]
    return list(zip(given, [*named, *[None] * len(given)], strict=False))


def _class(value: Any, listed: tuple[str, ...]) -> str | None:
    """A class by name, or by index into the set's list of classes."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = boxes.number(value)
    if number is not None and number == int(number) and 0 <= number < len(listed) and str(value) not in listed:
        return listed[int(number)]
    return clean_name(str(value)) or None


READER = Reader(
    "hf-imagefolder",
    (Task.DETECTION, Task.CLASSIFICATION),
    "Hugging Face's imagefolder: {train,validation,test}/metadata.jsonl (or .csv) with file_name and label, or objects "
    "with bbox and categories; parquet files with pictures inside are unpacked to this",
    detect,
    read,
)
