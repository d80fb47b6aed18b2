"""Folders and whole files on any storage that Ray and pyarrow know: `s3://`, `gs://`, `abfs://`, `hdfs://`, `file://`.

A reader of a file sees the old content or the new, never half of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.common.environment import home
from autommlab.common.errors import StorageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


@dataclass(frozen=True)
class Place:
    """A folder on a storage.

    Attributes:
        uri: as the person wrote it; may carry pyarrow's options after "?".
        files: the storage.
        path: the folder on it, without scheme.
    """

    uri: str
    files: FileSystem
    path: str

    def inside(self, *names: str) -> str:
        """Path of something in the folder."""
        return posixpath.join(self.path, *names)


def is_uri(text: str) -> bool:
    """Whether `--out` names a storage by URI; anything else is a folder of this machine."""
    return "://" in text


def place_of(uri: str) -> Place:
    """The storage behind a URI; nothing is asked of it yet.

    Raises:
        StorageError: an unknown scheme, or the storage's own client cannot be loaded.
    """
    from pyarrow.fs import FileSystem

    try:
        files, path = FileSystem.from_uri(uri)
    except (ValueError, OSError) as error:
        raise StorageError(
            f"{uri} is no storage that can be written: {_first_line(error)}. Give a folder, or a URI like "
            "s3://BUCKET/PATH, gs://BUCKET/PATH, abfs://CONTAINER/PATH, hdfs://HOST/PATH, file:///PATH"
        ) from error
    return Place(uri, files, path.rstrip("/"))


def working_folder(uri: str) -> Path:
    """Where this machine keeps its copy of the run that lies at `uri`."""
    return home() / "runs" / hashlib.sha256(uri.rstrip("/").encode()).hexdigest()[:16]


@contextlib.contextmanager
def place_errors(place: Place, doing: str, kept: Path | None = None) -> Iterator[None]:
    """Turn any failure of the storage inside the block into a `StorageError`.

    Args:
        place: named in the message.
        doing: "write", "read".
        kept: folder of this machine that still holds everything, for the message.
    """
    try:
        yield
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        stays = f" Everything is kept in {kept}." if kept else ""
        raise StorageError(
            f"cannot {doing} {place.uri}: {_first_line(error)}.{stays} Check permission, space and network, then go "
            f"on with: autommlab run --resume {place.uri}"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


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
