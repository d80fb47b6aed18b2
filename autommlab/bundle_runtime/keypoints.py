"""Points from a pose model's raw outputs; each codec as mmpose 1.3 decodes it, in numpy.

Shapes: K points, heatmaps (K, H, W); coordinates are (x, y).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError
from .images import Prepared

Floats = NDArray[np.floating[Any]]
_TINY = 1e-10
#: Bounds between which UDP takes the logarithm of a heatmap.
_UDP_CLIP = (1e-3, 50.0)
#: OpenCV's fixed kernels of these sizes when no sigma is given; larger ones are computed.
_SMALL_KERNELS = {
    1: [1.0],
    3: [0.25, 0.5, 0.25],
    5: [0.0625, 0.25, 0.375, 0.25, 0.0625],
    7: [0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125],
    9: [4 / 256, 13 / 256, 30 / 256, 51 / 256, 60 / 256, 51 / 256, 30 / 256, 13 / 256, 4 / 256],
}


def decode_points(outputs: list[NDArray[Any]], rule: dict[str, Any]) -> tuple[Floats, Floats]:
    """Points (K, 2) in network pixels and scores (K,).

    Args:
        outputs: of the network.
        rule: "codec" of `bundle.json`.
    """
    match rule["type"]:
        case "SimCCLabel":
            return _simcc(outputs[0][0], outputs[1][0], rule)
        case "RegressionLabel" | "IntegralRegressionLabel":
            return _regression(outputs[0].reshape(outputs[0].shape[-2:]), rule)
        case "MSRAHeatmap":
            return _msra(outputs[0][0], rule)
        case "UDPHeatmap" if rule["heatmap_type"] == "combined":
            return _udp_combined(outputs[0][0], rule)
        case "UDPHeatmap":
            return _udp(outputs[0][0], rule)
    raise BundleError(f"unknown keypoint codec {rule['type']!r} in bundle.json")


def to_image(points: Floats, prepared: Prepared, size: tuple[int, int]) -> Floats:
    """Network pixels -> pixels of the original image; `size` is (width, height) of the network input."""
    extent, centre = np.array(prepared.extent), np.array(prepared.centre)
    return points / np.array(size) * extent + centre - extent / 2


def _peaks(heatmaps: Floats) -> tuple[Floats, Floats]:
    """Highest cell (x, y) of each heatmap and its value; (-1, -1) where nothing is above zero."""
    flat = heatmaps.reshape(len(heatmaps), -1)
    rows, columns = np.unravel_index(flat.argmax(axis=1), heatmaps.shape[1:])
    values = flat.max(axis=1)
    points = np.stack((columns, rows), axis=-1).astype(np.float32)
    points[values <= 0] = -1
    return points, values


def _msra(heatmaps: Floats, rule: dict[str, Any]) -> tuple[Floats, Floats]:
    points, scores = _peaks(heatmaps)
    if rule["unbiased"]:
        points = _newton_step(points, np.log(np.maximum(_blur(heatmaps, rule["blur_kernel_size"]), _TINY)))
    else:
        points = _quarter_step(points, heatmaps)
    return points * _cell(rule, unbiased=False), scores


def _cell(rule: dict[str, Any], *, unbiased: bool) -> Floats:
    """Network pixels per heatmap cell, (x, y)."""
    cells = np.array(rule["heatmap_size"]) - (1 if unbiased else 0)
    return (np.array(rule["input_size"]) / cells).astype(np.float32)


def _quarter_step(points: Floats, heatmaps: Floats) -> Floats:
    """A quarter of a cell from the peak towards its higher neighbour."""
    height, width = heatmaps.shape[1:]
    moved = points.copy()
    for k, (x, y) in enumerate(points.astype(int)):
        if 1 < x < width - 1 and 0 < y < height:
            moved[k, 0] += 0.25 * np.sign(heatmaps[k, y, x + 1] - heatmaps[k, y, x - 1])
        if 1 < y < height - 1 and 0 < x < width:
            moved[k, 1] += 0.25 * np.sign(heatmaps[k, y + 1, x] - heatmaps[k, y - 1, x])
    return moved


def _newton_step(points: Floats, logs: Floats) -> Floats:
    """DARK (arXiv 1910.06278): the top of the parabola through the neighbourhood of the peak."""
    height, width = logs.shape[1:]
    moved = points.copy()
    for k, (x, y) in enumerate(points.astype(int)):
        if not (1 < x < width - 2 and 1 < y < height - 2):
            continue
        h = logs[k]
        slope = 0.5 * np.array([h[y, x + 1] - h[y, x - 1], h[y + 1, x] - h[y - 1, x]])
        dxx = 0.25 * (h[y, x + 2] - 2 * h[y, x] + h[y, x - 2])
        dyy = 0.25 * (h[y + 2, x] - 2 * h[y, x] + h[y - 2, x])
        dxy = 0.25 * (h[y + 1, x + 1] - h[y - 1, x + 1] - h[y + 1, x - 1] + h[y - 1, x - 1])
        if dxx * dyy - dxy**2 != 0:
            moved[k] -= np.linalg.inv(np.array([[dxx, dxy], [dxy, dyy]])) @ slope
    return moved


def _udp(heatmaps: Floats, rule: dict[str, Any]) -> tuple[Floats, Floats]:
    """UDP (arXiv 1911.07524): a Newton step on the blurred heatmap's logarithm, borders repeated."""
    points, scores = _peaks(heatmaps)
    logs = np.log(np.clip(_blur(heatmaps, rule["blur_kernel_size"]), *_UDP_CLIP))
    padded = np.pad(logs, ((0, 0), (1, 1), (1, 1)), mode="edge")
    flat, width = padded.reshape(-1), padded.shape[2]
    # A point without a peak lies at (-1, -1), whose neighbours mmpose reads across the border.
    places = (points[:, 0] + 1 + (points[:, 1] + 1) * width).astype(int)
    places += padded.shape[1] * width * np.arange(len(points))

    def at(dx: int, dy: int) -> Floats:
        return flat[(places + dx + dy * width) % flat.size]

    slope = 0.5 * np.stack((at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)), axis=-1)
    here = at(0, 0)
    dxx, dyy = at(1, 0) - 2 * here + at(-1, 0), at(0, 1) - 2 * here + at(0, -1)
    dxy = 0.5 * (at(1, 1) - at(1, 0) - at(0, 1) + 2 * here - at(-1, 0) - at(0, -1) + at(-1, -1))
    curvature = np.stack((dxx, dxy, dxy, dyy), axis=-1).reshape(-1, 2, 2)
    inverse = np.linalg.inv(curvature + np.finfo(np.float32).eps * np.eye(2))
    points = points - np.einsum("kmn,kn->km", inverse, slope)
    return points * _cell(rule, unbiased=True), scores


def _udp_combined(maps: Floats, rule: dict[str, Any]) -> tuple[Floats, Floats]:
    """A label map and two offset maps for each point."""
    kernel = 2 * rule["blur_kernel_size"] + 1
    labels = np.stack([_blur_one(label, kernel, border="reflect") for label in maps[::3]])
    points, scores = _peaks(labels)
    height, width = labels.shape[1:]
    radius = rule["radius_factor"] * max(width, height)
    places = (points[:, 0] + points[:, 1] * width + width * height * np.arange(len(points))).astype(int)
    offsets = [maps[start::3].reshape(-1)[places] * radius for start in (1, 2)]
    return (points + np.stack(offsets, axis=-1)) * _cell(rule, unbiased=True), scores


def _simcc(across: Floats, down: Floats, rule: dict[str, Any]) -> tuple[Floats, Floats]:
    """SimCC (arXiv 2107.03332): one distribution (K, length) per axis."""
    points = np.stack((across.argmax(axis=1), down.argmax(axis=1)), axis=-1).astype(np.float32)
    scores = np.minimum(across.max(axis=1), down.max(axis=1))
    points[scores <= 0] = -1
    if rule["use_dark"]:
        for axis, values in enumerate((across, down)):
            points[:, axis] -= _dark_step(points[:, axis], values, rule["sigma"][axis])
    return points / rule["simcc_split_ratio"], scores


def _dark_step(peaks: Floats, values: Floats, sigma: float) -> Floats:
    kernel = int((sigma * 20 - 7) // 3)
    kernel -= int(kernel % 2 == 0)
    blurred = np.stack([_blur_one(row[None], kernel, border="zero", rows=False)[0] for row in values])
    blurred *= values.max(axis=1, keepdims=True) / blurred.max(axis=1, keepdims=True)
    logs = np.pad(np.log(np.clip(blurred, *_UDP_CLIP)), ((0, 0), (2, 2)), mode="edge")
    place = (peaks + 2.5).astype(np.int64)[:, None]

    def at(step: int) -> Floats:
        return np.take_along_axis(logs, place + step, axis=1)[:, 0]

    curvature = 1e-9 + 0.25 * (at(2) - 2 * at(0) + at(-2))
    return 0.5 * (at(1) - at(-1)) / curvature


def _regression(values: Floats, rule: dict[str, Any]) -> tuple[Floats, Floats]:
    """Coordinates (K, 2) in shares of the input, or (K, 4) with the uncertainty of each."""
    points = values[:, :2] * np.array(rule["input_size"])
    if values.shape[1] == 2:
        return points, np.ones(len(values), np.float32)
    spread = 1 / (1 + np.exp(-values[:, 2:])) if rule["sigmoid_sigma"] else values[:, 2:]
    return points, (1 - spread).mean(axis=1)


def _blur(heatmaps: Floats, kernel: int) -> Floats:
    """Gaussian blur with nothing outside, each heatmap brought back to its old maximum."""
    blurred = np.stack([_blur_one(heatmap, kernel, border="zero") for heatmap in heatmaps])
    highest = heatmaps.max(axis=(1, 2), keepdims=True)
    return blurred * (highest / blurred.max(axis=(1, 2), keepdims=True))


def _blur_one(values: Floats, kernel: int, *, border: str, rows: bool = True) -> Floats:
    weights = gaussian_kernel(kernel)
    reach = kernel // 2
    mode: Any = "reflect" if border == "reflect" else "constant"
    for axis in (0, 1) if rows else (1,):
        padding = [(reach, reach) if axis == current else (0, 0) for current in (0, 1)]
        padded = np.pad(values, padding, mode=mode)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=axis)
        values = (windows @ weights).astype(np.float32)
    return values


def gaussian_kernel(size: int) -> NDArray[np.float32]:
    """OpenCV's kernel of an odd size without a given sigma."""
    if size in _SMALL_KERNELS:
        return np.array(_SMALL_KERNELS[size], np.float32)
    sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    weights = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return (weights / weights.sum()).astype(np.float32)
