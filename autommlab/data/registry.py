"""The data zoo's register: embedded sets and the user's own, found by name or by folder.

The user's sets are lines of `datasets.json` in `home()`, written under a lock and swapped in
whole, so that two processes may add at once.
"""

import os
import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, field_validator

from autommlab.common.environment import home
from autommlab.common.errors import DataError, StorageError, nearest
from autommlab.common.files import write_text
from autommlab.common.jsonl import reason_in_words
from autommlab.common.storage import is_uri
from autommlab.common.stored import record_of
from autommlab.data import embedded, index, readers, remote
from autommlab.data.archives import is_archive
from autommlab.data.recognise import check_name, recognise
from autommlab.data.records import DatasetSpec, LoadedDataset
from autommlab.tasks import Task

_LOCK_TIMEOUT_S = 30


class _Register(BaseModel):
    """The stored file."""

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    datasets: list[DatasetSpec] = []

    @field_validator("datasets")
    @classmethod
    def _own(cls, datasets: list[DatasetSpec]) -> list[DatasetSpec]:
        for spec in datasets:
            if spec.embedded or spec.layout not in readers.READERS:
                raise ValueError(f"{spec.name!r} has the layout {spec.layout!r}, which no set of a user has")
        return datasets


def all_specs(task: Task | None = None) -> list[DatasetSpec]:
    """Every known set, embedded ones first; only those of `task` where one is given.

    Raises:
        DataError: the register is damaged.
    """
    known = [*embedded.specs(), *_read().datasets]
    return [spec for spec in known if task is None or spec.task is task]


def find_dataset(name: str) -> DatasetSpec:
    """The set of that name ("COCO", "openmoji scenes"), or of that folder, .zip or URI, registered or not.

    Case, spaces and punctuation do not matter. A folder that is not registered is recognised on the spot, one on a
    storage after it was fetched.

    Raises:
        DataError: no such set; names the near ones.
        StorageError: a storage cannot be read.
    """
    specs = all_specs()
    for spec in specs:
        if _key(spec.name) == _key(name):
            return spec
    if is_uri(name):
        fetched = [spec for spec in specs if spec.uri == name]
        return fetched[0] if len(fetched) == 1 else _recognised(name)
    path = Path(name).expanduser()
    if os.path.isdir(path):  # noqa: PTH112 - `Path.is_dir` raises on names that are too long
        root = path.resolve()
        registered = [spec for spec in specs if spec.root == root and not spec.embedded]
        return registered[0] if len(registered) == 1 else recognise(root)
    if is_archive(path):
        return _recognised(name)
    if "/" in name or name.startswith(("~", ".")):
        raise DataError(f"no data set and no folder {name!r}. Check the path; it must be the set's top folder.")
    names = [spec.name for spec in specs]
    close = nearest(name, names)
    hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    raise DataError(
        f"no data set {name!r}.{hint} Known: {', '.join(names)}. Register your own: autommlab data add FOLDER."
    )


def load_dataset(spec: DatasetSpec, classes: Collection[str] | None = None, allow_empty: bool = False) -> LoadedDataset:
    """The samples of a set.

    Args:
        spec: from `all_specs` or `find_dataset`.
        classes: the only ones needed; a hint that lets embedded sets draw less, not a filter.
        allow_empty: also give a set of which no image is usable (to list its problems).

    Raises:
        DataError: the folder is gone, or nothing in it can be read.
    """
    if spec.embedded:
        return embedded.load_embedded(spec, classes)
    if spec.uri and not spec.root.is_dir():
        remote.fetch_dataset(spec.uri, spec.root)
    if not spec.root.is_dir():
        raise DataError(
            f"data set {spec.name!r}: its folder {spec.root} is not there. Mount or restore it, or forget the "
            f"set with: autommlab data remove {spec.name}"
        )
    loaded = index.read_indexed(spec)
    if not loaded.samples and not allow_empty:
        first = f" First problem: {loaded.unreadable[0].what}." if loaded.unreadable else ""
        raise DataError(
            f"data set {spec.name!r} ({spec.root}, layout {spec.layout}): no usable image.{first} "
            f"See: autommlab data check {spec.root}"
        )
    return loaded


def add_dataset(
    path: str | Path, name: str | None = None, task: Task | None = None, layout: str | None = None
) -> DatasetSpec:
    """Register a folder or a zipped one: recognise its layout, read it once, remember its classes.

    The same folder under the same name and task is read anew; one on a storage is brought up to date.

    Args:
        path: the set's top folder, a .zip of it, or its URI on a storage.
        name: default: the folder's name.
        task, layout: needed only where the folder can be read in several ways.

    Raises:
        DataError: not a data set, ambiguous, unreadable, or the name is taken.
        StorageError: the register cannot be written.
    """
    if name and name.strip():
        check_name(name.strip())
    spec = _recognised(str(path), name, task, layout)
    check_name(spec.name)
    _refuse_taken(spec)
    loaded = load_dataset(spec)
    stored = loaded.spec.model_copy(update={"classes": loaded.classes})
    with _lock():
        _refuse_taken(stored)
        others = [other for other in _read().datasets if _key(other.name) != _key(stored.name)]
        _write(_Register(datasets=[*others, stored]))
    return stored


def remove_dataset(name: str) -> DatasetSpec:
    """Forget a user's set; its files stay. Returns what was forgotten.

    Raises:
        DataError: no such set, or an embedded one.
        StorageError: the register cannot be written.
    """
    spec = find_dataset(name)
    if spec.embedded:
        raise DataError(f"{spec.name!r} is embedded: it comes with the installed packages and cannot be removed.")
    with _lock():
        known = _read().datasets
        left = [other for other in known if other.name != spec.name]
        if len(left) == len(known):
            raise DataError(f"{name!r} is not registered, so there is nothing to remove.")
        _write(_Register(datasets=left))
    index.forget(spec)
    return spec


def _recognised(path: str, name: str | None = None, task: Task | None = None, layout: str | None = None) -> DatasetSpec:
    if not is_uri(path):
        return recognise(Path(path), name, task, layout)
    return recognise(remote.fetch_dataset(path), name, task, layout).model_copy(update={"uri": path})


def _refuse_taken(spec: DatasetSpec) -> None:
    for other in all_specs():
        same = (other.root, other.task, other.embedded) == (spec.root, spec.task, False)
        if _key(other.name) == _key(spec.name) and not same:
            what = "an embedded data set" if other.embedded else f"the {other.task} set in {other.root}"
            raise DataError(
                f"the name {spec.name!r} is taken by {what}. Give another with --name"
                + ("." if other.embedded else f", or first: autommlab data remove {other.name}")
            )


def _key(name: str) -> str:
    # A name without any letter or digit would equal every other such name.
    return re.sub(r"[\W_]+", "", name.casefold()) or name


def _file() -> Path:
    return home() / "datasets.json"


def _lock() -> AbstractContextManager[object]:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{_file().parent}: cannot be created ({error.strerror}). Set AUTOMMLAB_HOME to a folder you may write."
        ) from error
    return FileLock(_file().with_suffix(".lock"), timeout=_LOCK_TIMEOUT_S)


def _read() -> _Register:
    path = _file()
    if not path.is_file():
        return _Register()
    try:
        return record_of(_Register, path.read_bytes())
    except (OSError, ValueError) as error:
        reason = reason_in_words(error)
        raise DataError(
            f"{path}: the register of data sets is damaged ({reason}). Mend it or delete it, then add your "
            "sets again with: autommlab data add FOLDER"
        ) from error


def _write(register: _Register) -> None:
    write_text(_file(), register.model_dump_json(indent=1))
