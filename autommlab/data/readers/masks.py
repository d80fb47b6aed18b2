"""Index masks: raw pixel values and the classes they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from autommlab.common.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from autommlab.data.records import Sample

#: Pixel value of what has no label, in every mask of this project.
UNLABELLED = 255


def raw_mask(path: Path) -> np.ndarray:
    """The pixel values as stored, (height, width), uint8 or wider.

    Raises:
        DataError: a colour picture instead of one value a pixel.
        OSError, ValueError, SyntaxError: missing or broken (`images.BROKEN_IMAGE`).
    """
    import numpy as np

    with Image.open(path) as image:
        values = np.asarray(image)
    if values.ndim != 2:
        raise DataError(
            f"{path}: a colour picture with {values.shape[-1]} channels, expected one class index a pixel. "
            "Convert the colours to class indexes (0, 1, 2 ...; 255 = unlabelled) and save as 8-bit PNG."
        )
    return values.astype(np.uint8) if values.dtype == bool else values


def class_mask(sample: Sample) -> np.ndarray:
    """The mask of a segmentation sample as class indexes, (height, width) uint8, 255 = unlabelled.

    Raises:
        DataError, OSError: see `raw_mask`; or the sample has no mask.
    """
    if sample.mask is None:
        raise DataError(f"{sample.image}: has no mask. Use a segmentation data set.")
    return mapped(raw_mask(sample.mask), sample.mask_map)


def mapped(values: np.ndarray, mask_map: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Raw values (height, width) to class indexes, uint8; a value that no entry names becomes 255."""
    import numpy as np

    if not mask_map:
        return np.where(values > UNLABELLED, UNLABELLED, values).astype(np.uint8)
    table = np.full(max(256, *(raw + 1 for raw, _ in mask_map)), UNLABELLED, np.uint8)
    for raw, index in mask_map:
        table[raw] = index
    return table[np.minimum(values, len(table) - 1)] if values.dtype != np.uint8 else table[values]
