"""A run folder's copy on a storage that other machines see: what `--out URI` adds to a run.

The run works in a folder of this machine. `push` copies what is new there to the storage, each
file whole, records after the data that they speak of; so a copy that a crash left half done is
still one that a run can go on from. `fetch` brings it to another machine. Ray writes its own
state (`study/ray`, `final/ray`) to the storage itself.
"""

from __future__ import annotations

import posixpath
import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError

from autommlab.common.errors import StorageError
from autommlab.common.files import storage_errors, write_text
from autommlab.common.jsonl import reason_in_words
from autommlab.common.storage import Place, open_whole, place_errors, read_whole
from autommlab.progress.events import Event, Events
from autommlab.storage.run_folder import LOCK_FILE

#: What was copied last, on both sides.
LIST_FILE = "mirror.json"
_CHUNK_BYTES = 8 * 2**20
#: Files that are copied at once, as a dataset of masks has thousands.
_AT_ONCE = 8
#: What Ray writes to the storage itself.
_NOT_OURS = (PurePosixPath("study/ray"), PurePosixPath("final/ray"))
#: Files that say that something is finished.
_RECORDS = frozenset({".json", ".jsonl"})


class FileMark(BaseModel):
    """A file as it was copied.

    Attributes:
        size: bytes.
        mtime_ns: of this machine's file; tells whether it has changed since.
    """

    model_config = ConfigDict(frozen=True)

    size: int
    mtime_ns: int


class MirrorList(BaseModel):
    """Contents of `mirror.json`.

    Attributes:
        version: new with each push; whoever knows the newest one lacks nothing that is on the storage.
        folder: the working folder of who pushed.
        files: path relative to the folder -> mark.
    """

    version: str = ""
    folder: str = ""
    files: dict[str, FileMark] = {}


class Mirror:
    """The pair of a working folder and its copy.

    Args:
        place: the copy.
        folder: the working folder.
    """

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder = place, folder
        self._known = _read_list(folder)

    def fetch(self) -> bool:
        """Make the working folder what the storage holds, unless it is that already or goes beyond it.

        What this machine holds and never pushed, while another machine went on, is set aside beside the folder.

        Returns:
            Whether the storage holds a run.

        Raises:
            StorageError: the storage cannot be read, or the folder is in use here.
        """
        stored = self._stored()
        if stored is None or stored.version == self._known.version:
            return stored is not None
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.folder / LOCK_FILE, timeout=0):
                self._clear()
                names = names_at(self.place)
                for name in names:
                    self._bring(name)
                marks = {name: _mark(self.folder / name) for name in names}
                self._known = MirrorList(version=stored.version, folder=str(self.folder), files=marks)
                write_text(self.folder / LIST_FILE, self._known.model_dump_json())
        except filelock.Timeout as error:
            raise StorageError(f"{self.place.uri} is being run by another process of this machine") from error
        return True

    def push(self) -> int:
        """Copy new and changed files to the storage.

        Returns:
            How many were copied.

        Raises:
            StorageError: the storage cannot be written, or another machine has gone on with this run.
        """
        changed = sorted(self._changed(), key=lambda name: (_is_record(name), name))
        if not changed:
            return 0
        with place_errors(self.place, "write", kept=self.folder):
            self._require_ours()
            files = dict(self._known.files)
            data = [name for name in changed if not _is_record(name)]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                files.update(zip(data, pool.map(self._send, data), strict=True))
            for name in changed[len(data) :]:
                files[name] = self._send(name)
            fresh = MirrorList(version=uuid.uuid4().hex, folder=str(self.folder), files=files)
            with open_whole(self.place.files, self.place.inside(LIST_FILE)) as stream:
                stream.write(fresh.model_dump_json().encode())
        write_text(self.folder / LIST_FILE, fresh.model_dump_json())
        self._known = fresh
        return len(changed)

    def _stored(self) -> MirrorList | None:
        with place_errors(self.place, "read"):
            content = read_whole(self.place.files, self.place.inside(LIST_FILE))
        try:
            return None if content is None else MirrorList.model_validate_json(content)
        except ValidationError as error:
            raise StorageError(
                f"{self.place.uri}: {LIST_FILE} there is damaged ({reason_in_words(error)}). If {self.folder} holds "
                f"the run, delete {LIST_FILE} on the storage to copy all of it again"
            ) from error

    def _require_ours(self) -> None:
        stored = self._stored()
        if stored is not None and stored.version != self._known.version:
            raise StorageError(
                f"{self.place.uri} has been changed by another run (of {stored.folder}) since this one began; "
                f"what was done here is kept in {self.folder}. Let only one of them run"
            )

    def _changed(self) -> Iterator[str]:
        for name, path in _files_of(self.folder):
            if self._known.files.get(name) != _mark(path):
                yield name

    def _send(self, name: str) -> FileMark:
        path = self.folder / name
        mark = _mark(path)  # a change during the copy is then seen by the next push
        with path.open("rb") as source, open_whole(self.place.files, self.place.inside(name)) as stream:
            shutil.copyfileobj(source, stream, _CHUNK_BYTES)
        return mark

    def _bring(self, name: str) -> None:
        target = self.folder / name
        with place_errors(self.place, "read"):
            content = read_whole(self.place.files, self.place.inside(name)) or b""
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def _clear(self) -> None:
        """Empty the working folder; what was never pushed is kept beside it."""
        unsaved = any(self._changed())
        aside = self.folder.with_name(f"{self.folder.name}-{time.strftime('%Y%m%d-%H%M%S')}")
        for entry in list(self.folder.iterdir()):
            if entry.name == LOCK_FILE:
                continue
            if unsaved:
                aside.mkdir(exist_ok=True)
                shutil.move(entry, aside / entry.name)
            elif entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def names_at(place: Place) -> list[str]:
    """Files of the run that lies there, relative to its folder.

    Raises:
        StorageError: the storage cannot be read, or there is nothing.
    """
    from pyarrow.fs import FileSelector

    with place_errors(place, "read"):
        found = place.files.get_file_info(FileSelector(place.path, recursive=True))
    root = place.path.strip("/")  # storages differ about a leading slash
    names = (PurePosixPath(posixpath.relpath(entry.path.strip("/"), root)) for entry in found if entry.is_file)
    return sorted(str(name) for name in names if _is_ours(name))


def _read_list(folder: Path) -> MirrorList:
    try:
        return MirrorList.model_validate_json((folder / LIST_FILE).read_bytes())
    except (OSError, ValidationError):
        return MirrorList()


def _files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        if _is_ours(name) and path.is_file():
            yield str(name), path


def _is_ours(name: PurePosixPath) -> bool:
    """A leading dot marks drafts and locks."""
    hidden = any(part.startswith(".") for part in name.parts)
    return not hidden and str(name) != LIST_FILE and not any(map(name.is_relative_to, _NOT_OURS))


def _mark(path: Path) -> FileMark:
    now = path.stat()
    return FileMark(size=now.st_size, mtime_ns=now.st_mtime_ns)


def _is_record(name: str) -> bool:
    return PurePosixPath(name).suffix in _RECORDS


#: A failure here ends the run: what follows builds on the stage, or nothing follows.
_COMPULSORY = frozenset({"stage-started", "stage-finished", "done"})
#: A failure here is told, and made good by the next push: training need not stop because a network does.
_WHERE_POSSIBLE = frozenset({"trial"})


class Mirroring:
    """Pushes after each stage and each trial; to be added after whoever writes the events themselves.

    Args:
        mirror: of the run folder.
        events: told where a push of a trial fails.
    """

    def __init__(self, mirror: Mirror, events: Events) -> None:
        self._mirror, self._events = mirror, events

    def __call__(self, event: Event) -> None:
        """Push, if this event is a moment for it.

        Raises:
            StorageError: the storage cannot be written at the begin or end of a stage.
        """
        if event.kind in _COMPULSORY:
            self._mirror.push()
        elif event.kind in _WHERE_POSSIBLE:
            try:
                self._mirror.push()
            except StorageError as error:
                self._events.emit("warning", event.stage, f"not copied yet, will be tried again: {error}")
