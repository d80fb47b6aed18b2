"""A deployed model in Python: pictures in, answers out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from autommlab.api.arguments import AnyPath
from autommlab.bundle_runtime import BundleError
from autommlab.common.errors import DataError, DeploymentError
from autommlab.deployment import predicting
from autommlab.deployment.hub import bundle_folder
from autommlab.deployment.predicting import DEFAULT_THRESHOLD, Box, LoadedBundle

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

#: A file, a Pillow image, or an array of uint8, (height, width, 3) in RGB or (height, width).
Picture: TypeAlias = "AnyPath | Image | NDArray[Any]"


class Bundle:
    """A bundle ready to predict; made by `load_bundle`, and `Run.bundle`.

    Attributes:
        folder: of the bundle.
        info: content of `bundle.json`.
        task: classification, detection, segmentation or keypoint.
        classes: what it tells apart, in the order of its outputs.
    """

    def __init__(self, loaded: LoadedBundle) -> None:
        self._predictor = loaded.predictor
        self.folder, self.info = loaded.folder, loaded.meta
        self.task: str = loaded.predictor.task
        self.classes: tuple[str, ...] = tuple(loaded.predictor.classes)

    def __repr__(self) -> str:
        return f"<Bundle {self.folder}: {self.task}, {', '.join(self.classes)}>"

    def predict(
        self, image: Picture, *, threshold: float = DEFAULT_THRESHOLD, boxes: Sequence[Box] | None = None
    ) -> dict[str, Any]:
        """What the model sees in a picture.

        Args:
            image: a file, a Pillow image, or an array of uint8, (height, width, 3) in RGB or (height, width).
            threshold: lowest score of a box that is kept.
            boxes: for keypoints, the objects (x, y, width, height) in pixels; default one that fills the picture.

        Returns:
            classification: `{"label", "score", "scores": {class: score}}`.
            detection: `{"boxes": [{"label", "score", "box": [x, y, width, height]}]}`, best first.
            segmentation: `{"mask", "classes": {class: fraction of the pixels}}`; the mask is a uint8 array
            (height, width) of class indices.
            keypoint: `{"instances": [{"label", "score", "box", "keypoints": [[x, y, score], ...]}]}`.
            All coordinates are pixels of the picture, upright.

        Raises:
            DataError: the picture cannot be read.
            DeploymentError: a box lies outside of it, or the model is not the one that `bundle.json` describes.
        """
        from autommlab.bundle_runtime.pictures import PictureError

        try:
            return self._predictor(_as_picture(image), threshold=threshold, boxes=boxes)
        except PictureError as error:
            raise DataError(str(error)) from error
        except BundleError as error:
            raise DeploymentError(str(error)) from error

    def push(self, destination: AnyPath, *, private: bool = False, force: bool = False) -> str:
        """Copy the bundle to where others find it; what else lies in its folder stays.

        Args:
            destination: a folder, a URI of a storage, or "hf://OWNER/NAME" with the token of the hub's own login.
            private: a repository of the hub that is made now is hidden.
            force: a bundle that lies there is replaced.

        Returns:
            Where it lies: the folder, the URI, or the address of the hub's page.

        Raises:
            DeploymentError: parts of the bundle are missing or changed.
            StorageError: something else lies there, it cannot be written, or the hub wants another token.
        """
        from autommlab.deployment.pushing import push_bundle

        return push_bundle(self.folder, os.fspath(destination), private=private, force=force).where

    def draw(self, image: Picture, answer: Mapping[str, Any]) -> Image:
        """The picture with an answer of `predict` drawn into it; a small one is enlarged first.

        Raises:
            DataError: the picture cannot be read.
        """
        from autommlab.bundle_runtime import pictures
        from autommlab.deployment.drawing import draw_prediction

        depth = self.info.get("input", {}).get("depth") or {}
        try:
            shown = pictures.read(_as_picture(image), **depth)
        except pictures.PictureError as error:
            raise DataError(str(error)) from error
        return draw_prediction(shown, answer, self.info)


def load_bundle(folder: AnyPath) -> Bundle:
    """Load a bundle, from a folder or from a model hub; its own code is not run.

    Args:
        folder: of a run, or copied from there; or "hf://OWNER/NAME", of which `bundle.json` and the model's files are
            fetched.

    Raises:
        DeploymentError: the folder is no bundle, its engine is not installed, or it cannot start.
        StorageError: the hub cannot be reached, or does not show the repository.
    """
    return Bundle(predicting.load_bundle(bundle_folder(os.fspath(folder))))


def _as_picture(image: Picture) -> Image | Path:
    """What the runtime takes.

    Raises:
        DataError: neither a path, nor an image, nor an array of the form of a picture.
    """
    from PIL import Image as Pillow

    if isinstance(image, str | os.PathLike):
        return Path(image).expanduser()
    if isinstance(image, Pillow.Image):
        return image
    import numpy as np

    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or not array.size:
        raise DataError(
            f"an array of {array.dtype} with shape {array.shape} is no picture; give uint8 with (height, width, 3) in "
            "RGB or (height, width), a file, or a Pillow image"
        )
    return Pillow.fromarray(array)
