"""What a replica does with a picture: looks at its size, predicts, draws. Knows nothing of HTTP and Ray."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.bundle_runtime import BundleError, pictures
from autommlab.bundle_runtime.errors import BoxError
from autommlab.common.errors import DeploymentError, unknown
from autommlab.deployment.predicting import DEFAULT_THRESHOLD, Box, LoadedBundle, load_bundle
from autommlab.model_service.batching import batches_of

if TYPE_CHECKING:
    from PIL import Image

#: Of one request: each costs a keypoint model a run of its engine.
MOST_BOXES = 100
JSON_TYPE, PNG_TYPE = "application/json", "image/png"


class PredictionError(Exception):
    """A request that gets no answer.

    Attributes:
        status: HTTP's for it.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """How a picture is to be answered.

    Attributes:
        threshold: lowest score of a box that is kept.
        boxes: for keypoints, the objects (x, y, width, height) in pixels; () = one that fills the picture.
        draw: answer with the picture, the prediction drawn into it, instead of JSON.
        mask: put a segmentation's mask into the JSON as well.
    """

    threshold: float = DEFAULT_THRESHOLD
    boxes: tuple[Box, ...] = ()
    draw: bool = False
    mask: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer and its media type."""

    content: bytes
    media_type: str


class Predictions:
    """The models of a service, loaded.

    Args:
        folders: name -> bundle.
        max_megapixels: largest picture that is decoded.
        threads: of each engine; None leaves that to the engine.
        batch: pictures of one call of an engine at most; see `batches`.

    Attributes:
        batches: by name, the engines that take several pictures at once. Whoever wants that puts something that
            collects pictures of several threads for them in the place of `model(name).predictor.session`.

    Raises:
        DeploymentError: a bundle is none or a damaged one, or its engine is missing or cannot use it.
    """

    def __init__(
        self, folders: Mapping[str, Path], *, max_megapixels: float, threads: int | None = None, batch: int = 1
    ) -> None:
        self._models = {name: load_bundle(folder, threads=threads) for name, folder in folders.items()}
        self._max_pixels = int(max_megapixels * 1e6)
        found = {name: batches_of(model.predictor, batch, threads) for name, model in self._models.items()}
        self.batches = {name: batches for name, batches in found.items() if batches.most > 1}

    def described(self) -> list[dict[str, Any]]:
        """What `GET /v1/models` lists."""
        return [
            _described(name, model) | {"batch": self.batches[name].most if name in self.batches else 1}
            for name, model in self._models.items()
        ]

    def warm_up(self) -> None:
        """Predict once with each model, so that a damaged one is found and the first request finds it ready.

        Raises:
            DeploymentError: one computes no answer.
        """
        from PIL import Image

        for name, model in self._models.items():
            try:
                model.predictor(Image.new("RGB", (64, 64)))
            except BundleError as error:
                raise DeploymentError(f"the model {name!r} does not predict: {error}") from error

    def model(self, name: str) -> LoadedBundle:
        """The model of that name.

        Raises:
            PredictionError: there is none.
        """
        if name not in self._models:
            raise PredictionError(404, unknown("model", name[:80], tuple(self._models)))
        return self._models[name]

    def answer(self, name: str, content: bytes, asked: Asked) -> Answer:
        """The answer to one picture.

        Args:
            name: of the model.
            content: of the picture's file.
            asked: how.

        Raises:
            PredictionError: no such model, no picture, a picture that is too large, or a box outside of it.
        """
        model = self.model(name)
        self._check_size(content)
        try:
            found = model.predictor(BytesIO(content), threshold=asked.threshold, boxes=asked.boxes or None)
        except pictures.PictureError as error:
            raise _unusable(error) from error
        except BoxError as error:
            raise PredictionError(422, str(error)) from error
        except BundleError as error:
            raise PredictionError(500, str(error)) from error
        if asked.draw:
            return Answer(_png(_drawn(content, found, model)), PNG_TYPE)
        return Answer(_as_json(found, with_mask=asked.mask), JSON_TYPE)

    def _check_size(self, content: bytes) -> None:
        """Before anything is decoded: a few bytes can be a picture of gigabytes."""
        try:
            width, height = pictures.size(BytesIO(content))
        except pictures.PictureError as error:
            raise _unusable(error) from error
        if width * height > self._max_pixels:
            raise PredictionError(
                413,
                f"the picture has {width} x {height} pixels, and at most {self._max_pixels / 1e6:g} megapixels are "
                "taken; scale it down, or start the service with --max-megapixels",
            )


def _unusable(error: pictures.PictureError) -> PredictionError:
    return PredictionError(413 if error.kind == "large-image" else 400, f"the picture: {error.what}; {error.remedy}")


def _described(name: str, model: LoadedBundle) -> dict[str, Any]:
    meta = model.meta
    found = {
        "name": name,
        "task": meta["task"],
        "classes": meta["classes"],
        "engine": meta["engine"],
        "input_size": meta["input"]["size"],
    }
    return found | ({"keypoints": meta["keypoints"]["names"]} if "keypoints" in meta else {})


def _as_json(found: dict[str, Any], *, with_mask: bool) -> bytes:
    """What `predict.py --json` prints of an answer; the mask on request, for it can be as large as the picture."""
    plain = {key: value for key, value in found.items() if key != "mask"}
    if with_mask and "mask" in found:
        from PIL import Image

        plain["mask_png"] = base64.b64encode(_png(Image.fromarray(found["mask"]))).decode("ascii")
    try:
        return json.dumps(plain, allow_nan=False).encode()
    except ValueError as error:
        raise PredictionError(500, "the model computes numbers that are infinite; export it again") from error


def _drawn(content: bytes, found: Mapping[str, Any], model: LoadedBundle) -> Image.Image:
    from autommlab.deployment.drawing import draw_prediction

    picture = pictures.read(BytesIO(content), **(model.meta["input"].get("depth") or {}))
    return draw_prediction(picture, found, model.meta)


def _png(picture: Image.Image) -> bytes:
    content = BytesIO()
    # Level 1 takes a fifth of the time of the default, for a tenth more bytes.
    picture.save(content, "PNG", compress_level=1)
    return content.getvalue()


def box_of(text: str) -> Box:
    """A box as it is typed: `x,y,width,height` in pixels.

    Raises:
        PredictionError: it is none.
    """
    numbers: Sequence[float] = ()
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = ()
    if len(numbers) != 4:
        raise PredictionError(422, f"box={text[:80]!r} is not x,y,width,height, for example box=10,20,100,200")
    x, y, width, height = numbers
    return x, y, width, height
