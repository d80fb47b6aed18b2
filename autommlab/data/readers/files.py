"""Files and folders as readers meet them: split names, safe paths, JSON, class lists."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from autommlab.common.errors import DataError
from autommlab.data.records import Problem, Split

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
CLASS_FILES = ("classes.txt", "labels.txt", "names.txt")
_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


def split_of(name: str) -> Split | Literal[""]:
    """The split a file or folder name speaks of ("instances_val2017.json" -> "val"); "" for none."""
    for word in re.findall(r"[a-z]+", name.lower()):
        if word in _SPLITS:
            return _SPLITS[word]
    return ""


def split_folders(parent: Path) -> dict[Path, Split]:
    """Subfolders whose whole name is a split's ("train", "valid", "test2017")."""
    found: dict[Path, Split] = {}
    for folder in subfolders(parent):
        split = _SPLITS.get(re.sub(r"\d+$", "", folder.name.lower()))
        if split:
            found[folder] = split
    return found


def subfolders(parent: Path) -> list[Path]:
    """Folders in `parent`, sorted, without hidden ones and what archivers leave behind."""
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith((".", "__")))


def is_image(path: str | Path) -> bool:
    """Whether the suffix is one that the toolboxes decode."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def walk(folder: Path) -> Iterator[Path]:
    """All files below `folder`, sorted, without hidden ones; follows no links to folders."""
    for parent, names, files in os.walk(folder):
        names[:] = sorted(n for n in names if not n.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


def has_images(folder: Path) -> bool:
    """Whether an image lies directly in `folder`; stops at the first."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(is_image(e.name) and not e.name.startswith(".") for e in entries)


def inside(root: Path, folder: Path, name: str) -> Path | None:
    """`folder/name` as an absolute path, or None where it leaves `root` ("../../etc/passwd").

    Links are not followed: a user may link images from another disk, an annotation may not point there.
    """
    path = Path(os.path.normpath(folder / name))
    return path if path.is_relative_to(root) else None


def shown(root: Path, path: Path) -> str:
    """`path` relative to `root` where it lies inside, for messages."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def escapes(where: str, name: str) -> Problem:
    """The problem of an annotation that points out of the data set."""
    return Problem(
        "path-outside",
        where,
        f"the image path {name!r} leaves the data set's folder; entry left out",
        "write paths relative to the data set's folder",
    )


def read_json(path: Path) -> Any:
    """The parsed file.

    Raises:
        DataError: missing, unreadable or not JSON; says at which line.
    """
    try:
        with path.open("rb") as source:
            return json.load(source)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Restore it, or register another folder.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}). Save it as UTF-8 JSON.") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}. "
            "The file may be cut short; export or download it again."
        ) from error


def read_lines(path: Path) -> list[str]:
    """Non-empty lines, trimmed.

    Raises:
        DataError: missing, unreadable or not text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore it or check permissions.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_meta(root: Path) -> dict[str, Any]:
    """The optional `meta.json` beside the data: classes, keypoints, flip_pairs, sigmas; {} without one."""
    path = root / "meta.json"
    meta = read_json(path) if path.is_file() else {}
    if not isinstance(meta, dict):
        raise DataError(f"{path}: holds a {type(meta).__name__}, expected an object. Mend or delete it.")
    return meta


def named_classes(root: Path) -> tuple[str, ...]:
    """Class names in label order from `meta.json` or a class list beside the data; () without either."""
    listed = read_meta(root).get("classes")
    if isinstance(listed, list) and listed:
        return tuple(str(name) for name in listed)
    for name in CLASS_FILES:
        if (root / name).is_file():
            return tuple(read_lines(root / name))
    return ()
