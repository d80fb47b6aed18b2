"""What a generator hands to the cache, and the seed of every single image."""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from autommlab.data.records import Instance, Split


@dataclass(frozen=True, slots=True)
class Drawn:
    """One image in memory with its annotation; the fields are those of `Sample`."""

    image: Image.Image
    split: Split
    label: int | None = None
    instances: tuple[Instance, ...] = ()
    mask: Image.Image | None = None


def image_rng(name: str, version: int, block: str, split: str, index: int) -> np.random.Generator:
    """The generator of one image: any image can be drawn again without those before it."""
    key = f"{name}|{version}|{block}|{split}|{index}".encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()[:16]))
