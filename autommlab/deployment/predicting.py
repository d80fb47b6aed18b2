"""Uses a finished bundle: loads its own `predict.py` and draws its answers into images."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from autommlab.common.errors import DeploymentError, StorageError

Box = tuple[float, float, float, float]
#: Lowest score of a box or an instance that is shown.
DEFAULT_THRESHOLD = 0.3
#: The package inside a bundle that its `predict.py` imports by this name.
_RUNTIME = "bundle_runtime"
#: Its error, a class of each bundle's own.
_BUNDLE_ERROR = "BundleError"


class Predictor(Protocol):
    """What a bundle's `predict.py` offers."""

    def __call__(
        self, image: Any, threshold: float = ..., boxes: Sequence[Sequence[float]] | None = ...
    ) -> dict[str, Any]:
        """The answer for a Pillow image or a path, in one of the forms that `report.drawing` draws."""
        ...


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


def load_bundle(folder: Path) -> LoadedBundle:
    """Load a bundle by its own code. A bundle is a program: load only those that you trust.

    Raises:
        DeploymentError: the folder is no bundle, its engine is not installed, or it cannot start.
    """
    for name in ("bundle.json", "predict.py"):
        if not (folder / name).is_file():
            raise DeploymentError(
                f"{folder} is not a bundle: it has no {name}. "
                "Give the folder `bundle` inside a finished run, for example runs/NAME/bundle."
            )
    try:
        meta = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise DeploymentError(f"{folder / 'bundle.json'} is not valid JSON: {error}. Deploy it again.") from error
    module = _import_predict(folder)
    try:
        predictor = module.Predictor(folder)
    except (module.BundleError, ImportError) as error:
        raise DeploymentError(f"the bundle {folder} cannot start: {error}{_install_hint(folder)}") from error
    return LoadedBundle(folder, meta, predictor)


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

    depth = bundle.meta.get("input", {}).get("depth", {})
    taken: set[str] = set()
    for path in images:
        try:
            image = pictures.read(path, **depth)
        except pictures.PictureError as error:
            yield Predicted(path, {}, problem=f"{path}: {error.what}; {error.remedy}")
            continue
        try:
            answer = bundle.predictor(path, threshold=threshold, boxes=boxes)
        except Exception as error:
            if type(error).__name__ != _BUNDLE_ERROR:
                raise
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


def _import_predict(folder: Path) -> ModuleType:
    """The bundle's `predict.py` as a module of its own, so that several bundles can be loaded."""
    spec = importlib.util.spec_from_file_location(f"bundle_{folder.resolve().name}", folder / "predict.py")
    if spec is None or spec.loader is None:
        raise DeploymentError(f"{folder / 'predict.py'} cannot be imported as Python code.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    with _own_runtime():
        try:
            spec.loader.exec_module(module)
        except (ImportError, SyntaxError) as error:
            hint = _install_hint(folder)
            raise DeploymentError(f"the bundle {folder} cannot start: {error}{hint}") from error
        except SystemExit as stop:  # a bundle's program leaves this way when a package is missing
            raise DeploymentError(f"the bundle {folder} cannot start: {stop.code}") from stop
    if not hasattr(module, "Predictor"):
        raise DeploymentError(f"{folder / 'predict.py'} has no class Predictor: it is not a bundle's.")
    return module


@contextlib.contextmanager
def _own_runtime() -> Iterator[None]:
    """Let a bundle import its own `bundle_runtime`, not that of a bundle loaded before."""
    path = list(sys.path)
    for name in [name for name in sys.modules if name == _RUNTIME or name.startswith(f"{_RUNTIME}.")]:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.path[:] = path


def _install_hint(folder: Path) -> str:
    needed = folder / "requirements.txt"
    return f". Install what it needs: pip install -r {needed}" if needed.is_file() else ""
