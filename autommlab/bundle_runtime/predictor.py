"""`Predictor`: an image in, a plain answer out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import decode, keypoints
from .errors import BoxError, BundleError
from .images import Box, Prepared, load_image, prepare
from .info import read_info
from .pictures import Source
from .sessions import open_session

DEFAULT_THRESHOLD = 0.3
#: What arithmetic on arrays raises that have not the shapes that `bundle.json` promises.
_MISFITS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Predictor:
    """A bundle, ready to predict.

    Args:
        folder: of the bundle.
        threads: of the engine; None leaves them to the engine, which takes all cores.

    Attributes:
        session: what computes; another one for the same model may take its place.

    Raises:
        BundleError: the folder is no bundle or a damaged one, or its engine is missing.
    """

    def __init__(self, folder: str | Path, threads: int | None = None) -> None:
        self.folder = Path(folder)
        self.info = read_info(self.folder)
        self.task: str = self.info["task"]
        self.classes: list[str] = self.info["classes"]
        self.session = open_session(self.folder, self.info, threads)

    def prepare(self, image: Image.Image | Source, box: Box | None = None) -> Prepared:
        """The network input of an image; `box` (x, y, width, height) only matters for keypoints."""
        return prepare(load_image(image, self.info["input"]), self.info["input"], box)

    def run(self, tensor: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Raw outputs for a prepared (1, 3, height, width) tensor."""
        return self.session(tensor)

    def __call__(
        self,
        image: Image.Image | Source,
        threshold: float = DEFAULT_THRESHOLD,
        boxes: Sequence[Sequence[float]] | None = None,
    ) -> dict[str, Any]:
        """What the model sees in an image.

        Args:
            image: a Pillow image, a path, or the content of a file.
            threshold: lowest score of a detection that is returned.
            boxes: objects (x, y, width, height) in pixels whose keypoints are wanted; default: one
                object that fills the image.

        Returns:
            classification: `{"label", "score", "scores": {class: score}}`.
            detection: `{"boxes": [{"label", "score", "box": [x, y, width, height]}]}`, best first.
            segmentation: `{"mask", "classes": {class: fraction of pixels}}`; the mask is a uint8 array
            (height, width) of class indices.
            keypoint: `{"instances": [{"label", "score", "box", "keypoints": [[x, y, score], ...]}]}`.
            All coordinates are pixels of the image as given (after its EXIF rotation).

        Raises:
            BundleError: the image cannot be read, or the model is not the one that `bundle.json` describes.
        """
        picture = load_image(image, self.info["input"])
        try:
            return self._answer(picture, threshold, boxes)
        except _MISFITS as error:
            raise BundleError(
                f"the model in {self.folder} is not the one that its bundle.json describes "
                f"({type(error).__name__}: {error}); copy the whole bundle again."
            ) from error

    def _answer(
        self, picture: Image.Image, threshold: float, boxes: Sequence[Sequence[float]] | None
    ) -> dict[str, Any]:
        if self.task == "keypoint":
            whole = [(0.0, 0.0, float(picture.width), float(picture.height))]
            return {"instances": [self._points(picture, box) for box in (boxes if boxes is not None else whole)]}
        prepared = prepare(picture, self.info["input"])
        outputs = self.session(prepared.tensor)
        if self.task == "classification":
            return decode.decode_scores(outputs, self.info)
        if self.task == "detection":
            return decode.decode_boxes(outputs, self.info, prepared, threshold)
        return decode.decode_mask(outputs, self.info, prepared)

    def _points(self, picture: Image.Image, box: Sequence[float]) -> dict[str, Any]:
        x, y, width, height = _checked(box, picture.size)
        prepared = prepare(picture, self.info["input"], (x, y, width, height))
        found, scores = keypoints.decode_points(self.session(prepared.tensor), self.info["codec"])
        named = len(self.info["keypoints"]["names"])
        if found.shape != (named, 2) or not np.isfinite(found).all():
            raise ValueError(f"it gives points of shape {found.shape}, and {named} are named")
        places = keypoints.to_image(found, prepared, tuple(self.info["input"]["size"]))
        points = [[float(px), float(py), float(s)] for (px, py), s in zip(places, scores, strict=True)]
        return {
            "label": self.classes[0],
            "score": float(np.mean(scores)),
            "box": [x, y, width, height],
            "keypoints": points,
        }


def _checked(box: Sequence[float], size: tuple[int, int]) -> Box:
    """The box, if it shows a part of a picture of that size.

    Raises:
        BoxError: it does not.
    """
    numbers = [float(value) for value in box]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise BoxError(f"a box has four numbers x,y,width,height, got {numbers}.")
    x, y, width, height = numbers
    if width <= 0 or height <= 0:
        raise BoxError(f"the box {numbers} is empty; give x,y,width,height in pixels with a size above 0.")
    if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        raise BoxError(f"the box {numbers} lies outside of the picture, which has {size[0]} x {size[1]} pixels.")
    return x, y, width, height
