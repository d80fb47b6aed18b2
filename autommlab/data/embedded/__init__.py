"""Embedded data sets: drawn from installed packages on first use, so that no download is needed.

A set is drawn class by class into the cache, so a request for four classes does not pay for a hundred.
"""

import logging
from collections.abc import Collection

from autommlab.common.environment import home
from autommlab.common.errors import DataError, unknown
from autommlab.data.embedded import sets
from autommlab.data.records import Bag, DatasetSpec, LoadedDataset

__all__ = ["is_drawn", "load_embedded", "of_drawings", "specs"]

_LOG = logging.getLogger(__name__)


def specs() -> list[DatasetSpec]:
    """Registry lines of all embedded sets. Cheap: nothing is drawn, nothing heavy is imported."""
    return [
        DatasetSpec(
            name=entry.name,
            task=entry.task,
            layout=entry.name,
            root=home() / "data" / f"{entry.name}-v{entry.version}",
            embedded=True,
            classes=entry.classes,
            aliases=entry.aliases,
            description=entry.description,
            licence=entry.licence,
        )
        for entry in sets.SETS
    ]


def load_embedded(spec: DatasetSpec, classes: Collection[str] | None = None) -> LoadedDataset:
    """Read an embedded set from its cache folder `spec.root`; draw there what is missing.

    Every image is annotated for all classes of the set, whatever was asked for, and is the same on every
    machine with the same Pillow and NumPy. About 2 to 12 ms an image where it must be drawn.

    Args:
        spec: one of `specs()`.
        classes: only images made for these classes (in scenes: at least one object of the class is in each of
            its images, others may be too); None = of all classes, which may take minutes the first time.

    Returns:
        All classes of the set in label order, and the samples, ordered by class, then split.

    Raises:
        DataError: no such set, or it lacks one of `classes`, or none was asked for.
        StorageError: the cache folder cannot be written.
    """
    from autommlab.data.embedded.blocks import Block, read_block, write_block

    entry = sets.find_embedded(spec.name)
    samples = []
    for name in _wanted(entry, classes):
        block = Block(spec.root, name, entry.classes, entry.suffix)
        found = read_block(block)
        if found is None:
            _LOG.info("drawing %s of %s into %s", name, entry.name, spec.root)
            found = write_block(block, entry.paint(entry, name))
        samples += found
    return LoadedDataset(spec=spec, classes=entry.classes, samples=samples, keypoints=entry.keypoints)


def is_drawn(name: str) -> bool:
    """Whether a data set is an embedded one of drawings."""
    return any(entry.name == name and entry.is_drawn for entry in sets.SETS)


def of_drawings(bag: Bag) -> str:
    """A warning if a model learns from drawings alone; "" if not."""
    drawn = [name for name in bag.datasets if is_drawn(name)]
    if not drawn or len(drawn) < len(bag.datasets):
        return ""
    return (
        f"The data set {' and '.join(drawn)} holds drawings: the model knows drawings only and will be wrong on "
        "photographs. For those, train on pictures of your own: --data FOLDER"
    )


def _wanted(entry: sets.EmbeddedSet, classes: Collection[str] | None) -> list[str]:
    """Blocks to load, in label order."""
    if classes is None:
        return list(entry.blocks)
    for name in classes:
        if name not in entry.classes:
            raise DataError(unknown(f"class of the embedded data set {entry.name!r}", name, entry.classes))
    wanted = [name for name in entry.blocks if name in set(classes)]
    if not wanted:
        raise DataError(
            f"no class of {entry.name!r} asked for (got {sorted(classes)}): "
            f"name at least one of {', '.join(entry.blocks)}, or pass None for all."
        )
    return wanted
