"""`Predictor`: an image in, a plain answer out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import decode, keypoints
from .errors import BundleError
from .images import Box, Prepared, load_image, prepare
from .sessions import open_session

DEFAULT_THRESHOLD = 0.3
#: Entries of every `bundle.json`, with the types that JSON gives them.
_NEEDED = {"task": str, "engine": str, "files": list, "classes": list, "input": dict, "output": dict}


class Predictor:
    """A bundle, ready to predict.

    Args:
        folder: of the bundle.

    Raises:
        BundleError: the folder is no bundle, or its engine is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.info = _read_info(self.folder)
        self.task: str = self.info["task"]
        self.classes: list[str] = self.info["classes"]
        self._run = open_session(self.folder, self.info)

    def prepare(self, image: Image.Image | str | Path, box: Box | None = None) -> Prepared:
        """The network input of an image; `box` (x, y, width, height) only matters for keypoints."""
        return prepare(load_image(image, self.info["input"]), self.info["input"], box)

    def run(self, tensor: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Raw outputs for a prepared (1, 3, height, width) tensor."""
        return self._run(tensor)

    def __call__(
        self,
        image: Image.Image | str | Path,
        threshold: float = DEFAULT_THRESHOLD,
        boxes: Sequence[Sequence[float]] | None = None,
    ) -> dict[str, Any]:
        """What the model sees in an image.

        Args:
            image: a Pillow image or a path.
            threshold: lowest score of a detection that is returned.
            boxes: objects (x, y, width, height) in pixels whose keypoints are wanted; default: one
                object that fills the image.

        Returns:
            classification: `{"label", "score", "scores": {class: score}}`.
            detection: `{"boxes": [{"label", "score", "box": [x, y, width, height]}]}`, best first.
            segmentation: `{"mask", "classes": {class: share of pixels}}`; the mask is a uint8 array
            (height, width) of class indices.
            keypoint: `{"instances": [{"label", "score", "box", "keypoints": [[x, y, score], ...]}]}`.
            All coordinates are pixels of the image as given (after its EXIF rotation).

        Raises:
            BundleError: the image cannot be read.
        """
        picture = load_image(image, self.info["input"])
        if self.task == "keypoint":
            whole = [(0.0, 0.0, float(picture.width), float(picture.height))]
            return {"instances": [self._points(picture, box) for box in (boxes if boxes is not None else whole)]}
        prepared = prepare(picture, self.info["input"])
        outputs = self._run(prepared.tensor)
        if self.task == "classification":
            return decode.decode_scores(outputs, self.info)
        if self.task == "detection":
            return decode.decode_boxes(outputs, self.info, prepared, threshold)
        return decode.decode_mask(outputs, self.info, prepared)

    def _points(self, picture: Image.Image, box: Sequence[float]) -> dict[str, Any]:
        x, y, width, height = _checked(box, picture.size)
        prepared = prepare(picture, self.info["input"], (x, y, width, height))
        found, scores = keypoints.decode_points(self._run(prepared.tensor), self.info["codec"])
        places = keypoints.to_image(found, prepared, tuple(self.info["input"]["size"]))
        points = [[float(px), float(py), float(s)] for (px, py), s in zip(places, scores, strict=True)]
        return {
            "label": self.classes[0],
            "score": float(np.mean(scores)),
            "box": [x, y, width, height],
            "keypoints": points,
        }


def _read_info(folder: Path) -> dict[str, Any]:
    """The content of `bundle.json`, with all that every bundle has; its files lie in the bundle."""
    try:
        info = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{folder} is not a bundle: its bundle.json cannot be read ({error}).") from error
    if not isinstance(info, dict) or any(not isinstance(info.get(name), kind) for name, kind in _NEEDED.items()):
        raise BundleError(f"{folder} is not a bundle: its bundle.json lacks one of {', '.join(_NEEDED)}.")
    for name in (*info["files"], *info["classes"]):
        if not isinstance(name, str):
            raise BundleError(f"{folder / 'bundle.json'} names {name!r}, which is no text.")
    for name in info["files"]:
        if Path(name).name != name:
            raise BundleError(f"{folder / 'bundle.json'} names the file {name!r}, which is not in the bundle.")
    return info


def _checked(box: Sequence[float], size: tuple[int, int]) -> Box:
    """The box, if it shows a part of a picture of that size.

    Raises:
        BundleError: it does not.
    """
    numbers = [float(value) for value in box]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise BundleError(f"a box has four numbers x,y,width,height, got {numbers}.")
    x, y, width, height = numbers
    if width <= 0 or height <= 0:
        raise BundleError(f"the box {numbers} is empty; give x,y,width,height in pixels with a size above 0.")
    if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        raise BundleError(f"the box {numbers} lies outside of the picture, which has {size[0]} x {size[1]} pixels.")
    return x, y, width, height
