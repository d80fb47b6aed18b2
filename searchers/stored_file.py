"""Whole files on any storage that pyarrow knows: a reader sees the old content or the new, never half."""

from __future__ import annotations

import contextlib
import posixpath
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: An object appears there only when it is complete; a "move" would copy it once more.
_OBJECT_STORES = frozenset({"s3", "gcs", "abfs"})


@contextlib.contextmanager
def open_whole(files: FileSystem, path: str) -> Iterator[Any]:
    """A stream to write into; what was written takes the place of `path` when the block ends without an error.

    Args:
        files: the storage.
        path: on it, without scheme.

    Raises:
        OSError: it cannot be written.
    """
    if files.type_name in _OBJECT_STORES:
        with files.open_output_stream(path) as stream:
            yield stream
        return
    folder, name = posixpath.split(path)
    files.create_dir(folder)
    draft = posixpath.join(folder, f".{name}.{uuid.uuid4().hex}.tmp")
    try:
        with files.open_output_stream(draft) as stream:
            yield stream
        files.move(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            files.delete_file(draft)
        raise


def read_whole(files: FileSystem, path: str) -> bytes | None:
    """Content of a file, None if it is not there.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with files.open_input_stream(path) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None
