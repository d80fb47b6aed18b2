"""`autommlab.add_data`: a data set of one's own, by name."""

from __future__ import annotations

from autommlab.api.arguments import AnyPath
from autommlab.api.errors import our_errors
from autommlab.common.errors import DataError, unknown
from autommlab.data import registry
from autommlab.data.records import DatasetSpec
from autommlab.tasks import Task


def add_data(
    path: AnyPath, *, name: str | None = None, task: str | None = None, layout: str | None = None
) -> DatasetSpec:
    """Register a folder or .zip of your own, as `autommlab data add` does: its layout is recognised, its classes read.

    Args:
        path: the set's top folder, a .zip of it, or its URI on a storage.
        name: how requests and `data=` call it; None = the folder's name.
        task, layout: needed only where the folder can be read in several ways.

    Raises:
        DataError: not a data set, ambiguous, unreadable, or the name is taken.
        StorageError: the register cannot be written.
    """
    if task is not None and task not in list(Task):
        raise DataError(unknown("task", task, list(Task)))
    with our_errors():
        return registry.add_dataset(str(path), name, Task(task) if task else None, layout)
