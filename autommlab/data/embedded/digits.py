"""scikit-learn's handwritten digits: 1,797 real scans of 8 x 8 pixels, enlarged to 32."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image

from autommlab.data.embedded.drawn import Drawn
from autommlab.data.records import SPLITS

SIDE_PX = 32
#: Shares of train and val; the rest is test.
_TRAIN, _VAL = 0.7, 0.15


@cache
def _scans() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 8, 8) uint8 ink of 0..255 and (1797,) labels."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    # Ink comes in 17 steps, 0..16.
    return np.round(scans.images * (255 / 16)).astype(np.uint8), scans.target


def draw_digits(digit: str, rng: np.random.Generator) -> Iterator[Drawn]:
    """All scans of one digit, shuffled and divided over the splits. No two scans of the set are equal."""
    images, labels = _scans()
    order = rng.permutation(np.flatnonzero(labels == int(digit)))
    ends = np.round(np.array([_TRAIN, _TRAIN + _VAL]) * len(order)).astype(int)
    for split, part in zip(SPLITS, np.split(order, ends), strict=True):
        for number in part:
            scan = Image.fromarray(images[number], "L")
            large = scan.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).convert("RGB")
            yield Drawn(large, split, label=int(digit))
