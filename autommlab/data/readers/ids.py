"""Ids of COCO entries: 7, 7.0 and "7" are one id, as tools that pass through tables and strings write them.

Some tools write the name of an image or of a category, or "007" for 7, where its id belongs: that counts where the
table has no such id, and only one entry that it can mean.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any


def is_id(value: Any) -> bool:
    """Whether a value can identify an entry: text or a whole number."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | str) or (isinstance(value, float) and value.is_integer())


def names_of_image(entry: dict[str, Any]) -> Iterable[str]:
    """What an annotation may call an image instead of its id: its file name, without folders, without suffix."""
    if not isinstance(written := entry.get("file_name"), str):
        return ()
    path = PurePosixPath(written.replace("\\", "/"))
    return {written, path.name, path.stem}


def names_of_category(entry: dict[str, Any]) -> Iterable[str]:
    """What an annotation may call a category instead of its id."""
    return {entry["name"]} if isinstance(entry.get("name"), str) else ()


class Ids:
    """The ids of one table of a file.

    A table that holds both 7 and "7" means two entries; then ids are compared as they stand.

    Args:
        entries: of the table.
        names: other names of an entry.
    """

    def __init__(self, entries: Iterable[Any], names: Callable[[dict[str, Any]], Iterable[str]] = lambda _: ()) -> None:
        usable = [entry for entry in entries if isinstance(entry, dict) and is_id(entry.get("id"))]
        kinds: dict[int | str, set[bool]] = {}
        for entry in usable:
            kinds.setdefault(_plain(entry["id"]), set()).add(isinstance(entry["id"], str))
        self._exact = any(len(kind) > 1 for kind in kinds.values())
        self._known = {self._key(entry["id"]) for entry in usable}
        self._usable, self._names = usable, names

    def key(self, value: Any) -> int | str | None:
        """What an id is looked up by; None for a value that is no id."""
        if not is_id(value):
            return None
        key = self._key(value)
        if key in self._known:
            return key
        text = str(key).strip()
        return self._by_name.get(text, self._by_name.get(_unpadded(text), key))

    @cached_property
    def _by_name(self) -> dict[str, int | str]:
        """Needed by few files, and large for one of a hundred thousand images."""
        meant: dict[str, set[int | str]] = {}
        for entry in self._usable:
            key = self._key(entry["id"])
            for name in (*self._names(entry), _unpadded(str(key))):
                meant.setdefault(name, set()).add(key)
        return {name: keys.pop() for name, keys in meant.items() if len(keys) == 1}

    def _key(self, value: int | float | str) -> int | str:
        return value if self._exact and isinstance(value, str) else _plain(value)


def _plain(value: int | float | str) -> int | str:
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str):
        whole = value.strip().removesuffix(".0")
        # "007" stays text: it may stand beside "7".
        if len(whole) < 20 and whole.removeprefix("-").isascii() and whole.removeprefix("-").isdigit():
            return int(whole) if str(int(whole)) == whole else value
    return value


def _unpadded(text: str) -> str:
    """Digits without the zeros before them; other text as it stands."""
    return text.lstrip("0") or "0" if text.isascii() and text.isdigit() else text
