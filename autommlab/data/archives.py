"""Zipped data sets: unpacked once under the project's home, as something that anybody may have made.

Only regular files below the archive's own folder are written, within a budget of bytes and files that is counted while
unpacking, not read from the archive.
"""

import hashlib
import os
import shutil
import stat
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import filelock

from autommlab.common.environment import home
from autommlab.common.errors import DataError
from autommlab.common.files import storage_errors
from autommlab.data.readers import files

SUFFIX = ".zip"
_MOST_FILES = 2_000_000
#: Pictures hardly shrink, annotations to a twentieth; an archive that grows by more is no data set.
_MOST_GROWTH, _FREE_GROWTH_BYTES = 100, 1 << 30
_CHUNK_BYTES = 1 << 20
_LONGEST_NAME = 255
#: What a damaged archive raises, also one that holds a name twice, or a file and a folder of one name.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, RuntimeError, ValueError,
    FileExistsError, NotADirectoryError,
)  # fmt: skip
#: Folders that may lie around the set's own one.
_MOST_WRAPPERS = 3


def is_archive(path: Path) -> bool:
    """Whether a path names a zipped data set: a file, not a folder of that name."""
    return path.suffix.lower() == SUFFIX and files.is_regular(path)


def unpacked(path: Path) -> Path:
    """The top folder of a zipped data set; unpacked unless this very file was unpacked before.

    Raises:
        DataError: the file is no sound archive of regular files, or over the budget.
        StorageError: the disk cannot be written.
    """
    source = path.expanduser().resolve()
    size = source.stat().st_size
    return _without_wrappers(unpacked_once([source], source.stem, lambda folder: _unpack(source, folder, size)))


def unpacked_once(sources: Sequence[Path], name: str, unpack: Callable[[Path], None]) -> Path:
    """A folder under the project's home with what files hold; made unless these very files were unpacked before.

    Args:
        sources: the files, whose paths, sizes and times are compared.
        name: of the folder.
        unpack: fills it.

    Raises:
        StorageError: the disk cannot be written.
    """
    marks = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    key = hashlib.sha256(os.fsencode(repr(marks))).hexdigest()[:16]
    target = home() / "data" / "unpacked" / key / files.readable(name)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(target.with_name(f"{target.name}.lock")):
        if not target.is_dir():
            with storage_errors(target), _drafted(target) as folder:
                unpack(folder)
    return target


@contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    """A folder that takes the place of `target` when the block ends without an error."""
    draft = target.with_name(f".{uuid.uuid4().hex}.tmp")
    draft.mkdir(mode=0o700)
    try:
        yield draft
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unpack(source: Path, folder: Path, size: int) -> None:
    left = min(max(_MOST_GROWTH * size, _FREE_GROWTH_BYTES), shutil.disk_usage(folder).free)
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_FILES:
                raise DataError(f"{source}: holds {len(entries)} files, at most {_MOST_FILES} are unpacked.")
            names = {entry: name for entry in entries if (name := _name(source, entry))}
            for entry, name in names.items():
                left = _write(archive, entry, folder / name, left, source)
    except _BROKEN as error:
        raise DataError(
            f"{source}: cannot be unpacked ({files.readable(str(error))}). Zip the folder again."
        ) from error


def _name(source: Path, entry: zipfile.ZipInfo) -> str:
    """Where an entry is written below the folder; "" for a folder and for what systems leave behind.

    Raises:
        DataError: it would lie elsewhere, or is no regular file.
    """
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    shown = files.readable(entry.filename[:200])
    if (
        not parts
        or parts[0] == "/"
        or ".." in parts
        or ":" in parts[0]
        or max(map(_length, parts)) > _LONGEST_NAME
        or not files.is_writable_name(entry.filename)
    ):
        raise DataError(
            f"{source}: holds {shown!r}, a path that leads out of it or cannot be written. Zip a plain folder."
        )
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataError(
            f"{source}: holds {shown!r}, which is a link or a device. Zip the files themselves (zip without -y)."
        )
    if entry.flag_bits & 1:
        raise DataError(f"{source}: is protected by a password. Unpack it and give the folder.")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return "" if entry.is_dir() or kind == stat.S_IFDIR or hidden else "/".join(parts)


def _length(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int, source: Path) -> int:
    """Write one file; the bytes that are left of the budget."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as copy:
        for chunk in _chunks(archive, entry):
            left -= len(chunk)
            if left < 0:
                raise DataError(
                    f"{source}: unpacks to more than {_MOST_GROWTH} times its size, or than the disk of {home()} has "
                    "free. Unpack it yourself and give the folder."
                )
            copy.write(chunk)
    return left


def _chunks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(entry) as content:
            while chunk := content.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:  # a damaged table sends the reader to places that the file does not have
        raise zipfile.BadZipFile(error.strerror) from error


def _without_wrappers(folder: Path) -> Path:
    """The folder in which the set begins: archives often hold one folder with everything."""
    for _ in range(_MOST_WRAPPERS):
        entries = list(folder.iterdir())
        if len(entries) != 1 or not entries[0].is_dir():
            break
        folder = entries[0]
    return folder
