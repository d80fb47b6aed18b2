"""Folders and whole files on any storage that Ray and pyarrow know: `s3://`, `gs://`, `abfs://`, `hdfs://`, `file://`.

A reader of a file sees the old content or the new, never half of one.

A URI carries no secret: it is stored in options, shown in reports and hints, and part of a job's command line, which
others can read. `refuse_secrets` stands where URIs come in, `shown_uri` wherever one is printed before that.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from autommlab.common.environment import home
from autommlab.common.errors import StorageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: Names of options after "?" whose values are secrets, and what such a value is shown as.
_SECRET_OPTION = re.compile(r"(?i)secret|passw|token|key|credential|signature|^sig$|^sas$")
_HIDDEN = "***"
_WEB = ("http", "https")
#: What comes before an "@" in a path: that is no login.
_HOST_AND_PORT = re.compile(r"[^/:]*:\d+/")
_INSTEAD = (
    "Leave it out and give it to the storage's client: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws for s3, "
    "GOOGLE_APPLICATION_CREDENTIALS for gs, AZURE_STORAGE_KEY for abfs; and change the secret, for a shell remembers "
    "what was typed"
)


@dataclass(frozen=True)
class Place:
    """A folder on a storage.

    Attributes:
        uri: as the person wrote it, free of secrets; may carry pyarrow's options after "?".
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


def refuse_secrets(*texts: str) -> None:
    """Check words as they come in: names of folders, data sets or runs, requests; only URIs in them can be wrong.

    Raises:
        StorageError: one of them is a URI with a password or a secret option in it; the text does not repeat it.
    """
    for word in (word for text in texts for word in text.split()):
        if is_uri(word) and shown_uri(word) != word:
            raise StorageError(f"{shown_uri(word)} carries a secret, and a URI is stored and shown. {_INSTEAD}")


def shown_uri(uri: str) -> str:
    """The URI as it may be printed and recorded: password and secret options replaced by stars."""
    address, question, query = uri.partition("?")
    scheme, mark, rest = address.partition("://")
    login, at, host = rest.rpartition("@")  # the last: a key that was not percent-encoded holds "/" and "@"
    # Of a web address a name alone may be the secret; elsewhere it names a container ("abfs://BOX@ACCOUNT").
    kind = scheme.rpartition("=")[2].lower()  # "--track=mlflow=https"
    named = ":" in login.partition("/")[0] or (kind in _WEB and "/" not in login)
    if at and named and not _HOST_AND_PORT.match(login):
        address = f"{scheme}{mark}{_HIDDEN}@{host}"
    return f"{address}{question}{_shown_query(query)}"


def _shown_query(query: str) -> str:
    words = []
    for word in query.split("&"):
        name, equals, value = word.partition("=")
        plain = unquote_plus(value)
        secret = value and (_SECRET_OPTION.search(name) or shown_uri(plain) != plain)
        words.append(f"{name}{equals}{_HIDDEN}" if secret else word)
    return "&".join(words)


def place_of(uri: str) -> Place:
    """The storage behind a URI; nothing is asked of it yet.

    Raises:
        StorageError: a secret in it, an unknown scheme, or the storage's own client cannot be loaded.
    """
    from pyarrow.fs import FileSystem

    refuse_secrets(uri)

    try:
        files, path = FileSystem.from_uri(uri)
    except (ValueError, OSError) as error:
        raise StorageError(
            f"{uri} is no storage that can be written: {first_line(error)}. Give a folder, or a URI like "
            "s3://BUCKET/PATH, gs://BUCKET/PATH, abfs://CONTAINER/PATH, hdfs://HOST/PATH, file:///PATH"
        ) from error
    return Place(uri, files, path.rstrip("/"))


def working_folder(uri: str) -> Path:
    """Where this machine keeps its copy of the run that lies at `uri`."""
    return home() / "runs" / hashlib.sha256(uri.rstrip("/").encode()).hexdigest()[:16]


@contextlib.contextmanager
def place_errors(place: Place, doing: str, kept: Path | None = None, go_on: str = "") -> Iterator[None]:
    """Turn any failure of the storage inside the block into a `StorageError`.

    Args:
        place: named in the message.
        doing: "write", "read".
        kept: folder of this machine that still holds everything, for the message.
        go_on: the command that goes on, for the message; "" = going on with the run that lies there.
    """
    try:
        yield
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        stays = f" Everything is kept in {kept}." if kept else ""
        raise StorageError(
            f"cannot {doing} {place.uri}: {first_line(error)}.{stays} Check permission, space and network, then go "
            f"on with: {go_on or f'autommlab run --resume {place.uri}'}"
        ) from error


def first_line(error: BaseException) -> str:
    """What a library said, without its following lines and its full stop."""
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
