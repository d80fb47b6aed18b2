"""The INT8 model of a deployment: made, measured beside the float bundle, and chosen or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autommlab.bundle_runtime import BundleError, Predictor
from autommlab.common.errors import DeploymentError
from autommlab.data.records import Bag
from autommlab.deployment.bundle import build_bundle
from autommlab.deployment.export import OnnxModel
from autommlab.deployment.predicting import load_bundle
from autommlab.deployment.quantization import measure
from autommlab.deployment.quantization.decide import Measured, decide, reason_to_try
from autommlab.deployment.quantization.int8 import Int8Maker
from autommlab.deployment.quantization.records import Pair, Quantization, Tried
from autommlab.deployment.quantization.scopes import Scope
from autommlab.deployment.records import Verification
from autommlab.deployment.trained import Trained, on_split
from autommlab.deployment.verify import verify
from autommlab.models.records import ModelChoice
from autommlab.settings import NO_INT8, QuantizePolicy
from autommlab.tasks import MeasuredMetric, measured_metric
from autommlab.understanding.request import Device, Engine, ModelRequest

_VAL_IS_SEEN = (
    "the model is trained on train and val, and no pictures are left that tell what INT8 loses. A new run with "
    "--refit never keeps val for that"
)
#: Most VAL images that decide.
VAL_IMAGES = 200


@dataclass(frozen=True, slots=True)
class FloatBundle:
    """What was built and verified, and what it was built from.

    Attributes:
        folder: of the bundle.
        check: of it against PyTorch.
        figure: that the study searched for.
        trained_on_val: the model has seen val, which then cannot tell what INT8 loses.
    """

    request: ModelRequest
    bag: Bag
    choice: ModelChoice
    trained: Trained
    exported: OnnxModel
    engine: Engine
    device: Device
    folder: Path
    check: Verification
    figure: MeasuredMetric
    trained_on_val: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The bundle to deliver.

    Attributes:
        record: None where no INT8 model was made.
        notes: sentences for a person; warnings of them.
    """

    folder: Path
    check: Verification
    record: Quantization | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An INT8 bundle and its figure on VAL."""

    scope: Scope
    folder: Path
    val: float


def with_int8(made: FloatBundle, policy: QuantizePolicy, scratch: Path, tell: Callable[[str], None]) -> Chosen:
    """Make an INT8 model where the policy wants one, and choose between it and the float model.

    Args:
        made: the float bundle.
        policy: of the run.
        scratch: folder for the INT8 bundles.
        tell: told what is done.

    Whatever fails here leaves the float bundle, with a warning that says why.
    """
    plain = Chosen(made.folder, made.check)
    longest_ms = made.request.model.speed.ms_per_image()
    why = reason_to_try(policy, made.check.p50_ms, longest_ms)
    if not why:
        return plain
    if made.engine in NO_INT8:
        return replace(plain, warnings=(f"{why}; no INT8 model was made: {NO_INT8[made.engine]}.",))
    if made.trained_on_val:
        return replace(plain, warnings=(f"{why}; no INT8 model was made: {_VAL_IS_SEEN}.",))
    try:
        return _Attempt(made, policy, scratch, tell).chosen(longest_ms)
    except (DeploymentError, BundleError, ValueError) as error:
        return replace(plain, warnings=(f"{why}; no INT8 model was made: {error}.",))


class _Attempt:
    """One model on its way to INT8."""

    def __init__(self, made: FloatBundle, policy: QuantizePolicy, scratch: Path, tell: Callable[[str], None]) -> None:
        self._made, self._policy, self._tell = made, policy, tell
        self._work = scratch / "int8"
        self._predictor: Predictor = load_bundle(made.folder).predictor
        self._maker = Int8Maker(
            made.exported.path, self._work, lambda: measure.calibration_inputs(made.bag, self._predictor)
        )
        self._val = on_split(made.trained, made.bag, "val", images=VAL_IMAGES, scratch=scratch)
        self._tried: list[Tried] = []

    def chosen(self, longest_ms: float | None) -> Chosen:
        """The best INT8 bundle against the float one."""
        made, figure = self._made, self._made.figure
        before = measure.figure_of(self._val, self._predictor, figure)
        best = self._best(before)
        self._tell(f"comparing INT8 with PyTorch on {len(made.trained.dataset)} test images")
        check = verify(made.trained, best.folder, made.engine, figure, most_loss=self._policy.most_loss)
        ms = Pair(float32=made.check.p50_ms, int8=check.p50_ms)
        found = Measured(figure, Pair(float32=before, int8=best.val), ms, longest_ms, self._wanted())
        decision = decide(self._policy, found)
        record = self._record(best, found, check, deliver=decision.deliver, reason=decision.reason)
        words = f"{decision.reason} {record.speed_in_words}."
        folder, final = (best.folder, check) if decision.deliver else (made.folder, made.check)
        return Chosen(
            folder, final, record, () if decision.warns else (words,), (words,) if decision.warns else ()
        )  # fmt: skip

    def _best(self, before: float) -> _Candidate:
        """The first part of the network that loses no more than allowed, else the one that loses least.

        Raises:
            DeploymentError: no part can be quantised.
        """
        figure, found = self._made.figure, list[_Candidate]()
        for number, scope in enumerate(self._maker.scopes):
            self._tell(f"quantising {scope.name} to INT8")
            try:
                candidate = self._candidate(scope, self._work / f"bundle-{number}")
            except (DeploymentError, BundleError, ValueError) as error:
                problem = str(error)
                self._tried.append(
                    Tried(scope=scope.name, float_layers=len(scope.float_layers), val=None, problem=problem)
                )
                continue
            self._tried.append(Tried(scope=scope.name, float_layers=len(scope.float_layers), val=candidate.val))
            if figure.lost(before, candidate.val) <= self._policy.most_loss:
                return candidate
            found.append(candidate)
        if not found:
            problems = "; ".join(f"{one.scope}: {one.problem}" for one in self._tried)
            raise DeploymentError(problems or "it has no layers that INT8 is for")
        return min(found, key=lambda one: figure.lost(before, one.val))

    def _candidate(self, scope: Scope, folder: Path) -> _Candidate:
        made, file = self._made, self._work / f"{folder.name}.onnx"
        self._maker.write(scope, file)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        build_bundle(
            folder,
            trained=made.trained,
            exported=replace(made.exported, path=file),
            engine=made.engine,
            device=made.device,
            bag=made.bag,
            choice=made.choice,
            precision="int8",
        )
        return _Candidate(scope, folder, measure.figure_of(self._val, load_bundle(folder).predictor, made.figure))

    def _wanted(self) -> float | None:
        """What the request asks of the figure."""
        task, figure = self._made.trained.task, self._made.figure
        asked = self._made.request.model.metrics
        return next((one.value for one in asked if measured_metric(task, one.name) == figure), None)

    def _record(
        self, best: _Candidate, found: Measured, check: Verification, *, deliver: bool, reason: str
    ) -> Quantization:
        made = self._made
        int8 = load_bundle(best.folder).predictor
        image = Path(made.trained.dataset[0]["data_samples"].img_path)
        turns = measure.in_turns(self._predictor, int8, image)
        return Quantization(
            delivered=deliver,
            reason=reason,
            metric=made.figure.name,
            loss=found.loss,
            most_loss=self._policy.most_loss,
            val=found.val,
            test=Pair(float32=made.check.bundle_metric, int8=check.bundle_metric),
            val_images=len(self._val.dataset),
            test_images=check.images,
            p50_ms=turns.p50_ms,
            speedup=turns.speedup,
            size_mb=Pair(float32=measure.size_mb(self._predictor), int8=measure.size_mb(int8)),
            calibrated_on=self._maker.calibrated_on,
            scope=best.scope.name,
            int8_layers=self._maker.layers - len(best.scope.float_layers),
            float_layers=best.scope.float_layers,
            tried=tuple(self._tried),
        )
