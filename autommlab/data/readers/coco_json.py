"""One COCO annotation file into samples: shared by every layout that uses the format.

Broken entries are stepped over and recorded; only a file without images, or with annotations but without
categories, is given up.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from autommlab.common.errors import DataError
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files, images, keypoint_layouts
from autommlab.data.readers.coco_annotations import Annotations
from autommlab.data.readers.coco_entries import Entries, EntriesBuilder
from autommlab.data.readers.coco_plain import PlainObjects, plain_objects
from autommlab.data.readers.coco_tables import read_tables
from autommlab.data.readers.fitting import Annotated, Size, sizes_meant
from autommlab.data.readers.ids import Ids, is_id, names_of_category, names_of_image
from autommlab.data.readers.lookup import Finder
from autommlab.data.records import Instance, KeypointLayout, Problem, Sample, Split


@dataclass(slots=True)
class CocoFile:
    """One annotation file and where its images lie.

    Attributes:
        folders: candidates, best first; an image lies in the first that has it.
    """

    path: Path
    split: Split | Literal[""]
    folders: list[Path]


@dataclass(slots=True)
class CocoSet:
    """What the files of a set have in common, and what was read so far."""

    root: Path
    with_keypoints: bool
    meta: dict[str, Any] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    layout: KeypointLayout | None = None
    samples: list[Sample] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _parents: set[str] = field(default_factory=set)
    _objects: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, where: str, what: str, remedy: str) -> None:
        """Record a problem."""
        self.problems.append(Problem(kind, where, what, remedy))

    def read_all(self, found: list[CocoFile]) -> None:
        """Add the files' images and their objects.

        Other JSON that lies beside them is passed over, unless its name speaks of a split.

        Raises:
            DataError: a file is damaged, or none is a COCO annotation.
        """
        foreign: list[CocoFile] = []
        for file in found:
            content = self.content(file.path)
            if file.split or _has_any_table(content):
                self.read(file, content)
            else:
                foreign.append(file)
        if foreign and not self.samples:
            tables_of(foreign[0].path, None)
        for file in foreign:
            what, where = "is no COCO annotation; passed over", files.shown(self.root, file.path)
            self.problems.append(Problem("not-an-annotation", where, what, "move it elsewhere", "warning"))
        self._leave_out_parents()

    def content(self, path: Path) -> Any:
        """What a file holds, as `read` takes it.

        Raises:
            DataError: it cannot be read.
        """
        return read_tables(path, with_points=self.with_keypoints)

    def read(self, file: CocoFile, content: Any) -> None:
        """Add a file's images and their objects.

        Raises:
            DataError: the file is no COCO annotation at all.
        """
        tables = tables_of(file.path, content)
        name = files.shown(self.root, file.path)
        category_ids = Ids(tables["categories"], names_of_category)
        image_ids = Ids(tables["images"], names_of_image)
        labels = self._labels(name, tables["categories"], category_ids)
        pictures = self._images(name, file, tables["images"], image_ids)
        entries: Entries = tables["annotations"]
        if any(entries.fractions):
            self.problems.append(boxes.fractions_note(name))
        reader = Annotations(
            name, labels, pictures, image_ids, category_ids, self.layout, entries.fractions, self.problems,
            entries.repeated(),
        )  # fmt: skip
        points = len(self.layout.names) if self.layout else None
        plain = plain_objects(entries, labels, pictures, points, reader.repeated)
        single = self._looked_at(entries, plain, reader)
        numbers = np.flatnonzero(plain.kept & ~np.isin(plain.rows, list(single)))
        self._objects.update(dict(zip(self.classes, plain.counts(numbers, len(self.classes)), strict=True)))
        numbers = numbers[np.argsort(plain.rows[numbers], kind="stable")]
        objects = plain.of(numbers)
        ends = np.searchsorted(plain.rows[numbers], np.arange(len(pictures) + 1)).tolist()
        for row, (path, width, height) in enumerate(pictures.values()):
            size, kept = single.get(row, ((width, height), objects[ends[row] : ends[row + 1]]))
            self.samples.append(Sample(path, size[0], size[1], file.split, instances=tuple(kept)))

    def _looked_at(
        self, entries: Entries, plain: PlainObjects, reader: Annotations
    ) -> dict[int, tuple[Size, list[Instance]]]:
        """The size and objects of each image of which an entry is not plain, by its position."""
        position = {key: row for row, key in enumerate(reader.pictures)}
        found: dict[int, dict[int, Instance]] = defaultdict(dict)
        for number in np.flatnonzero(~plain.sound).tolist():
            if read := reader.read(number, entries[number]):
                found[position[read[0]]][number] = read[1]
        for number in np.flatnonzero(plain.kept & np.isin(plain.rows, list(found))).tolist():
            if read := reader.read(number, entries[number]):
                found[position[read[0]]][number] = read[1]
        pictures, rows = list(reader.pictures.values()), sorted(found)
        items = [sorted(found[row].items()) for row in rows]
        annotated = [
            Annotated(pictures[row][0], (pictures[row][1], pictures[row][2]), [item.bbox for _, item in each])
            for row, each in zip(rows, items, strict=True)
        ]
        single = {}
        for row, size, each in zip(rows, sizes_meant(self.root, annotated, self.problems), items, strict=True):
            fitted = [reader.fitted(number, entries[number], item, size) for number, item in each]
            single[row] = (size, [item for item in fitted if item])
            self._objects.update(self.classes[item.label] for item in single[row][1])
        return single

    def _leave_out_parents(self) -> None:
        """Take out classes without an object that only name the kind of others, as Roboflow's exports have one."""
        empty = [name for name in self.classes if name in self._parents and not self._objects[name]]
        if not empty or len(empty) == len(self.classes):
            return
        for name in empty:
            self._note_parent(name)
        kept = [name for name in self.classes if name not in empty]
        label = {old: kept.index(name) for old, name in enumerate(self.classes) if name in kept}
        self.samples = [
            replace(sample, instances=tuple(replace(item, label=label[item.label]) for item in sample.instances))
            for sample in self.samples
        ]
        self.classes[:] = kept

    def _note_parent(self, name: str) -> None:
        what = f"the category {name!r} has no object and is the supercategory of others: it is no class"
        note = Problem("supercategory", files.readable(str(self.root)), what, "nothing needs doing", "warning")
        if note not in self.problems:
            self.problems.append(note)

    def _labels(self, name: str, categories: list[Any], ids: Ids) -> dict[Any, int]:
        """Category id -> class index; classes of the same name in several files are one."""
        labels: dict[Any, int] = {}
        usable = [c for c in categories if _is_category(c)]
        if len(usable) < len(categories):
            self.note("bad-annotation", name, "a category lacks id or name; left out", "give every category both")
        self._parents |= {
            parent for category in usable if (parent := _parent(category)) != clean_name(str(category["name"]))
        }
        keyed = [(ids.key(category["id"]), category) for category in usable]
        for key, category in sorted(keyed, key=lambda pair: (not isinstance(pair[0], int), pair[0])):
            title = clean_name(str(category["name"]))
            if key in labels:
                self.note(
                    "duplicate-id",
                    f"{name}, category {key}",
                    f"the category id {key} is used twice; {title!r} is left out",
                    "give each category an id of its own",
                )
                continue
            if self.with_keypoints and title in self._parents and not category.get("keypoints"):
                self._note_parent(title)
                continue
            if self.with_keypoints and not self._take_layout(name, category):
                continue
            if title not in self.classes:
                self.classes.append(title)
            labels[key] = self.classes.index(title)
        return labels

    def _take_layout(self, name: str, category: dict[str, Any]) -> bool:
        """Whether the category's points are those of the set; the first category decides."""
        points = category.get("keypoints") or self.meta.get("keypoints")
        where = f"{name}, category {clean_name(str(category['name']))!r}"
        if not isinstance(points, list) or not points:
            self.note("bad-annotation", where, "has no keypoint names; left out", "add its list 'keypoints'")
            return False
        names = tuple(clean_name(str(point)) for point in points)
        if self.layout is None:
            self.layout = keypoint_layouts.build_layout(names, category.get("skeleton"), self.meta)
        if names != self.layout.names:
            self.note(
                "keypoint-count",
                where,
                f"has {len(points)} keypoints that differ from the set's {len(self.layout.names)}; left out",
                "keep categories with different points in separate sets",
            )
            return False
        return True

    def _images(self, name: str, file: CocoFile, entries: list[Any], ids: Ids) -> dict[Any, tuple[Path, int, int]]:
        """Image id -> (path, width, height); sizes the annotation lacks come from the files."""
        finder = Finder(self.root, list(file.folders))
        paths: dict[Any, Path] = {}
        known: dict[Any, tuple[int, int]] = {}
        for number, entry in enumerate(entries):
            if not _is_image(entry):
                where = f"{name}, image entry {number}"
                self.note("bad-annotation", where, "lacks id or file_name; left out", "complete or delete it")
                continue
            key, where = ids.key(entry["id"]), f"{name}, image {entry['file_name']!r}"
            if key in paths:
                what = f"the image id {key} is used twice; this entry is left out"
                self.note("duplicate-id", where, what, "give each image an id of its own")
                continue
            path = finder.find(where, entry["file_name"])
            if isinstance(path, Problem):
                self.problems.append(path)
                continue
            paths[key] = path
            width, height = boxes.number(entry.get("width")) or 0, boxes.number(entry.get("height")) or 0
            if width >= 1 and height >= 1:
                known[key] = (int(width), int(height))
        missing = [key for key in paths if key not in known]
        measured = images.sizes(self.root, [paths[key] for key in missing], self.problems)
        known |= {key: size for key, size in zip(missing, measured, strict=True) if size}
        return {key: (path, *known[key]) for key, path in paths.items() if key in known}


def _has_any_table(content: Any) -> bool:
    return isinstance(content, dict) and any(
        isinstance(content.get(key), list | Entries) for key in ("images", "annotations")
    )


def tables_of(path: Path, content: Any) -> dict[str, Any]:
    """The lists of a file; one of images alone, as COCO's own `image_info_test2017.json`, has no annotations."""
    given = content if isinstance(content, dict) else {}
    tables = {key: given.get(key) for key in ("images", "annotations", "categories")}
    if tables["annotations"] is None:
        tables["annotations"] = EntriesBuilder(with_points=False).built()
    if tables["categories"] is None and not tables["annotations"]:
        tables["categories"] = []
    for key, table in tables.items():
        needed = key == "images" or (key == "categories" and bool(tables["annotations"]))
        if not isinstance(table, list | Entries) or (needed and not table):
            raise DataError(
                f"{path}: no list {key!r}, or an empty one; a COCO annotation has images, annotations and "
                "categories. Export the annotations again, as COCO JSON."
            )
    return tables


def _is_category(entry: Any) -> bool:
    return isinstance(entry, dict) and is_id(entry.get("id")) and bool(str(entry.get("name") or "").strip())


def _parent(category: dict[str, Any]) -> str:
    parent = category.get("supercategory")
    return clean_name(parent) if isinstance(parent, str) else ""


def _is_image(entry: Any) -> bool:
    return isinstance(entry, dict) and is_id(entry.get("id")) and isinstance(entry.get("file_name"), str)
