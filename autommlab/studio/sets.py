"""Data sets in the studio: uploads on their way into the registry, the check of a set, a sheet of samples."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter

from autommlab.common.errors import DataError
from autommlab.common.files import storage_errors
from autommlab.data.archives import SUFFIX
from autommlab.data.readers.files import is_writable_name
from autommlab.data.records import DatasetSpec, Problem
from autommlab.data.registry import all_specs
from autommlab.studio.background import OUT, Work, program, start_errand, work_in
from autommlab.studio.settings import studio_folder

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
_FILES, _ADDING = "files", "adding"
_MOST_FILES, _LONGEST_PATH, _LONGEST_NAME = 200_000, 1000, 200
#: Pictures on the sheet.
_SAMPLES = 12
SHEET = "samples.png"
_PROBLEMS = TypeAdapter(list[Problem])


class Upload:
    """Files of a data set on their way from a browser, in a folder of their own.

    Args:
        path: the folder.
    """

    _lock = threading.Lock()
    #: Bytes that came in so far, by folder; counted anew after a restart of the studio.
    _sizes: dict[Path, int] = {}  # noqa: RUF012 - shared by all uploads

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = path / _FILES

    @classmethod
    def create(cls) -> Upload:
        """A new one.

        Raises:
            StorageError: the user's folder cannot be written.
        """
        path = studio_folder() / "uploads" / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        with storage_errors(path):
            (path / _FILES).mkdir(parents=True, mode=0o700)
        return cls(path)

    @classmethod
    def named(cls, name: str) -> Upload | None:
        """The one of that name, None where there is none."""
        path = studio_folder() / "uploads" / name
        return cls(path) if _ID.fullmatch(name) and path.is_dir() else None

    async def take(self, name: str, chunks: AsyncIterator[bytes], most: int) -> None:
        """Write one file.

        Args:
            name: its path below the folder that was dropped.
            chunks: its content.
            most: bytes that the whole upload may have.

        Raises:
            DataError: the path leads out of the folder, or there are too many bytes.
            StorageError: the disk is full.
        """
        target = self.files / _inner(name)
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with target.open("xb") as file:
                    async for chunk in chunks:
                        self._count(len(chunk), most)
                        file.write(chunk)
            except FileExistsError:
                raise DataError(f"{name!r} came twice in one upload; give each file one name.") from None
            except BaseException:
                target.unlink(missing_ok=True)
                raise

    def _count(self, more: int, most: int) -> None:
        with self._lock:
            if self.path not in self._sizes:
                self._sizes[self.path] = sum(f.stat().st_size for f in self.files.rglob("*") if f.is_file())
            self._sizes[self.path] += more
            if self._sizes[self.path] > most:
                raise DataError(
                    f"This upload has more than {most:,} bytes; start the studio with a larger --max-upload-mb, or "
                    "give the path of the folder on the studio's machine."
                )

    def source(self) -> Path:
        """What is to be registered: a zipped set that came alone, else the folder, without one that wraps it.

        Raises:
            DataError: nothing came.
        """
        folder = self.files
        entries = list(folder.iterdir())
        if not entries:
            raise DataError("Nothing was uploaded. Choose a folder or a zip with pictures.")
        if len(entries) == 1 and (entries[0].is_dir() or entries[0].suffix.lower() == SUFFIX):
            return entries[0]
        return folder

    def discard(self) -> None:
        """Delete what came; it is no data set."""
        shutil.rmtree(self.files, ignore_errors=True)


def _inner(name: str) -> Path:
    """A path of a browser below the upload's folder.

    Raises:
        DataError: it would lie elsewhere, or cannot be written.
    """
    parts = PurePosixPath(name).parts
    wrong = (
        not parts
        or name.startswith("/")
        or "\\" in name
        or len(name) > _LONGEST_PATH
        or not is_writable_name(name)
        or any(part in (".", "..") or part.startswith(".") or len(part.encode()) > _LONGEST_NAME for part in parts)
    )
    if wrong:
        raise DataError(f"{name[:200]!r} is a path that leads out of the upload or cannot be written.")
    return Path(*parts)


def add_set(folder: Path, source: str, name: str, task: str) -> None:
    """Begin to register a set: `data add` as an errand."""
    words = ["data", "add", f"--name={name}", *([f"--task={task}"] if task else []), "--", source]
    start_errand(folder / _ADDING, program(*words))


def new_adding() -> Path:
    """A folder for adding a set that lies on this machine or a storage."""
    return Upload.create().path


def adding(folder: Path) -> Work:
    """How far adding is."""
    return work_in(folder / _ADDING)


@dataclass(frozen=True)
class SetFolder:
    """Check and samples of one known set.

    Attributes:
        spec: of the set.
        path: where they lie.
    """

    spec: DatasetSpec
    path: Path

    @classmethod
    def named(cls, name: str) -> SetFolder | None:
        """Of the set of that name, None where there is none."""
        for spec in all_specs():
            if spec.name == name:
                key = hashlib.sha256(f"{spec.name}\0{spec.root}\0{spec.task}".encode()).hexdigest()[:24]
                return cls(spec, studio_folder() / "sets" / key)
        return None

    def look(self) -> None:
        """Begin to check the set and to draw its samples."""
        start_errand(self.path / "check", program("data", "check", "--json", "--", self.spec.name))
        sheet = self.path / SHEET
        sheet.unlink(missing_ok=True)
        words = ("data", "preview", f"--out={sheet}", f"--count={_SAMPLES}", "--", self.spec.name)
        start_errand(self.path / "preview", program(*words))

    @property
    def check(self) -> tuple[Work, list[Problem] | None]:
        """(how far the check is, the problems that it found, None before its end)."""
        work = work_in(self.path / "check")
        try:
            return work, _PROBLEMS.validate_json((self.path / "check" / OUT).read_bytes())
        except (OSError, ValueError):
            return work, None

    @property
    def preview(self) -> tuple[Work, Path | None]:
        """(how far the drawing is, the sheet of samples once it is there)."""
        sheet = self.path / SHEET
        return work_in(self.path / "preview"), sheet if sheet.is_file() else None
