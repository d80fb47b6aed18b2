"""From a file name in an annotation to the file, as people's tools write names.

A name counts as it stands. Where no file has it, backslashes, drive letters and folders of another machine are
taken off, of a web address all but the path with its percent signs read, and upper and lower case, and the two ways
to write an umlaut, count as one.
"""

import contextlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from autommlab.data.readers import files
from autommlab.data.records import Problem

_DRIVE = re.compile(r"^[a-zA-Z]:(?=[\\/])")
#: Codecs of file names in archives from Windows and DOS.
_OF_ARCHIVES = ("latin-1", "cp437")
#: A letter by its number, as web addresses have it.
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")


@dataclass(slots=True)
class Finder:
    """Finds the images (or masks, or annotations) of one data set.

    Attributes:
        root: of the data set; nothing outside of it is found.
        folders: candidates, best first. The one that had the last file is tried first, so that a set costs one
            look-up a file.
    """

    root: Path
    folders: list[Path]
    _names: dict[Path, dict[str, list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folders = [folder for folder in self.folders if folder.is_dir()] or self.folders[:1]

    def find(self, where: str, *names: str) -> Path | Problem:
        """The file of the first name that has one; else the path where it should lie, or why it cannot be used.

        Args:
            where: the annotation that names it, for messages.
            names: ways to write the name, best first.
        """
        for name in names:
            if path := self._existing(name):
                return path if files.is_writable_name(str(path)) else files.unwritable(files.shown(self.root, path))
        for rewritten in (other for name in names for other in _rewritten(name)):
            if path := self._existing(rewritten) or self._spelt_alike(rewritten):
                return path if files.is_writable_name(str(path)) else files.unwritable(files.shown(self.root, path))
        path = files.inside(self.root, self.folders[0], names[0])
        if path is None:
            return files.escapes(where, names[0])
        if os.path.exists(path) and not files.is_regular(path):  # noqa: PTH110 - `Path.exists` raises on long names
            what = f"{names[0]!r} is no regular file; entry left out"
            return Problem("not-a-file", where, what, "put the file itself there")
        if not files.is_writable_name(names[0]):
            return files.unwritable(where)
        return path

    def _existing(self, name: str) -> Path | None:
        for folder in self.folders:
            path = files.inside(self.root, folder, name)
            if path is not None and files.is_regular(path):
                self._prefer(folder)
                return path
        return None

    def _spelt_alike(self, name: str) -> Path | None:
        """The one file whose name differs in case or in the form of its umlauts."""
        for folder in self.folders:
            path = files.inside(self.root, folder, name)
            if path is None or not files.is_writable_name(name):
                continue
            found = self._in(path.parent).get(_folded(path.name), [])
            if len(found) == 1 and files.is_regular(path.parent / found[0]):
                self._prefer(folder)
                return path.parent / found[0]
        return None

    def _in(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._names:
            names: dict[str, list[str]] = defaultdict(list)
            with contextlib.suppress(OSError, ValueError):
                for name in os.listdir(folder):  # noqa: PTH208 - names, not paths
                    for known in _decodings(name):
                        names[_folded(known)].append(name)
            self._names[folder] = names
        return self._names[folder]

    def _prefer(self, folder: Path) -> None:
        if self.folders[0] != folder:
            self.folders.remove(folder)
            self.folders.insert(0, folder)


def _decodings(name: str) -> set[str]:
    """The name; of one that is no UTF-8, what it says in the codecs of old archives."""
    if files.is_writable_name(name):
        return {name}
    return {os.fsencode(name).decode(codec) for codec in _OF_ARCHIVES}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _rewritten(name: str) -> Sequence[str]:
    """The name without drive and backslashes; of another machine's path also its last parts, the longest first."""
    plain = _DRIVE.sub("", name).replace("\\", "/")
    address, _, options = plain.partition("?")
    queried = "=" in options and files.is_image(address)
    if web := queried or "://" in plain or _PERCENT.search(plain) is not None:
        plain = unquote(address if queried else plain)
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    # A name below the folder means this very place: the same name elsewhere is another picture.
    foreign = (plain != name and not web) or "://" in name or plain.startswith("/") or ".." in parts
    if not foreign:
        return [plain]
    kept = parts[len(parts) - parts[::-1].index("..") :] if ".." in parts else parts
    return ["/".join(kept[start:]) for start in range(len(kept))]
