"""What a reader of a layout is."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autommlab.data.readers.tidy import tidied
from autommlab.data.records import DatasetSpec, LoadedDataset
from autommlab.tasks import Task


@dataclass(frozen=True, slots=True)
class Reader:
    """One data layout: how to recognise it and how to read it.

    Attributes:
        layout: stable name, stored in the registry and given to `--layout`.
        tasks: every task this layout can serve, also when `detect` prefers another.
        summary: the files it expects, one line, shown when detection fails.
        detect: tasks a folder serves under this layout; empty when it does not look like it. Reads
            names and at most the start of a file, never whole annotations.
        parse: the files as they stand. Broken entries are stepped over and recorded in `unreadable`;
            raises DataError where nothing can be read.
    """

    layout: str
    tasks: tuple[Task, ...]
    summary: str
    detect: Callable[[Path], tuple[Task, ...]]
    parse: Callable[[DatasetSpec], LoadedDataset]

    def read(self, spec: DatasetSpec) -> LoadedDataset:
        """The whole data set, tidied by the rules that all layouts share.

        Raises:
            DataError: nothing can be read.
        """
        with uncollected():
            return tidied(self.parse(spec))


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection: that goes through all objects again and again while millions are made."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
