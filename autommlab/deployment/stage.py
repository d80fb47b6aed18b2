"""The deployment stage: export, convert, verify, and put the bundle in place in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.data.records import Bag
from autommlab.deployment.records import Deployment, Verification
from autommlab.errors import DeploymentError
from autommlab.events import Events
from autommlab.files import storage_errors
from autommlab.models.records import ModelChoice
from autommlab.training.records import StudyResult
from autommlab.understanding.request import Device, Engine, ModelRequest

if TYPE_CHECKING:
    from autommlab.deployment.export import OnnxModel
    from autommlab.deployment.trained import Trained

BUNDLE = "bundle"
_STAGE = "deployment"
#: Steps told as progress: load, export, convert, verify, write.
_STEPS = 5


@dataclass(frozen=True, slots=True)
class _Delivered:
    """The engine that took the model, and how well."""

    engine: Engine
    verification: Verification
    notes: tuple[str, ...]


def deploy(
    request: ModelRequest,
    bag: Bag,
    choice: ModelChoice,
    study: StudyResult,
    *,
    folder: Path,
    device: str = "cpu",
    events: Events | None = None,
) -> Deployment:
    """Turn a finished study into a verified bundle.

    Args:
        request: engine, device and limits asked for.
        bag: whose test split verifies the bundle.
        choice: of the model, for its card and limits.
        study: with config and weights of the winner.
        folder: of the run; `folder/bundle` appears complete or not at all, replacing an older one.
        device: of the machine at hand, "cpu" or "cuda".
        events: told about progress and fallbacks.

    Raises:
        DeploymentError: the model cannot be exported, or no engine can run it.
        StorageError: the folder cannot be written.
    """
    events = events or Events()
    asked = request.deploy.inference_engine
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".deploying-") as scratch:
            return _deploy(request, bag, choice, study, Path(scratch), folder, device, events, asked)


def _deploy(  # noqa: PLR0913 - the stage's own arguments, handed on once
    request: ModelRequest,
    bag: Bag,
    choice: ModelChoice,
    study: StudyResult,
    scratch: Path,
    folder: Path,
    device: str,
    events: Events,
    asked: Engine,
) -> Deployment:
    from autommlab.deployment.export import export_onnx
    from autommlab.deployment.limits import check_limits
    from autommlab.deployment.model_card import write_papers
    from autommlab.deployment.trained import load_trained
    from autommlab.deployment.verify import IMAGES

    _tell(events, 0, "loading the best trial")
    trained = load_trained(study, bag, images=IMAGES, scratch=scratch)
    _tell(events, 1, "exporting to ONNX")
    exported = export_onnx(trained, scratch)
    target, notes = delivered_device(request.deploy.gpu, device)
    built = scratch / BUNDLE
    done = _first_that_works(asked, trained, exported, built, target, bag, choice, events)
    notes = (*notes, *done.notes)
    check = done.verification
    limits = check_limits(request, choice, study, check, engine=done.engine, device=target)
    _tell(events, 4, "writing the bundle")
    write_papers(
        built, request=request, bag=bag, choice=choice, study=study, engine=done.engine,
        verification=check, limits=limits, notes=notes,
    )  # fmt: skip
    for note in notes:
        events.emit("note", _STAGE, note)
    bundle = _put_in_place(built, folder / BUNDLE)
    return Deployment(
        bundle=bundle,
        asked=asked,
        engine=done.engine,
        device=target,
        verification=check,
        limits=limits,
        notes=notes,
    )


def _first_that_works(
    asked: Engine,
    trained: Trained,
    exported: OnnxModel,
    built: Path,
    device: Device,
    bag: Bag,
    choice: ModelChoice,
    events: Events,
) -> _Delivered:
    """Convert and verify with one engine after the other until one takes the model.

    Raises:
        DeploymentError: none did; the text has each one's reason.
    """
    from autommlab.deployment.bundle import write_working_parts
    from autommlab.deployment.engines import convert, preferences
    from autommlab.deployment.verify import verify

    refusals: list[str] = []
    engines = preferences(asked)
    for engine in engines:
        shutil.rmtree(built, ignore_errors=True)
        built.mkdir()
        try:
            _tell(events, 2, f"converting for {engine.value}")
            converted = convert(engine, exported, trained, built)
            write_working_parts(
                built, trained=trained, exported=exported, converted=converted,
                engine=engine, device=device, bag=bag, choice=choice,
            )  # fmt: skip
            _tell(events, 3, f"comparing {engine.value} with PyTorch on {len(trained.dataset)} test images")
            check = verify(trained, built, engine)
        except (DeploymentError, ValueError) as error:
            refusals.append(f"{engine.value} cannot run this model: {error}")
            continue
        if check.agrees or engine is engines[-1]:
            return _Delivered(engine, check, (*_fallback(refusals, engine), *_disagreement(check)))
        refusals.append(f"{engine.value} takes the model but computes other results ({_differences(check)})")
    raise DeploymentError(
        f"no engine could take the model. {'. '.join(refusals)}. "
        "Choose another model (`--model`), or another engine in the request; the training is kept."
    )


def _fallback(refusals: list[str], engine: Engine) -> tuple[str, ...]:
    return tuple(f"{refusal}. Delivered for {engine.value} instead." for refusal in refusals)


def _disagreement(check: Verification) -> tuple[str, ...]:
    return () if check.agrees else (f"The exported model does not agree with PyTorch: {_differences(check)}.",)


def _differences(check: Verification) -> str:
    return (
        f"largest difference of outputs {check.max_difference:.2g}, allowed {check.tolerance:.2g}; "
        f"{check.metric} {check.bundle_metric:.4f}, PyTorch's {check.torch_metric:.4f}"
    )


def delivered_device(asked: Device, at_hand: str) -> tuple[Device, tuple[str, ...]]:
    """Where the bundle was checked, and a note where that is not what was asked.

    Args:
        asked: by the request.
        at_hand: "cpu" or "cuda".
    """
    if asked is not Device.GPU:
        return Device.CPU, ()
    if at_hand != "cuda":
        return Device.CPU, ("A GPU was asked for and this machine has none: the bundle was checked on the CPU.",)
    return Device.CPU, (
        "A GPU was asked for; the engines installed here run on the CPU, where the bundle was checked. With "
        'onnxruntime-gpu installed, set "device" to "gpu" in bundle.json.',
    )


def _put_in_place(built: Path, bundle: Path) -> Path:
    """Swap the finished bundle in; an older one is out of the way first."""
    if bundle.exists():
        bundle.replace(built.parent / "older")
    os.replace(built, bundle)
    return bundle


def _tell(events: Events, done: int, message: str) -> None:
    events.emit("progress", _STAGE, message, done=done, total=_STEPS, unit="step")
