"""Data sets on a storage (`s3://`, `gs://`, `hdfs://`, `file://` ...): fetched whole, once per machine, and checked.

A file counts as fetched when size and time of change are the storage's. Where the set has a `SHA256SUMS` at its top
(as `sha256sum` writes it), each fetched file is also held against its sum.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError

from autommlab.common.environment import home
from autommlab.common.errors import DataError, StorageError
from autommlab.common.files import replacing, storage_errors, write_text
from autommlab.common.run_path import InnerName
from autommlab.common.storage import Place, place_of
from autommlab.data.readers.files import is_writable_name, readable, walk

_log = logging.getLogger(__name__)

SUMS_FILE = "SHA256SUMS"
#: Beside the fetched folder, so that no reader takes it for data.
_LIST_SUFFIX = ".fetched.json"
_AT_ONCE = 8
_CHUNK_BYTES = 4 * 2**20


class _Mark(BaseModel):
    """A file as the storage lists it; `changed_ns` is 0 where it tells no time."""

    model_config = ConfigDict(frozen=True)

    size: int
    changed_ns: int = 0


class _Fetched(BaseModel):
    """What lies in the folder; written when all of it does."""

    uri: str
    files: dict[InnerName, _Mark]


def local_folder(uri: str) -> Path:
    """Where this machine keeps the set; its last part is the set's own name."""
    asked = uri.partition("?")[0].rstrip("/")
    name = posixpath.basename(asked) or "data"
    return home() / "data" / "fetched" / hashlib.sha256(uri.rstrip("/").encode()).hexdigest()[:16] / name


def fetch_dataset(uri: str, folder: Path | None = None) -> Path:
    """Make the folder what the storage holds and give it; files that are there already stay.

    Args:
        uri: of the set's top folder.
        folder: where to; None = `local_folder`.

    Raises:
        DataError: nothing is there, or a file is not what its sum says.
        StorageError: the storage cannot be read, or the disk not written.
    """
    target = folder or local_folder(uri)
    place = place_of(uri)
    with storage_errors(target):
        target.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(target.with_name(f"{target.name}.lock")):  # trials of a node begin at once
        offered, before = _offered(place, target), _read_list(target)
        missing = [name for name, mark in offered.items() if not _is_here(target / name, mark, before.get(name))]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: _copy(place, name, target / name, offered[name]), missing))
        _check_sums(target, missing)
        for gone in before.keys() - offered.keys():
            (target / gone).unlink(missing_ok=True)
        write_text(_list_file(target), _Fetched(uri=uri, files=offered).model_dump_json())
    return target


def _offered(place: Place, target: Path) -> dict[str, _Mark]:
    try:
        files = _local_files(Path(place.path)) if place.files.type_name == "local" else _stored_files(place)
    except FileNotFoundError as error:
        raise DataError(f"no data set at {place.uri}: there is no such folder. Check the URI") from error
    except (OSError, ValueError) as error:
        kept = f" An earlier copy lies in {target}: --data {target}" if _list_file(target).exists() else ""
        raise StorageError(f"cannot list {place.uri}: {error}. Check permission and network.{kept}") from error
    strange = [name for name in files if ".." in PurePosixPath(name).parts or name.startswith("/")]
    if strange or not files:
        what = f"names such as {strange[0]!r} lead out of it" if strange else "it holds no file"
        raise DataError(f"no data set at {place.uri}: {what}")
    unwritable = [name for name in files if not is_writable_name(name)]
    if unwritable:
        _log.warning(
            "%d file(s) of %s have a control character in their name or are no UTF-8 and are not fetched: %s",
            len(unwritable), place.uri, ", ".join(map(readable, unwritable[:3])),
        )  # fmt: skip
    return {name: mark for name, mark in files.items() if name not in unwritable}


def _stored_files(place: Place) -> dict[str, _Mark]:
    from pyarrow.fs import FileSelector, FileType

    return {
        posixpath.relpath(info.path, place.path): _Mark(size=info.size or 0, changed_ns=info.mtime_ns or 0)
        for info in place.files.get_file_info(FileSelector(place.path, recursive=True))
        if info.type is FileType.File
    }


def _local_files(folder: Path) -> dict[str, _Mark]:
    """Regular files only, each folder once: pyarrow would follow a ring of links, and read pipes, without end."""
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    marks = {}
    for file in walk(folder):
        found = file.stat()
        marks[file.relative_to(folder).as_posix()] = _Mark(size=found.st_size, changed_ns=found.st_mtime_ns)
    return marks


def _is_here(file: Path, mark: _Mark, before: _Mark | None) -> bool:
    return before == mark and file.is_file() and file.stat().st_size == mark.size


def _copy(place: Place, name: str, file: Path, mark: _Mark) -> None:
    """A file under its name is a whole one, whenever the process dies."""
    try:
        source = place.files.open_input_stream(place.inside(name))
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {name} of {place.uri}: {error}") from error
    with source, storage_errors(file), replacing(file) as draft:
        with draft.open("wb") as copy:
            shutil.copyfileobj(source, copy, _CHUNK_BYTES)
        if draft.stat().st_size != mark.size:
            raise StorageError(
                f"{name} of {place.uri} came with {draft.stat().st_size} bytes instead of {mark.size}: the "
                "connection broke, or the set is being changed; the same command again goes on"
            )


def _check_sums(target: Path, names: list[str]) -> None:
    sums = _sums(target / SUMS_FILE)
    for name in names:
        file, wanted = target / name, sums.get(name)
        if wanted is None or name == SUMS_FILE:  # `sha256sum *` also sums the half-written list
            continue
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != wanted:
            file.unlink()
            raise DataError(
                f"{name} is not what {SUMS_FILE} says: SHA-256 {found[:12]}... instead of {wanted[:12]}...; "
                "it was deleted here. Mend it, or its sum, on the storage"
            )


def _sums(file: Path) -> Mapping[str, str]:
    """Name -> SHA-256 in hexadecimal digits; empty without such a file."""
    if not file.is_file():
        return {}
    text = file.read_bytes().decode("utf-8", "surrogateescape")  # names on a disk need not be UTF-8
    lines = (line.split(maxsplit=1) for line in text.split("\n") if line.strip())
    return {
        parts[1].rstrip("\r").lstrip("*").removeprefix("./"): parts[0].lower() for parts in lines if len(parts) == 2
    }


def _list_file(target: Path) -> Path:
    return target.with_name(f"{target.name}{_LIST_SUFFIX}")


def _read_list(target: Path) -> dict[str, _Mark]:
    try:
        return _Fetched.model_validate_json(_list_file(target).read_bytes()).files
    except (OSError, ValidationError):
        return {}
