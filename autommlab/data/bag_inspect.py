"""A look at every file of a bag: is it an image, how large, what is its content, what does its mask show."""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.bundle_runtime import pictures
from autommlab.bundle_runtime.pictures import Facts, PictureError
from autommlab.common.errors import DataError
from autommlab.data.at_work import on_threads
from autommlab.data.bag_items import IGNORED, Item, by_rarest
from autommlab.data.drawn_masks import DrawnMask
from autommlab.data.readers.fitting import resized
from autommlab.data.readers.masks import Misfit, fitted, mapped, mapped_values, mask_size, misfit, present, raw_mask

if TYPE_CHECKING:
    import numpy as np

_MOST_THREADS = 8


class _Unusable(Exception):
    """A file that cannot be used, with the reason."""


def inspected(items: Iterable[Item]) -> tuple[list[Item], list[str]]:
    """Decode each image, take its size and content hash, in threads; leave out what cannot be used.

    Returns:
        (usable items in the same order, "FILE: reason" for each left out).
    """
    return _each(items, _with_image, "pictures read")


def with_mask_labels(items: Iterable[Item], *, background: bool) -> tuple[list[Item], list[str]]:
    """Read which labels each mask shows; leave out masks that are missing, broken or show nothing.

    Args:
        background: label 0 is the background; an image with nothing else gets no labels at all.
    """
    usable, left_out = _each(items, _with_labels, "masks read")
    if background:
        usable = [replace(item, labels=()) if item.labels == (0,) else item for item in usable]
    return by_rarest(usable), left_out


def remapped_mask(item: Item) -> "np.ndarray":
    """The mask in labels of the bag, (height, width) uint8; as large as the image, if that was looked at.

    Raises:
        DataError, PictureError: the mask cannot be read, is no index mask, or has another shape than the image.
    """
    if item.sample.mask is None:
        raise DataError("no mask")
    mask = mapped(raw_mask(item.sample.mask), item.pixels)
    return fitted(mask, item.facts) if item.facts else mask


def threads() -> int:
    """Threads for reading and writing images (Pillow releases the interpreter's lock)."""
    return min(_MOST_THREADS, os.cpu_count() or 1)


def _each(items: Iterable[Item], look: Callable[[Item], Item], doing: str) -> tuple[list[Item], list[str]]:
    def attempt(item: Item) -> Item | str:
        try:
            return look(item)
        except _Unusable as error:
            return str(error)

    results = on_threads(attempt, list(items), doing, threads())
    return [r for r in results if isinstance(r, Item)], [r for r in results if isinstance(r, str)]


def _with_image(item: Item) -> Item:
    sample = item.sample
    try:
        content = pictures.content(sample.image)
        facts = pictures.look(BytesIO(content))
    except PictureError as error:
        raise _Unusable(f"{sample.image}: {error.what}") from error
    wrong = _mask_misfit(sample.mask, facts) if sample.mask is not None else None
    if wrong and not wrong.mended:
        raise _Unusable(f"{sample.mask}: {wrong.what}")
    fitting_sample = resized(sample, facts.size)
    if fitting_sample is None:
        stated = f"{sample.width}x{sample.height}"
        raise _Unusable(f"{sample.image}: annotated as {stated}, and its boxes do not fit in the file")
    digest = hashlib.sha256(content).hexdigest()
    return replace(item, sample=fitting_sample, digest=digest, facts=facts, mask_refitted=wrong is not None)


def _mask_misfit(mask: Path | DrawnMask, picture: Facts) -> Misfit | None:
    try:
        return misfit(mask_size(mask), picture)
    except PictureError as error:
        raise _Unusable(f"{mask}: {error.what}") from error


def _with_labels(item: Item) -> Item:
    try:
        values = present(remapped_mask(item)) if item.facts else mapped_values(_values(item), item.pixels)
    except PictureError as error:
        raise _Unusable(f"{item.sample.mask}: {error.what}") from error
    except DataError as error:
        raise _Unusable(str(error)) from error
    labels = tuple(value for value in values if value < IGNORED)
    if not labels:
        raise _Unusable(f"{item.sample.mask}: no pixel of any class")
    return replace(item, labels=labels)


def _values(item: Item) -> list[int]:
    """The raw values of the mask.

    Raises:
        DataError, PictureError: see `remapped_mask`.
    """
    if item.sample.mask is None:
        raise DataError("no mask")
    return present(raw_mask(item.sample.mask))
