"""The deployment stage: export, convert, verify, and put the bundle in place in one step."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.analysis.records import Analysis
from autommlab.bundle_runtime import BundleError
from autommlab.common.errors import DeploymentError, StorageError
from autommlab.common.files import storage_errors
from autommlab.data.records import Bag
from autommlab.deployment.delivered import hashes_of
from autommlab.deployment.records import Deployment, Verification
from autommlab.models.records import ModelChoice
from autommlab.progress.events import Events
from autommlab.settings import QuantizePolicy
from autommlab.tasks import MeasuredMetric, Task, measured_metric, objective
from autommlab.training.records import StudyResult
from autommlab.understanding.request import Device, Engine, ModelRequest

if TYPE_CHECKING:
    from autommlab.deployment.export import OnnxModel
    from autommlab.deployment.int8_stage import Chosen
    from autommlab.deployment.trained import Trained

BUNDLE = "bundle"
_STAGE = "deployment"
_SCRATCH = ".deploying-"
#: Where bundles are checked: the engines of our environment run there.
CHECKED_ON = Device.CPU
#: Steps told as progress: load, export, convert, verify, quantise, judge, write.
_STEPS = 7


@dataclass(frozen=True, slots=True)
class _Job:
    """What is deployed, and for whom."""

    request: ModelRequest
    bag: Bag
    choice: ModelChoice
    study: StudyResult
    events: Events
    keep: Callable[[Analysis], None] | None
    policy: QuantizePolicy

    @property
    def figure(self) -> MeasuredMetric:
        """What the study searched for."""
        return measured_metric(self.study.task, self.study.objective) or objective(self.study.task)

    def tell(self, step: int, message: str) -> None:
        self.events.emit("progress", _STAGE, message, done=step, total=_STEPS, unit="step")


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
    events: Events | None = None,
    keep: Callable[[Analysis], None] | None = None,
    policy: QuantizePolicy | None = None,
) -> Deployment:
    """Turn a finished study into a verified bundle.

    Args:
        request: engine, device and limits asked for.
        bag: whose test split verifies the bundle.
        choice: of the model, for its card and limits.
        study: with config and weights of the winner.
        folder: of the run; `folder/bundle` appears complete or not at all, replacing an older one.
        events: told about progress and fallbacks.
        keep: stores what the bundle gets right and wrong on the test split; None = that is not looked at.
        policy: when an INT8 model is made, and what it may lose; None = the default.

    Raises:
        DeploymentError: the model cannot be exported, or no engine can run it.
        StorageError: the folder cannot be written.
    """
    job = _Job(request, bag, choice, study, events or Events(), keep, policy or QuantizePolicy())
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH) as scratch:
            return _deploy(job, Path(scratch), folder / BUNDLE)


def _sweep(folder: Path) -> None:
    """Remove what a killed deployment left."""
    for left in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _deploy(job: _Job, scratch: Path, bundle: Path) -> Deployment:
    from autommlab.deployment.export import export_onnx
    from autommlab.deployment.limits import check_limits
    from autommlab.deployment.model_card import CardFacts, write_papers
    from autommlab.deployment.trained import load_trained
    from autommlab.deployment.verify import IMAGES

    job.tell(0, "loading the best trial")
    trained = load_trained(job.study, job.bag, images=IMAGES, scratch=scratch)
    job.tell(1, "exporting to ONNX")
    exported = export_onnx(trained, scratch)
    built = scratch / BUNDLE
    done = _first_that_works(job, trained, exported, built)
    chosen = _with_int8(job, trained, exported, done, built)
    notes = (*gpu_note(job.request.deploy.gpu), *done.notes, *chosen.warnings, *chosen.notes)
    check = chosen.check
    limits = check_limits(job.request, job.choice, job.study, check, engine=done.engine, device=CHECKED_ON)
    analysis = _analysed(job, built, check)
    job.tell(6, "writing the bundle")
    facts = CardFacts(
        job.request, job.bag, job.choice, job.study, done.engine, check, limits, notes, analysis, chosen.record
    )
    write_papers(built, facts)
    for note in notes:
        job.events.emit("warning" if note in chosen.warnings else "note", _STAGE, note)
    files = hashes_of(built)
    return Deployment(
        bundle=_put_in_place(built, bundle),
        asked=job.request.deploy.inference_engine,
        engine=done.engine,
        device=CHECKED_ON,
        verification=check,
        limits=limits,
        notes=notes,
        files=files,
        quantization=chosen.record,
        policy=job.policy,
    )


def _first_that_works(job: _Job, trained: Trained, exported: OnnxModel, built: Path) -> _Delivered:
    """Convert and verify with one engine after the other until one takes the model.

    Raises:
        DeploymentError: none did; the text has each one's reason.
    """
    from autommlab.deployment.engines import preferences

    refusals: list[str] = []
    engines = preferences(job.request.deploy.inference_engine)
    for engine in engines:
        shutil.rmtree(built, ignore_errors=True)
        built.mkdir()
        try:
            check = _build_and_verify(job, trained, exported, built, engine)
        except (DeploymentError, BundleError, ValueError) as error:
            refusals.append(f"{engine.value} cannot run this model: {error}")
            continue
        if check.agrees or engine is engines[-1]:
            return _Delivered(engine, check, (*_fallback(refusals, engine), *_disagreement(check)))
        refusals.append(f"{engine.value} takes the model but computes other results ({_differences(check)})")
    raise DeploymentError(
        f"no engine could take the model. {'. '.join(refusals)}. "
        "Choose another model (`--model`), or another engine in the request; the training is kept."
    )


def _build_and_verify(job: _Job, trained: Trained, exported: OnnxModel, built: Path, engine: Engine) -> Verification:
    from autommlab.deployment.bundle import build_bundle
    from autommlab.deployment.verify import verify

    job.tell(2, f"converting for {engine.value}")
    build_bundle(
        built,
        trained=trained,
        exported=exported,
        engine=engine,
        device=CHECKED_ON,
        bag=job.bag,
        choice=job.choice,
    )
    job.tell(3, f"comparing {engine.value} with PyTorch on {len(trained.dataset)} test images")
    return verify(trained, built, engine, job.figure)


def _with_int8(job: _Job, trained: Trained, exported: OnnxModel, done: _Delivered, built: Path) -> Chosen:
    """The bundle to deliver, in `built`: the float one that is there, or the INT8 one in its place."""
    from autommlab.deployment.int8_stage import FloatBundle, with_int8

    made = FloatBundle(
        job.request,
        job.bag,
        job.choice,
        trained,
        exported,
        done.engine,
        CHECKED_ON,
        built,
        done.verification,
        job.figure,
        trained_on_val=job.study.cross_validation is not None,
    )
    chosen = with_int8(made, job.policy, built.parent, lambda words: job.tell(4, words))
    if chosen.folder != built:
        shutil.rmtree(built)
        chosen.folder.replace(built)
    return chosen


def _analysed(job: _Job, built: Path, check: Verification) -> Analysis | None:
    """What the bundle gets right and wrong; None where nobody wants to know, or that cannot be found out."""
    from autommlab.analysis.analyse import analyse, split_to_judge
    from autommlab.analysis.limits import affordable_pictures
    from autommlab.deployment.predicting import load_bundle

    if job.keep is None:
        return None
    part = job.bag.splits[split_to_judge(job.bag)]
    objects = sum(part.per_class.values()) / max(part.images, 1) if job.bag.task is Task.KEYPOINT else 1.0
    images = affordable_pictures(max(objects, 1.0) * check.end_to_end_p50_ms / 1000)
    job.tell(5, f"judging each class on {min(images, part.images)} pictures")
    try:
        found = analyse(job.bag, load_bundle(built).predictor, images=images)
        job.keep(found)
    except StorageError:
        raise
    except Exception as error:  # an ornament of the run, from libraries and files of others: no reason to fail it
        job.events.emit("note", _STAGE, f"no figures by class: {type(error).__name__}: {error}")
        return None
    return found


def _fallback(refusals: list[str], engine: Engine) -> tuple[str, ...]:
    return tuple(f"{refusal}. Delivered for {engine.value} instead." for refusal in refusals)


def _disagreement(check: Verification) -> tuple[str, ...]:
    return () if check.agrees else (f"The exported model does not agree with PyTorch: {_differences(check)}.",)


def _differences(check: Verification) -> str:
    return (
        f"largest difference of outputs {check.difference_in_words}; "
        f"{check.metric} {check.bundle_metric:.4f}, PyTorch's {check.torch_metric:.4f}"
    )


def gpu_note(asked: Device) -> tuple[str, ...]:
    """A note where the bundle was asked for a GPU, on which it is not checked."""
    if asked is not Device.GPU:
        return ()
    return (
        "A GPU was asked for; the engines installed here run on the CPU, where the bundle was checked. With "
        'onnxruntime-gpu installed, set "device" to "gpu" in bundle.json.',
    )


def _put_in_place(built: Path, bundle: Path) -> Path:
    """Swap the finished bundle in; an older one is out of the way first."""
    if bundle.exists():
        bundle.replace(built.parent / "older")
    return built.replace(bundle)
