"""Which layout a folder has: from the folder to a `DatasetSpec`, or an error that says what was seen."""

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from autommlab.common.errors import DataError
from autommlab.data import readers
from autommlab.data.archives import is_archive, unpacked
from autommlab.data.names import clean_name
from autommlab.data.parquet_sets import parquet_files, unpacked_pictures
from autommlab.data.readers import files, images
from autommlab.data.readers.reader import Reader
from autommlab.data.records import DatasetSpec
from autommlab.tasks import Task

_SHOWN = 8
_LONGEST_NAME = 100
_NAME = re.compile(r"(?![-~.])[^/\\:\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
#: Exports of annotation tools that are read as they are; `docs/your-data.md` has the same list.
_TOOLS = (
    "Exports that are read as they are: COCO and YOLO of Roboflow; 'CVAT for images 1.1', COCO, COCO Keypoints, YOLO, "
    "Ultralytics YOLO and PASCAL VOC of CVAT; JSON, COCO and YOLO of Label Studio; the files of LabelMe and labelImg; "
    "imagefolder and parquet of Hugging Face."
)
#: Bytes of a readme that are searched for its licence.
_README_BYTES = 1 << 20
_NOTES = ("SOURCE.md", "README.md", "README.txt", "readme.txt")
_LICENCE = re.compile(r"^\W*licen[cs]e\W*:\s*(?P<text>.+)$", re.IGNORECASE | re.MULTILINE)


def recognise(path: Path, name: str | None = None, task: Task | None = None, layout: str | None = None) -> DatasetSpec:
    """The spec of a folder or of a zipped one; `task` and `layout` narrow down what it may be.

    Raises:
        DataError: no folder, no known layout, or several that fit.
    """
    given = path.expanduser()
    root = _opened(given)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise DataError(f"{files.readable(str(root))}: {what}. Give the top folder of the data set, or a .zip of it.")
    if files.is_system_folder(root):
        raise DataError(f"{root}: a folder of the system, no data set. Give the top folder of the data set.")
    if not files.is_writable_name(str(root)):
        raise DataError(
            f"{files.readable(str(root))}: the path holds a control character or is no UTF-8, so it cannot stand in "
            "lists of images. Rename the folder."
        )
    reader, chosen = _choose(root, task, layout)
    own_name = given.stem if is_archive(given) else given.resolve().name
    given_name = (name if name is not None else own_name).strip()
    if not given_name:
        raise DataError(f"{root}: a data set needs a name. Give one with --name.")
    notes = _notes(root)
    return DatasetSpec(
        name=given_name,
        task=chosen,
        layout=reader.layout,
        root=root,
        description=notes.get("description", ""),
        licence=notes.get("licence", ""),
    )


def _opened(given: Path) -> Path:
    """The folder of the set: of an archive, and of parquet files with pictures inside, the one they are unpacked to."""
    root = unpacked(given) if is_archive(given) else given.resolve()
    inside = parquet_files(root) if root.is_dir() and not files.is_system_folder(root) else []
    # A table of something else may lie beside a set of another layout.
    return unpacked_pictures(root, inside) if inside and not readers.candidates(root) else root


def check_name(name: str) -> None:
    """Refuse a name that commands would take for a path, an option or a URI.

    Raises:
        DataError: such a name.
    """
    if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name):
        return
    raise DataError(
        f"{name[: 2 * _LONGEST_NAME]!r} cannot be the name of a data set. Give one with --name that "
        "does not begin with '-', '~' or '.', has no '/', backslash, ':' or control character and at most "
        f"{_LONGEST_NAME} letters."
    )


def _choose(root: Path, task: Task | None, layout: str | None) -> tuple[Reader, Task]:
    if layout is not None:
        reader = readers.get(layout)
        tasks = reader.detect(root) or reader.tasks
        fitting = [(reader, t) for t in (reader.tasks if task else tasks) if task in (None, t)]
    else:
        found = readers.candidates(root)
        fitting = [(r, t) for r, t in found if task in (None, t)]
        if not fitting and task is not None:
            # A layout may serve a task that it does not show at a glance: the polygons of COCO's boxes are masks.
            fitting = [(reader, task) for reader in dict(found) if task in reader.tasks]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise DataError(_nothing_fits(root, task, layout))
    command = f"  autommlab data add {shlex.quote(str(root))}"
    options = "\n".join(f"{command} --task {t} --layout {r.layout}" for r, t in fitting)
    raise DataError(f"{root} can be read in {len(fitting)} ways. Register it as one of these:\n{options}")


def _nothing_fits(root: Path, task: Task | None, layout: str | None) -> str:
    wanted = f" as {task}" if task else ""
    if layout is not None:
        reader = readers.get(layout)
        return (
            f"{root}: layout {layout} cannot be read{wanted}; it serves {' and '.join(reader.tasks)}. "
            "Give a task it serves, or another layout."
        )
    entries = [entry for entry in root.iterdir() if entry.name[0] != "."]
    seen = sorted(files.readable(entry.name) + "/" * entry.is_dir() for entry in entries)
    listing = ", ".join(seen[:_SHOWN]) + (f" and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else "")
    below = [folder for folder in files.subfolders(root) if readers.candidates(folder)]
    if below:
        return f"{root}: no data set, but its subfolder is one. Give that path: {' or '.join(map(str, below))}"
    if foreign := images.foreign(root, root, files.walk(root)):
        what = "; ".join(problem.what for problem in foreign)
        return f"{root}: {what}, and no other images make a data set; {foreign[0].remedy}."
    known = "\n".join(
        f"  {reader.layout}: {reader.summary}"
        for reader in readers.READERS.values()
        if task is None or task in reader.tasks
    )
    return (
        f"{root}: no known layout{wanted}. Found: {listing or 'nothing, the folder is empty'}. {_without_images(root)}"
        f"{_TOOLS} Arrange the files as one of these, or force one with --layout:\n{known}"
    )


def _without_images(root: Path) -> str:
    """What lies below a folder that has files but no image among them; "" for any other."""
    kinds = Counter(path.suffix.lower() or "no suffix" for path in files.walk(root))
    if not kinds or kinds.keys() & files.IMAGE_SUFFIXES:
        return ""
    told = ", ".join(f"{count} file(s) of {files.readable(kind)}" for kind, count in kinds.most_common(3))
    suffixes = ", ".join(sorted(files.IMAGE_SUFFIXES))
    return f"No image that is read lies there, only {told}; images end in {suffixes}, convert others. "


def _notes(root: Path) -> dict[str, str]:
    """Description and licence that the set states of itself, in meta.json or a readme."""
    meta: dict[str, Any] = files.read_meta(root)
    found = {key: clean_name(str(meta[key])) for key in ("description", "licence") if meta.get(key)}
    if meta.get("license"):
        found.setdefault("licence", clean_name(str(meta["license"])))
    for path in (root / name for name in _NOTES):
        if not files.is_regular(path):
            continue
        with path.open(encoding="utf-8", errors="replace") as readme:
            text = readme.read(_README_BYTES)
        if match := _LICENCE.search(text):
            found.setdefault("licence", clean_name(match["text"]))
        if heading := re.search(r"^#\s+(.+)$", text, re.MULTILINE):
            found.setdefault("description", clean_name(heading[1]))
        break
    return found
