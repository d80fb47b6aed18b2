"""Writing files so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from autommlab.common.errors import StorageError
from autommlab.common.signing import require_own

#: What the operating system says when a folder cannot take any more.
STORAGE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
_CHUNK_BYTES = 8 * 2**20


@contextlib.contextmanager
def replacing(target: Path, *, private: bool = False) -> Iterator[Path]:
    """A draft beside `target`, which takes its place when the block ends without an error.

    A reader, and whoever comes after a crash, finds the old content or the new, never half of one.

    Args:
        target: file; its folder is made if it is missing.
        private: readable by the user only; otherwise the umask decides.

    Raises:
        OSError: it cannot be written, or is a device.
    """
    if target.exists() and not target.is_file() and not target.is_dir():
        # Root could: every program of the machine would then find a file in the place of /dev/null.
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name[:200]}.{uuid.uuid4().hex}.tmp")
    try:
        if private:
            draft.touch(mode=0o600)
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Replace the content of a file in one step.

    Raises:
        StorageError: the folder is read-only, or the disk is full.
    """
    return write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> Path:
    """Replace the content of a file in one step.

    Raises:
        StorageError: the folder is read-only, or the disk is full.
    """
    with storage_errors(path), replacing(path) as draft:
        draft.write_bytes(content)
    return path


def write_private(path: Path, text: str) -> Path:
    """Replace the content of a file in one step; at no moment can anybody but the user read it.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path, private=True) as draft:
        draft.write_text(text, encoding="utf-8")
    return path


def write_stream(path: Path, source: BinaryIO) -> Path:
    """Replace the content of a file by all that `source` gives, in one step.

    Raises:
        OSError: `source` cannot be read, or the file not be written.
    """
    with replacing(path) as draft, draft.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK_BYTES)
    return path


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Inside the block a folder, made if it is missing, belongs to this process.

    Raises:
        StorageError: it cannot be written, or another process works there.
        ResumeError: it is another user's, or a link in it leads out of it.
    """
    import filelock

    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        require_own(folder)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise StorageError(f"{folder} is in use by another process; wait for it or choose another --out") from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn any `OSError` of writing into `path` inside the block into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The error for a person whose folder cannot be written."""
    return StorageError(
        f"cannot write {error.filename or path}: {error.strerror or error}. Free some space or choose a folder "
        "that you may write to (--out), then go on with --resume"
    )
