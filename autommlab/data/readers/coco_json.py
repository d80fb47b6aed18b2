"""One COCO annotation file into samples: shared by every layout that uses the format.

Broken entries are stepped over and recorded; only a file without images, annotations or categories
is given up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from autommlab.common.errors import DataError
from autommlab.data.readers import files, images, keypoint_layouts
from autommlab.data.readers.coco_annotations import Annotations, is_id
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

    def note(self, kind: str, where: str, what: str, remedy: str) -> None:
        """Record a problem."""
        self.problems.append(Problem(kind, where, what, remedy))

    def read(self, file: CocoFile) -> None:
        """Add a file's images and their objects.

        Raises:
            DataError: the file is no COCO annotation at all.
        """
        content = files.read_json(file.path)
        tables = _tables(file.path, content)
        name = files.shown(self.root, file.path)
        labels = self._labels(name, tables["categories"])
        pictures = self._images(name, file, tables["images"])
        found: dict[Any, list[Instance]] = {key: [] for key in pictures}
        reader = Annotations(name, labels, pictures, self.layout, self.problems)
        for number, entry in enumerate(tables["annotations"]):
            if instance := reader.read(number, entry):
                found[entry["image_id"]].append(instance)
        for key, (path, width, height) in pictures.items():
            if found[key] or not self.with_keypoints:
                self.samples.append(Sample(path, width, height, file.split, instances=tuple(found[key])))

    def _labels(self, name: str, categories: list[Any]) -> dict[Any, int]:
        """Category id -> class index; classes of the same name in several files are one."""
        labels: dict[Any, int] = {}
        usable = [c for c in categories if _is_category(c)]
        if len(usable) < len(categories):
            self.note("bad-annotation", name, "a category lacks id or name; left out", "give every category both")
        for category in sorted(usable, key=lambda c: (not isinstance(c["id"], int), c["id"])):
            key, title = category["id"], str(category["name"]).strip()
            if key in labels:
                self.note(
                    "duplicate-id",
                    f"{name}, category {key}",
                    f"the category id {key} is used twice; {title!r} is left out",
                    "give each category an id of its own",
                )
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
        where = f"{name}, category {category['name']!r}"
        if not isinstance(points, list) or not points:
            self.note("bad-annotation", where, "has no keypoint names; left out", "add its list 'keypoints'")
            return False
        if self.layout is None:
            self.layout = keypoint_layouts.build(points, category.get("skeleton") or [], self.meta)
        if tuple(points) != self.layout.names:
            self.note(
                "keypoint-count",
                where,
                f"has {len(points)} keypoints that differ from the set's {len(self.layout.names)}; left out",
                "keep categories with different points in separate sets",
            )
            return False
        return True

    def _images(self, name: str, file: CocoFile, entries: list[Any]) -> dict[Any, tuple[Path, int, int]]:
        """Image id -> (path, width, height); sizes the annotation lacks come from the files."""
        find = _finder(self.root, file.folders)
        paths: dict[Any, Path] = {}
        known: dict[Any, tuple[int, int]] = {}
        for number, entry in enumerate(entries):
            where = f"{name}, image entry {number}"
            usable = isinstance(entry, dict) and is_id(entry.get("id")) and isinstance(entry.get("file_name"), str)
            if not usable:
                self.note("bad-annotation", where, "lacks id or file_name; left out", "complete or delete it")
                continue
            key, where = entry["id"], f"{name}, image {entry['file_name']!r}"
            if key in paths:
                what = f"the image id {key} is used twice; this entry is left out"
                self.note("duplicate-id", where, what, "give each image an id of its own")
                continue
            path = find(entry["file_name"])
            if path is None:
                self.problems.append(files.escapes(where, entry["file_name"]))
                continue
            paths[key] = path
            width, height = entry.get("width"), entry.get("height")
            if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
                known[key] = (width, height)
        missing = [key for key in paths if key not in known]
        measured = images.sizes(self.root, [paths[key] for key in missing], self.problems)
        known |= {key: size for key, size in zip(missing, measured, strict=True) if size}
        return {key: (path, *known[key]) for key, path in paths.items() if key in known}


def _tables(path: Path, content: Any) -> dict[str, list[Any]]:
    tables: dict[str, list[Any]] = {}
    for key in ("images", "annotations", "categories"):
        table = content.get(key) if isinstance(content, dict) else None
        if not isinstance(table, list) or (not table and key != "annotations"):
            raise DataError(
                f"{path}: no list {key!r}, or an empty one; a COCO annotation has images, annotations and "
                "categories. Export the annotations again, as COCO JSON."
            )
        tables[key] = table
    return tables


def _is_category(entry: Any) -> bool:
    return isinstance(entry, dict) and is_id(entry.get("id")) and bool(str(entry.get("name") or "").strip())


def _is_image(entry: Any) -> bool:
    return isinstance(entry, dict) and is_id(entry.get("id")) and isinstance(entry.get("file_name"), str)


def _finder(root: Path, folders: list[Path]) -> Callable[[str], Path | None]:
    """A function from file_name to path: where it exists, else below the first folder; None outside `root`.

    The folder that had the last image is tried first, so that a set costs one look-up an image.
    """
    order = [folder for folder in folders if folder.is_dir()] or folders[:1]

    def find(name: str) -> Path | None:
        paths = [files.inside(root, folder, name) for folder in order]
        for folder, path in zip(order, paths, strict=True):
            if path is not None and path.is_file():
                order.remove(folder)
                order.insert(0, folder)
                return path
        return paths[0]

    return find
