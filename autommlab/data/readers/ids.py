"""Ids of COCO entries: 7, 7.0 and "7" are one id, as tools that pass through tables and strings write them."""

from collections.abc import Iterable
from typing import Any


def is_id(value: Any) -> bool:
    """Whether a value can identify an entry: text or a whole number."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | str) or (isinstance(value, float) and value.is_integer())


class Ids:
    """The ids of one table of a file.

    A table that holds both 7 and "7" means two entries; then ids are compared as they stand.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        kinds: dict[int | str, set[bool]] = {}
        for value in values:
            if is_id(value):
                kinds.setdefault(_plain(value), set()).add(isinstance(value, str))
        self._exact = any(len(kind) > 1 for kind in kinds.values())

    def key(self, value: Any) -> int | str | None:
        """What an id is looked up by; None for a value that is no id."""
        if not is_id(value):
            return None
        if self._exact and isinstance(value, str):
            return value
        return _plain(value)


def _plain(value: int | float | str) -> int | str:
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str):
        whole = value.strip().removesuffix(".0")
        # "007" stays text: in another table of the file it may stand beside "7".
        if len(whole) < 20 and whole.removeprefix("-").isascii() and whole.removeprefix("-").isdigit():
            return int(whole) if str(int(whole)) == whole else value
    return value
