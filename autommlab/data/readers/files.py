"""Files and folders as readers meet them: split names, safe paths, JSON, class lists.

A data set may come from anywhere, so only regular files are opened, links are followed without end nowhere, and an
annotation is read up to a limit of bytes.
"""

import codecs
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from autommlab.common.errors import DataError
from autommlab.data.records import Problem, Split

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"}
    | {".gif", ".avif", ".jp2"}
)
CLASS_FILES = ("classes.txt", "labels.txt", "names.txt")
#: Largest annotation file that is read; COCO's and LVIS's have up to 1.2 GB.
ANNOTATION_BYTES = 2 << 30
#: File systems whose "files" are the kernel's: reading them may never end.
_SYSTEM_FOLDERS = ("/proc", "/sys", "/dev")
#: Control characters, line separators and what is no UTF-8: a path that holds one cannot stand in a list of paths.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: What storage boxes, Windows and archivers leave in folders: thumbnails, what was deleted, notes of a Mac.
_LEFT_BEHIND = ("@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found", "__macosx")
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


def beside_splits(root: Path, parent: Path, splits: Collection[Path]) -> list[Problem]:
    """The notes on folders of images beside split folders whose name is no split's: nobody reads them."""
    found = [folder for folder in subfolders(parent) if folder not in splits] if splits else []
    return [
        Problem(
            "no-split",
            shown(root, folder),
            f"{count} picture(s) of this folder belong to no split; left out",
            "name the folder train, val or test, or delete it",
            "warning",
        )
        for folder in found
        if (count := sum(map(is_image, walk(folder))))
    ]


def subfolders(parent: Path) -> list[Path]:
    """Folders in `parent`, sorted, without hidden ones and what archivers leave behind.

    A link counts as the folder it leads to, unless that holds `parent` itself or belongs to the system.
    """
    found = [folder for folder in _entries(parent)[1] if not folder.name.startswith("__")]
    return [folder for folder in found if not folder.is_symlink() or _leads_on(folder, parent)]


def _leads_on(link: Path, parent: Path) -> bool:
    target = link.resolve()
    return not parent.resolve().is_relative_to(target) and not is_system_folder(target)


def is_system_folder(folder: Path) -> bool:
    """Whether a folder is one of the kernel's ("/proc/self")."""
    return folder.is_dir() and folder.stat().st_dev in _system_devices()


@cache
def _system_devices() -> frozenset[int]:
    devices = {os.stat(folder).st_dev for folder in _SYSTEM_FOLDERS if Path(folder).is_dir()}  # noqa: PTH116
    return frozenset(devices - {os.stat("/").st_dev})  # noqa: PTH116


def is_image(path: str | Path) -> bool:
    """Whether the suffix is one that the toolboxes decode."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def is_regular(path: str | Path) -> bool:
    """Whether a regular file lies there: no pipe, no device, nothing of the kernel's; False for any impossible name."""
    try:
        found = os.stat(path)  # noqa: PTH116 - `Path.is_file` raises on names that are too long
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_dev not in _system_devices()


def exists(path: Path) -> bool:
    """Whether anything lies there; False for any impossible name."""
    return os.path.lexists(path)


def listed(folder: Path, *suffixes: str) -> list[Path]:
    """Regular files directly in `folder` with one of the suffixes in any case, sorted, without hidden ones.

    macOS leaves a hidden "._NAME" beside each file that it copies.
    """
    return [path for path in _entries(folder)[0] if path.suffix.lower() in suffixes]


def walk(folder: Path) -> Iterator[Path]:
    """All regular files below `folder`, sorted, without hidden ones.

    Links to folders are followed, each folder once, and none to a folder that holds this one.
    """
    if not folder.is_dir():
        return
    seen = {_identity(parent) for parent in folder.resolve().parents}
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        if _identity(here) in seen:
            continue
        seen.add(_identity(here))
        files, folders = _entries(here)
        waiting += reversed(folders)
        yield from files


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """(regular files, folders) in `folder`, sorted, without hidden ones; nothing of a folder that cannot be read."""
    if not folder.is_dir() or is_system_folder(folder):
        return [], []
    try:
        with os.scandir(folder) as entries:
            seen = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
            # Only a link needs a second look: it may lead to a device, to a file of the kernel, or to itself.
            real = [e for e in seen if (os.path.isdir(e.path) if e.is_symlink() else e.is_dir())]  # noqa: PTH112
            folders = [folder / e.name for e in real if e.name.lower() not in _LEFT_BEHIND]
            plain = [e for e in seen if (is_regular(e.path) if e.is_symlink() else e.is_file())]
            return [folder / e.name for e in plain], folders
    except OSError:
        return [], []


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def has_images(folder: Path) -> bool:
    """Whether an image lies directly in `folder`; stops at the first."""
    try:
        with os.scandir(folder) as entries:
            return any(is_image(e.name) and not e.name.startswith(".") and is_regular(e.path) for e in entries)
    except OSError:
        return False


def is_writable_name(text: str) -> bool:
    """Whether a path can stand in a line of a list: UTF-8 and no control character."""
    return _UNWRITABLE.search(text) is None


def readable(text: str) -> str:
    """`text` on one line that any terminal and file takes: what cannot be written stands as an escape."""
    return _UNWRITABLE.sub(lambda found: _escape(found[0]), text)


def _escape(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode() if code < 0xD800 or code > 0xDFFF else f"\\u{code:04x}"


def inside(root: Path, folder: Path, name: str) -> Path | None:
    """`folder/name` as an absolute path, or None where it leaves `root` ("../../etc/passwd").

    Links are not followed: a user may link images from another disk, an annotation may not point there.
    """
    # As text: `Path` would take a third of the time of reading a large annotation.
    path, top = os.path.normpath(os.path.join(folder, name)), str(root)  # noqa: PTH118
    return Path(path) if path == top or path.startswith(os.path.join(top, "")) else None  # noqa: PTH118


def shown(root: Path, path: Path) -> str:
    """`path` relative to `root` where it lies inside, for messages."""
    return readable(str(path.relative_to(root)) if path.is_relative_to(root) else str(path))


def escapes(where: str, name: str) -> Problem:
    """The problem of an annotation that points out of the data set."""
    return Problem(
        "path-outside",
        where,
        f"the image path {name!r} leaves the data set's folder; entry left out",
        "write paths relative to the data set's folder",
    )


def unwritable(where: str, count: int = 1) -> Problem:
    """The problem of pictures whose path cannot be written into a list."""
    what = f"{count} picture(s) whose path holds a control character or is no UTF-8; left out"
    return Problem("bad-name", where, what, "rename the file or folder")


def unlabelled(split: str, where: str, pictures: int, what: str) -> Problem:
    """The note on a split that has pictures but no label: nobody can train on it or score it."""
    text = f"{pictures} picture(s) of the split {split or 'without a name'} {what}: the split is left out"
    remedy = "annotate them, or leave it so: the split is made from the rest"
    return Problem("unlabelled-split", where, text, remedy, "warning")


def read_bytes(path: Path, limit: int = ANNOTATION_BYTES) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: missing, unreadable, or no regular file.
        DataError: more bytes than `limit`.
    """
    if not is_regular(path):
        raise OSError(None, "it is no regular file") if exists(path) else FileNotFoundError(None, "no such file")
    size = path.stat().st_size
    if size > limit:
        raise DataError(f"{path}: has {size} bytes, at most {limit} are read. Split the annotation into several files.")
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """The parsed file.

    Raises:
        DataError: missing, unreadable or not JSON; says at which line.
    """
    try:
        return json.loads(read_bytes(path))
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
    except (RecursionError, ValueError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DataError(f"{path}: not a usable JSON file: {what}. Export the annotations again.") from error


def read_lines(path: Path, limit: int = ANNOTATION_BYTES) -> list[str]:
    """Non-empty lines, trimmed, of a file of `limit` bytes at most.

    Raises:
        DataError: missing, unreadable or not text.
    """
    try:
        text = read_bytes(path, limit).removeprefix(codecs.BOM_UTF8).decode()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore it or check permissions.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    # Not `splitlines`, which also parts at separators that may stand inside a name.
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]


def read_meta(root: Path) -> dict[str, Any]:
    """The optional `meta.json` beside the data: classes, keypoints, flip_pairs, sigmas; {} without one."""
    path = root / "meta.json"
    meta = read_json(path) if is_regular(path) else {}
    if not isinstance(meta, dict):
        raise DataError(f"{path}: holds a {type(meta).__name__}, expected an object. Mend or delete it.")
    return meta


def named_classes(root: Path) -> tuple[str, ...]:
    """Class names in label order from `meta.json` or a class list beside the data; () without either."""
    listed = read_meta(root).get("classes")
    if isinstance(listed, list) and listed:
        return tuple(str(name) for name in listed)
    for name in CLASS_FILES:
        if is_regular(root / name):
            return tuple(read_lines(root / name))
    return ()
