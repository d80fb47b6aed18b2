"""Index masks: raw pixel values and the classes they stand for, laid over their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from autommlab.bundle_runtime import pictures
from autommlab.common.errors import DataError
from autommlab.data.drawn_masks import DrawnMask
from autommlab.data.readers.files import readable, shown

if TYPE_CHECKING:
    import numpy as np

    from autommlab.data.records import Sample

#: Pixel value of what has no label, in every mask of this project.
UNLABELLED = 255
#: Files of masks; a JPEG only where it is black and white.
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif", *(_JPEG := (".jpg", ".jpeg", ".jpe", ".jfif")))
#: Of a black and white JPEG: how far its compression takes pixels from 0 and 255, and the fraction that stays so near.
_BLUR, _SHARP = 32, 0.9
#: Difference of the aspect ratios of a mask and its picture up to which one is a scaled copy of the other.
_SAME_SHAPE = 0.02
_MOST_VALUE = 0xFFFF


def raw_mask(path: Path | DrawnMask) -> np.ndarray:
    """The pixel values as stored, or drawn from outlines, (height, width), integers from 0 to 65535.

    Raises:
        DataError: a colour picture instead of one value a pixel, values that are no class indexes, or endless outlines.
        PictureError: missing or broken.
    """
    import numpy as np

    if isinstance(path, DrawnMask):
        return path.drawn()
    values = pictures.values(path)
    if values.ndim == 3 and (values[..., : 3 if values.shape[-1] > 2 else 1] == values[..., :1]).all():
        values = values[..., 0]  # grey, saved by a tool that knows colour or transparency only
    if values.ndim != 2:
        raise DataError(
            f"{path}: a colour picture with {values.shape[-1]} channels, expected one class index a pixel. "
            "Convert the colours to class indexes (0, 1, 2 ...; 255 = unlabelled) and save as 8-bit PNG."
        )
    if values.dtype == bool:
        return values.astype(np.uint8)
    if path.suffix.lower() in _JPEG:
        return _black_and_white(path, values)
    if values.dtype != np.uint8 and not (values.min() >= 0 and values.max() <= _MOST_VALUE):
        raise DataError(
            f"{path}: values from {values.min()} to {values.max()}, expected class indexes from 0 to {_MOST_VALUE}."
        )
    return values if values.dtype.kind == "u" else values.astype(np.uint16)


def mask_size(mask: Path | DrawnMask) -> tuple[int, int]:
    """(width, height) of a mask in pixels.

    Raises:
        PictureError: missing or broken.
    """
    return mask.size if isinstance(mask, DrawnMask) else pictures.size(mask)


def mask_place(root: Path, mask: Path | DrawnMask) -> str:
    """Where a mask comes from, for messages: its file, or the annotation and the picture."""
    if isinstance(mask, Path):
        return shown(root, mask)
    return f"{shown(root, mask.source)} ({readable(mask.image.name)})"


def _black_and_white(path: Path, values: np.ndarray) -> np.ndarray:
    """The values of a JPEG as 0 and 255 alone: its compression would make classes of other numbers another."""
    import numpy as np

    near = (values <= _BLUR) | (values >= UNLABELLED - _BLUR)
    indexes = values.max(initial=0) <= _BLUR and values.any()
    if near.mean() < _SHARP or indexes:
        raise DataError(
            f"{path}: a JPEG changes the values of class indexes; only a mask of black and white can be one. Export "
            "the masks as 8-bit PNG."
        )
    return np.where(values > UNLABELLED // 2, UNLABELLED, 0).astype(np.uint8)


def present(values: np.ndarray) -> list[int]:
    """The values that occur in a mask (height, width) of unsigned integers, ascending.

    Only the last pixel of each run of equal ones is looked at: counting all of them would make a table of 8 bytes a
    pixel of the mask.
    """
    import numpy as np

    flat = values.ravel()
    if not flat.size:
        return []
    ends = flat[np.flatnonzero(flat[1:] != flat[:-1])]
    return np.flatnonzero(np.bincount(np.append(ends, flat[-1:]))).tolist()


def mapped_values(values: list[int], mask_map: tuple[tuple[int, int], ...]) -> list[int]:
    """The class indexes, ascending, that `mapped` makes of the values that occur in a mask."""
    import numpy as np

    return sorted(set(mapped(np.array(values, np.uint16), mask_map).tolist()))


def class_mask(sample: Sample) -> np.ndarray:
    """The mask of a segmentation sample as class indexes, (height, width) uint8, 255 = unlabelled.

    Raises:
        DataError, PictureError: see `raw_mask`; or the sample has no mask.
    """
    if sample.mask is None:
        raise DataError(f"{sample.image}: has no mask. Use a segmentation data set.")
    return mapped(raw_mask(sample.mask), sample.mask_map)


def mapped(values: np.ndarray, mask_map: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Raw values (height, width) to class indexes, uint8; a value that no entry names becomes 255."""
    import numpy as np

    if not mask_map and values.dtype == np.uint8:
        return values
    if not mask_map:
        return np.where(values > UNLABELLED, UNLABELLED, values).astype(np.uint8)
    # The last entry stands for all values above it, and no entry of the map names it.
    table = np.full(max(256, *(raw + 1 for raw, _ in mask_map)) + 1, UNLABELLED, np.uint8)
    for raw, index in mask_map:
        table[raw] = index
    if values.dtype != np.uint8:
        return table[np.minimum(values, len(table) - 1)]
    # Bytes are looked up three times as fast as by an index array.
    looked_up = bytearray(np.ascontiguousarray(values)).translate(table[:256].tobytes())
    return np.frombuffer(looked_up, np.uint8).reshape(values.shape)


class Misfit(NamedTuple):
    """How the size of a mask differs from its picture's.

    Attributes:
        what: a sentence.
        mended: whether `fitted` brings the mask to the picture.
    """

    what: str
    mended: bool


def misfit(mask_size: tuple[int, int], picture: pictures.Facts) -> Misfit | None:
    """How a mask's (width, height) differs from its picture's; None where it does not."""
    if mask_size == picture.size:
        return None
    (width, height), (across, down) = mask_size, picture.size
    what = f"the mask has {width}x{height} pixels, its image {across}x{down}"
    if mask_size == picture.stored_size:
        return Misfit(f"{what} after its EXIF rotation", mended=True)
    same = abs(width * down - height * across) <= _SAME_SHAPE * width * down + max(across, down)
    return Misfit(what if same else f"{what}: another shape", same)


def fitted(mask: np.ndarray, picture: pictures.Facts) -> np.ndarray:
    """A mask (height, width) brought to its upright picture.

    One that was drawn on the stored pixels is turned as they are, one of another size is scaled to the
    nearest pixel.

    Raises:
        DataError: it has another shape than the picture.
    """
    import numpy as np

    mask_size = (mask.shape[1], mask.shape[0])
    wrong = misfit(mask_size, picture)
    if wrong is None:
        return mask
    if not wrong.mended:
        raise DataError(wrong.what)
    if mask_size == picture.stored_size:
        return pictures.turned(mask, picture.orientation)
    (width, height), (across, down) = mask_size, picture.size
    rows, columns = np.arange(down) * height // down, np.arange(across) * width // across
    return mask[rows[:, None], columns[None, :]]
