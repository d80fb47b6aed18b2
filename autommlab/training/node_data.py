"""A bag on a node that does not share the driver's disk: fetched once, from the run's storage."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import filelock

from autommlab.common.errors import DataError
from autommlab.common.files import storage_errors, write_stream
from autommlab.common.storage import Place, place_errors
from autommlab.data.embedded import load_embedded, specs
from autommlab.data.remote import fetch_dataset, local_folder
from autommlab.storage.mirror import names_at

if TYPE_CHECKING:
    from pathlib import Path

    from autommlab.data.records import Bag

#: `data/fetched/HASH/NAME`, the end of every `local_folder`.
_FETCHED_PARTS = 4


def bring_bag(bag: Bag, place: Place | None) -> None:
    """Make a bag readable on this node; nothing is done where it is already.

    The annotation files come from the run's storage, the images of embedded sets are drawn as everywhere, those of
    sets on a storage are fetched from there. Images in a folder of a person's own have to lie at the same path on
    every node.

    Args:
        bag: of the study.
        place: of the run; None if it works in a folder.

    Raises:
        DataError: the bag is not here and there is no storage to fetch it from.
        StorageError: the storage cannot be read, or this node's disk not written.
    """
    if _is_here(bag):
        return
    if place is None:
        raise DataError(
            f"{bag.folder} is not on the node {socket.gethostname()}: nodes that share no disk need "
            "--out URI (s3://BUCKET/PATH ...), else a run folder on a disk that all of them see"
        )
    with storage_errors(bag.folder):
        bag.folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(bag.folder / ".lock"):  # many trials of a node begin at once
        if _is_here(bag):
            return
        _draw(bag)
        for uri, folder in bag.fetched.items():
            fetch_dataset(uri, _fetched_folder(uri, folder))
        _copy(bag, Place(place.uri, place.files, place.inside(bag.folder.name)))


def _fetched_folder(uri: str, folder: Path) -> Path:
    """The folder that a bag tells, which may be of another home; a run's records must not have us write elsewhere."""
    usual = local_folder(uri).parts[-_FETCHED_PARTS:]
    if folder.parts[-_FETCHED_PARTS:] != usual or ".." in folder.parts:
        raise DataError(f"the bag wants {uri} in {folder}, which is no folder for fetched sets ({'/'.join(usual)})")
    return folder


def _is_here(bag: Bag) -> bool:
    """The annotation files are; they are copied after all that they name."""
    return all(bag.annotation_file(split).exists() for split in bag.splits)


def _draw(bag: Bag) -> None:
    sources = [source.partition("/") for merged in bag.sources.values() for source in merged]
    for spec in specs():
        classes = sorted({name for dataset, _, name in sources if dataset == spec.name})
        if classes:
            load_embedded(spec, classes)


def _copy(bag: Bag, place: Place) -> None:
    last = {split.annotations for split in bag.splits.values()}
    for name in sorted(names_at(place), key=lambda name: name in last):
        with place_errors(place, "read"), place.files.open_input_stream(place.inside(name)) as source:
            write_stream(bag.folder / name, source)
