"""Writing files so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autommlab.common.errors import StorageError

#: What the operating system says when a folder cannot take any more.
STORAGE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


def write_text(path: Path, text: str) -> Path:
    """Write `text` under a temporary name, then move it into place.

    Raises:
        StorageError: the folder is read-only, missing, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise storage_error(path, error) from error
    return path


def append_text(path: Path, text: str) -> None:
    """Add to the end of a file, which is made if it is missing; on return the text is on the disk.

    Raises:
        StorageError: the file cannot be written.
    """
    with storage_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


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
