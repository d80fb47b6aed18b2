"""Typed records of the deployment stage."""

from pydantic import BaseModel, ConfigDict

from autommlab.common.run_path import InnerName, RunPath
from autommlab.deployment.quantization.records import Precision, Quantization
from autommlab.settings import QuantizePolicy
from autommlab.understanding.request import Device, Engine


class LimitCheck(BaseModel):
    """One demand of the request held against a measured figure.

    Attributes:
        name: "accuracy", "parameters", "flops", "speed" ...
        wanted, got: with unit, for a person.
        holds: None where it could not be measured.
        unsure: the 95 % interval of the figure includes what is wanted: as many other pictures could say otherwise.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    wanted: str
    got: str
    holds: bool | None
    unsure: bool = False

    @property
    def doubt(self) -> str:
        """What to say behind the verdict; "" if nothing."""
        return ", but the 95 % interval includes the limit" if self.unsure else ""


class Verification(BaseModel):
    """The exported model against PyTorch on test images.

    Attributes:
        images: test images compared.
        max_difference: largest absolute difference of the raw outputs on identical input tensors.
        tolerance: what was allowed; None for INT8, whose figure alone is bounded.
        input_difference: largest absolute difference of the network inputs that the bundle and the
            toolbox make of the same file, in normalised units.
        metric: canonical name of the figure that was searched for.
        torch_metric, bundle_metric: that figure on TEST through PyTorch and through the bundle's `predict.py`.
        p50_ms, p95_ms: latency of one image (engine only, batch 1) in milliseconds.
        end_to_end_p50_ms: the same with pre- and post-processing.
        memory_mb: peak resident memory of a process that runs the bundle, MB.
        agrees: outputs and metric within tolerance; of INT8, that it loses no more of the metric than allowed.
        precision: of the model that was compared.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    max_difference: float
    tolerance: float | None
    input_difference: float = 0.0
    metric: str
    torch_metric: float
    bundle_metric: float
    metric_tolerance: float
    p50_ms: float
    p95_ms: float
    end_to_end_p50_ms: float
    memory_mb: float
    agrees: bool
    precision: Precision = "float32"

    @property
    def difference_in_words(self) -> str:
        """The largest difference of outputs, and what was allowed."""
        allowed = "not bounded for INT8" if self.tolerance is None else f"allowed {self.tolerance:.2g}"
        return f"{self.max_difference:.2g} ({allowed})"


class Deployment(BaseModel):
    """The outcome of deployment.

    Attributes:
        asked: what the request asked for; `engine` is what was delivered.
        files: SHA-256 of each file of the bundle, by its path in it; empty in records of older versions.
        notes: why they differ, and other sentences for the report.
        quantization: the INT8 model that was made beside the float model; None = none was.
        policy: what the run was asked for about INT8.
    """

    model_config = ConfigDict(frozen=True)

    bundle: RunPath
    asked: Engine
    engine: Engine
    device: Device
    verification: Verification
    limits: tuple[LimitCheck, ...]
    notes: tuple[str, ...] = ()
    files: dict[InnerName, str] = {}
    quantization: Quantization | None = None
    policy: QuantizePolicy = QuantizePolicy()

    def summary(self) -> str:
        """One line: the engine, whether it agrees with PyTorch, its speed."""
        agrees = "agrees with PyTorch" if self.verification.agrees else "DIFFERS from PyTorch"
        engine = f"{self.engine}, INT8" if self.verification.precision == "int8" else self.engine
        return f"{engine}: {agrees}, {self.verification.p50_ms:.1f} ms/image"
