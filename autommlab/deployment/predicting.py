"""Uses a finished bundle: loads its model and draws its answers into images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autommlab.bundle_runtime import BundleError, Predictor
from autommlab.common.errors import DeploymentError, StorageError

Box = tuple[float, float, float, float]
#: Lowest score of a box or an instance that is shown.
DEFAULT_THRESHOLD = 0.3


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """A bundle ready to predict.

    Attributes:
        meta: content of `bundle.json`.
    """

    folder: Path
    meta: dict[str, Any]
    predictor: Predictor


@dataclass(frozen=True, slots=True)
class Predicted:
    """What became of one image.

    Attributes:
        answer: the prediction as plain JSON; a mask is named by `mask_file` instead.
        drawn: the image with the answer drawn into it, None if there was a problem.
        problem: why there is no answer, one sentence; "" if there is one.
    """

    image: Path
    answer: dict[str, Any]
    drawn: Path | None = None
    problem: str = ""

    def to_json(self) -> str:
        """One line of JSON: `image` and either the answer and `drawn`, or `error`."""
        if self.problem:
            return json.dumps({"image": str(self.image), "error": self.problem}, ensure_ascii=False)
        line = {"image": str(self.image), **self.answer, "drawn": str(self.drawn)}
        return json.dumps(line, ensure_ascii=False)


def load_bundle(folder: Path, *, threads: int | None = None) -> LoadedBundle:
    """Load a bundle from its data: `bundle.json` and the model's files.

    The code that a bundle carries for machines without this package is not run: the same code is installed here, and
    a bundle may come from anybody.

    Args:
        folder: of the bundle.
        threads: of its engine; None leaves them to the engine, which takes all cores.

    Raises:
        DeploymentError: the folder is no bundle, its engine is not installed, or it cannot start.
    """
    if not (folder / "bundle.json").is_file():
        raise DeploymentError(
            f"{folder} is not a bundle: it has no bundle.json. "
            "Give the folder `bundle` inside a finished run, for example runs/NAME/bundle."
        )
    try:
        predictor = Predictor(folder, threads)
    except BundleError as error:
        raise DeploymentError(f"the bundle {folder} cannot start: {error}") from error
    return LoadedBundle(folder, predictor.info, predictor)


def predict_files(
    bundle: LoadedBundle,
    images: Sequence[Path],
    out: Path,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    boxes: Sequence[Box] | None = None,
) -> Iterator[Predicted]:
    """Predict image after image; one that cannot be read is reported and the next one follows.

    Args:
        bundle: from `load_bundle`.
        images: files.
        out: folder for the drawn images `NAME-predicted.png` and masks `NAME-mask.png`; made if missing.
        threshold: lowest score of a box that is kept.
        boxes: for keypoints, the objects (x, y, width, height) in pixels; default one that fills the image.

    Raises:
        StorageError: `out` cannot be written.
    """
    from autommlab.bundle_runtime import pictures

    depth = bundle.meta.get("input", {}).get("depth") or {}
    taken: set[str] = set()
    for path in images:
        try:
            image = pictures.read(path, **depth)
        except pictures.PictureError as error:
            yield Predicted(path, {}, problem=f"{path}: {error.what}; {error.remedy}")
            continue
        try:
            answer = bundle.predictor(path, threshold=threshold, boxes=boxes)
        except BundleError as error:
            yield Predicted(path, {}, problem=str(error))
            continue
        yield _save(bundle, path, image, answer, out, _free_name(path.stem, taken))


def _save(bundle: LoadedBundle, path: Path, image: Any, answer: dict[str, Any], out: Path, name: str) -> Predicted:
    import numpy as np
    from PIL import Image

    from autommlab.deployment.drawing import draw_prediction

    drawn = out / f"{name}-predicted.png"
    plain = {key: value for key, value in answer.items() if key != "mask"}
    try:
        out.mkdir(parents=True, exist_ok=True)
        draw_prediction(image, answer, bundle.meta).save(drawn)
        if "mask" in answer:
            mask_file = out / f"{name}-mask.png"
            Image.fromarray(np.asarray(answer["mask"], dtype=np.uint8)).save(mask_file)
            plain["mask_file"] = str(mask_file)
    except OSError as error:
        raise StorageError(
            f"cannot write into {out}: {error.strerror or error}. Give another folder with --out."
        ) from error
    return Predicted(path, plain, drawn)


def _free_name(stem: str, taken: set[str]) -> str:
    """`stem`, numbered if an image of the same name in another folder came before."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name
