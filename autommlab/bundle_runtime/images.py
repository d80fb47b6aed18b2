"""From an image to the network's input tensor, exactly as in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import BoxError
from .pictures import Source, read

Box = tuple[float, float, float, float]
#: Sub-pixel grid on which OpenCV's warpAffine places its samples.
_GRID = 32
_FIXED_POINT = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network input and how to get back from it.

    Attributes:
        tensor: float32, (1, 3, height, width).
        size: (width, height) of the original image in pixels.
        scale: network pixels per image pixel, (x, y); for a crop of `box` the same within it.
        centre, extent: of the region of the original image that the input shows, in pixels.
        box: the object's box (x, y, width, height) for keypoints.
    """

    tensor: NDArray[np.float32]
    size: tuple[int, int]
    scale: tuple[float, float]
    centre: tuple[float, float] = (0.0, 0.0)
    extent: tuple[float, float] = (0.0, 0.0)
    box: Box | None = None


def load_image(source: Image.Image | Source, rule: dict[str, Any]) -> Image.Image:
    """The image in RGB, upright, by the rule ("input" of `bundle.json`).

    Raises:
        PictureError: the file is missing, broken, too large or of a format that is not read.
    """
    return read(source, **(rule.get("depth") or {}))


def prepare(image: Image.Image, rule: dict[str, Any], box: Box | None = None) -> Prepared:
    """Bring an RGB image to the network's input by the rule of `bundle.json`.

    Args:
        image: any size.
        rule: "input" of `bundle.json`.
        box: (x, y, width, height) in pixels of the object to look at, for the rule "crop".
    """
    width, height = rule["size"]
    if rule["resize"] == "crop":
        return _prepare_crop(image, rule, box or (0.0, 0.0, float(image.width), float(image.height)))
    if rule["resize"] == "fit":
        new_size = fitting(image.size, (width, height))
        resized = np.asarray(image.resize(new_size, Image.Resampling.BILINEAR))
        pixels = np.full((height, width, 3), rule["pad_value"], np.uint8)
        pixels[: new_size[1], : new_size[0]] = resized
    else:
        new_size = (width, height)
        pixels = np.asarray(image.resize(new_size, Image.Resampling.BILINEAR))
    scale = (new_size[0] / image.width, new_size[1] / image.height)
    return Prepared(normalise(pixels, rule), image.size, scale)


def fitting(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Largest (width, height) of the same aspect ratio inside `room`; rounded as mmcv's rescale_size does."""
    factor = min(max(room) / max(size), min(room) / min(size))
    if any(int(side * factor + 0.5) > limit for side, limit in zip(size, room, strict=True)):
        factor = min(room[0] / size[0], room[1] / size[1])
    return max(1, int(size[0] * factor + 0.5)), max(1, int(size[1] * factor + 0.5))


def normalise(pixels: NDArray[np.uint8], rule: dict[str, Any]) -> NDArray[np.float32]:
    """RGB pixels (height, width, 3) -> normalised (1, 3, height, width), padded to the tensor's shape."""
    ordered = pixels if rule["channels"] == "rgb" else pixels[..., ::-1]
    values = ordered.astype(np.float32).transpose(2, 0, 1)
    mean, std = (np.asarray(rule[key], np.float32).reshape(3, 1, 1) for key in ("mean", "std"))
    values = (values - mean) / std
    _, _, height, width = rule["tensor"]
    below, right = height - values.shape[1], width - values.shape[2]
    if below or right:
        values = np.pad(values, ((0, 0), (0, below), (0, right)), constant_values=rule["tensor_pad"])
    return np.ascontiguousarray(values[None])


def _prepare_crop(image: Image.Image, rule: dict[str, Any], box: Box) -> Prepared:
    width, height = rule["size"]
    x, y, box_width, box_height = box
    if box_width <= 0 or box_height <= 0:
        raise BoxError(f"the box {box} is empty; give x,y,width,height in pixels with a size above 0.")
    wide, high = box_width * rule["box_padding"], box_height * rule["box_padding"]
    aspect = width / height
    wide, high = (wide, wide / aspect) if wide > high * aspect else (high * aspect, high)
    centre = (x + box_width / 2, y + box_height / 2)
    # UDP counts the distance between the outer pixel centres, the others the outer edges.
    cells = (width - 1, height - 1) if rule["unbiased"] else (width, width * high / wide)
    scale = (cells[0] / wide, cells[1] / high)
    origin = _origin(centre, (wide, high), scale, (width, height), unbiased=rule["unbiased"])
    if rule["unbiased"]:  # mmpose holds UDP's matrix in single precision
        scale, origin = _single(scale), _single(origin)
    pixels = _crop(np.asarray(image), scale, origin, (width, height))
    return Prepared(normalise(pixels, rule), image.size, scale, centre, (wide, high), box)


def _single(pair: tuple[float, float]) -> tuple[float, float]:
    return float(np.float32(pair[0])), float(np.float32(pair[1]))


def _origin(
    centre: tuple[float, float],
    extent: tuple[float, float],
    scale: tuple[float, float],
    size: tuple[int, int],
    *,
    unbiased: bool,
) -> tuple[float, float]:
    """Where the image's (0, 0) falls in the crop, in network pixels (mmpose's warp matrices)."""
    if unbiased:
        return scale[0] * (extent[0] / 2 - centre[0]), scale[1] * (extent[1] / 2 - centre[1])
    return size[0] / 2 - scale[0] * centre[0], size[1] / 2 - scale[1] * centre[1]


def _crop(
    pixels: NDArray[np.uint8],
    scale: tuple[float, float],
    origin: tuple[float, float],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Scaled and shifted cut-out, bilinear on OpenCV's grid of 1/32 pixel, black outside the image."""
    columns, right = _samples(size[0], scale[0], origin[0])
    rows, down = _samples(size[1], scale[1], origin[1])
    bordered = np.pad(pixels.astype(np.float32), ((1, 1), (1, 1), (0, 0)))

    def at(row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float32]:
        inside_rows = np.clip(row, -1, pixels.shape[0]) + 1
        inside_columns = np.clip(column, -1, pixels.shape[1]) + 1
        return bordered[inside_rows[:, None], inside_columns[None, :]]

    right, down = right[None, :, None], down[:, None, None]
    above = at(rows, columns) * (1 - right) + at(rows, columns + 1) * right
    below = at(rows + 1, columns) * (1 - right) + at(rows + 1, columns + 1) * right
    return np.floor(above * (1 - down) + below * down + 0.5).astype(np.uint8)


def _samples(count: int, scale: float, origin: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Source pixel and fraction (multiples of 1/32) of each target pixel along one axis."""
    steps = np.rint(np.arange(count) / scale * _FIXED_POINT).astype(np.int64)
    start = round(-origin / scale * _FIXED_POINT) + _FIXED_POINT // _GRID // 2
    on_grid = (start + steps) // (_FIXED_POINT // _GRID)
    return on_grid // _GRID, (on_grid % _GRID / _GRID).astype(np.float32)
