"""A look at every file of a bag: is it an image, how large, what is its content, what does its mask show."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from autommlab.data.bag_items import IGNORED, Item, by_rarest

if TYPE_CHECKING:
    import numpy as np

_MOST_THREADS = 8
#: Modes in which a mask's pixels are the stored numbers.
_INDEX_MODES = ("L", "P", "1", "I", "I;16")


class _Unusable(Exception):
    """A file that cannot be used, with the reason."""


def inspected(items: Iterable[Item]) -> tuple[list[Item], list[str]]:
    """Decode each image, take its size and content hash, in threads; leave out what is missing or broken.

    Returns:
        (usable items in the same order, "FILE: reason" for each left out).
    """
    return _each(items, _with_image)


def with_mask_labels(items: Iterable[Item], *, background: bool) -> tuple[list[Item], list[str]]:
    """Read which labels each mask shows; leave out masks that are missing, broken or show nothing.

    Args:
        background: label 0 is the background; an image with nothing else gets no labels at all.
    """
    usable, left_out = _each(items, _with_labels)
    if background:
        usable = [replace(item, labels=()) if item.labels == (0,) else item for item in usable]
    return by_rarest(usable), left_out


def remapped_mask(item: Item) -> "np.ndarray":
    """The mask in labels of the bag, (height, width) uint8.

    Raises:
        OSError: the mask cannot be read, or is no index mask.
    """
    import numpy as np

    if item.sample.mask is None:
        raise FileNotFoundError("no mask")
    with Image.open(item.sample.mask) as image:
        if image.mode not in _INDEX_MODES:
            raise OSError(f"the mask has mode {image.mode}; one number a pixel is needed")
        raw = np.asarray(image).astype(np.int64)
    if raw.min() < 0 or raw.max() > 0xFFFF:
        raise OSError(f"the mask has values from {raw.min()} to {raw.max()}; 0 to 65535 are allowed")
    table = np.full(0x10000, IGNORED, np.uint8)
    for value, label in item.pixels:
        table[value] = label
    return table[raw]


def threads() -> int:
    """Threads for reading and writing images (Pillow releases the interpreter's lock)."""
    return min(_MOST_THREADS, os.cpu_count() or 1)


def _each(items: Iterable[Item], look: Callable[[Item], Item]) -> tuple[list[Item], list[str]]:
    def attempt(item: Item) -> Item | str:
        try:
            return look(item)
        except _Unusable as error:
            return str(error)

    with ThreadPoolExecutor(threads()) as pool:
        results = list(pool.map(attempt, items))
    return [r for r in results if isinstance(r, Item)], [r for r in results if isinstance(r, str)]


def _with_image(item: Item) -> Item:
    content = _content(item.sample.image)
    try:
        with Image.open(BytesIO(content)) as image:
            image.load()  # all of it: a truncated file would stop every trial that meets it
            width, height = image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _Unusable(f"{item.sample.image}: no readable image ({error})") from error
    sample = replace(item.sample, width=width, height=height)
    return replace(item, sample=sample, digest=hashlib.sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _Unusable(f"{path}: {error.strerror or 'cannot be read'}") from error


def _with_labels(item: Item) -> Item:
    import numpy as np

    try:
        counts = np.bincount(remapped_mask(item).ravel(), minlength=IGNORED + 1)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise _Unusable(f"{item.sample.mask}: {error}") from error
    labels = tuple(int(label) for label in np.flatnonzero(counts[:IGNORED]))
    if not labels:
        raise _Unusable(f"{item.sample.mask}: no pixel of any class")
    return replace(item, labels=labels)
