"""The model zoo: a table made from the toolboxes' own indexes, cached beside this file.

`zoo.json.gz` is committed so that listing the zoo needs no toolbox; `autommlab models refresh`
makes it again after the toolboxes change.
"""

import functools
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from autommlab.common.errors import ModelError, StorageError, nearest
from autommlab.models.packaged import PACKAGED_ENTRIES, UNLISTED_ENTRIES
from autommlab.models.records import ModelEntry
from autommlab.tasks import Task

ZOO_FILE = Path(__file__).with_name("zoo.json.gz")
_TABLE = TypeAdapter(tuple[ModelEntry, ...])


def read_table(path: Path = ZOO_FILE) -> tuple[ModelEntry, ...]:
    """The cached table as `index.build_table` made it, without the packaged entries.

    Raises:
        ModelError: the file is missing or broken.
    """
    try:
        return _TABLE.validate_json(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, zlib.error, ValidationError) as error:
        raise ModelError(f"the zoo's table {path} cannot be read ({error}): run `autommlab models refresh`") from error


def write_table(table: Sequence[ModelEntry], path: Path = ZOO_FILE) -> None:
    """Write the table, byte for byte the same for the same content, and forget the cached one.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        path.write_bytes(gzip.compress(_TABLE.dump_json(tuple(table), exclude_defaults=True), mtime=0))
    except OSError as error:
        raise StorageError(f"cannot write the zoo's table {path}: {error.strerror}") from error
    entries.cache_clear()


def regenerate() -> tuple[ModelEntry, ...]:
    """The table anew from the installed toolboxes' indexes and the committed counts; about 30 s.

    Raises:
        ModelError: a toolbox or its index is missing.
    """
    from autommlab.models.counting import read_counted, with_counted
    from autommlab.models.index import build_table

    counted = read_counted()
    return tuple(with_counted(entry, counted) for entry in build_table())


@functools.cache
def entries(task: Task | None = None) -> tuple[ModelEntry, ...]:
    """All models of the zoo, or those of one task: the packaged ones, then the toolboxes'.

    Raises:
        ModelError: the cached table is missing or broken.
    """
    if task is not None:
        return tuple(entry for entry in entries() if entry.task is task)
    return PACKAGED_ENTRIES + read_table()


def entry(name: str, task: Task) -> ModelEntry:
    """The entry of exactly this name, also one that `entries` does not offer.

    Raises:
        ModelError: no model of the task has this name; the nearest are named.
    """
    known = {entry.name: entry for entry in (*entries(task), *UNLISTED_ENTRIES) if entry.task is task}
    if name not in known:
        close = ", ".join(nearest(name, known)) or "none"
        raise ModelError(f"unknown {task} model {name!r}; nearest names: {close}. `autommlab models list` shows all")
    return known[name]
