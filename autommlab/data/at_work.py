"""Long work on many files: on several threads, and told how far it is.

Threads suffice: decoding, encoding and hashing let go of Python's lock, and nothing else here takes long.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar

#: Seconds between two lines.
EVERY_S = 10.0

One = TypeVar("One")
Result = TypeVar("Result")

_tell: ContextVar[Callable[[str], None] | None] = ContextVar("tell", default=None)


@contextlib.contextmanager
def telling(to: Callable[[str], None]) -> Iterator[None]:
    """Within the block `to` is given a line now and then of what is done: "1,200 of 3,000 masks read"."""
    before = _tell.set(to)
    try:
        yield
    finally:
        _tell.reset(before)


class Pace:
    """Tells now and then how far long work is; silent outside of `telling`.

    Args:
        total: of what is counted.
        doing: what a line says after "3 of 9", as in "pictures checked".
    """

    def __init__(self, total: int, doing: str) -> None:
        self._total, self._doing = total, doing
        self._tell, self._told = _tell.get(), time.monotonic()

    def at(self, done: int) -> None:
        """So much is done."""
        if self._tell and time.monotonic() - self._told >= EVERY_S:
            self._told = time.monotonic()
            self._tell(f"{done:,} of {self._total:,} {self._doing}")


def on_threads(work: Callable[[One], Result], items: Sequence[One], doing: str, threads: int) -> list[Result]:
    """The results of `work` in the order of the items.

    Args:
        work: on one item.
        items: all of them.
        doing: see `Pace`.
        threads: at most at once.
    """
    pace = Pace(len(items), doing)
    results: list[Result] = []
    with ThreadPoolExecutor(threads) as pool:
        for result in pool.map(work, items):
            results.append(result)
            pace.at(len(results))
    return results
