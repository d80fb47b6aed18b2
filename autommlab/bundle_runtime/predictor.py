"""`Predictor`: an image in, a plain answer out."""

from __future__ import annotations

import json
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


class Predictor:
    """A bundle, ready to predict.

    Args:
        folder: of the bundle.

    Raises:
        BundleError: the folder is no bundle, or its engine is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.info: dict[str, Any] = json.loads((self.folder / "bundle.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.folder} is not a bundle: its bundle.json cannot be read ({error}).") from error
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
        if len(box) != 4:
            raise BundleError(f"a box has four numbers x,y,width,height, got {list(box)}.")
        x, y, width, height = (float(value) for value in box)
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
