"""Typed records of the deployment stage."""

from pydantic import BaseModel, ConfigDict

from autommlab.common.run_path import InnerName, RunPath
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
        tolerance: what was allowed.
        input_difference: largest absolute difference of the network inputs that the bundle and the
            toolbox make of the same file, in normalised units.
        metric: canonical name of the figure that was searched for.
        torch_metric, bundle_metric: that figure on TEST through PyTorch and through the bundle's `predict.py`.
        p50_ms, p95_ms: latency of one image (engine only, batch 1) in milliseconds.
        end_to_end_p50_ms: the same with pre- and post-processing.
        memory_mb: peak resident memory of a process that runs the bundle, MB.
        agrees: outputs and metric within tolerance.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    max_difference: float
    tolerance: float
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


class Deployment(BaseModel):
    """The outcome of deployment.

    Attributes:
        asked: what the request asked for; `engine` is what was delivered.
        files: SHA-256 of each file of the bundle, by its path in it; empty in records of older versions.
        notes: why they differ, and other sentences for the report.
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

    def summary(self) -> str:
        """One line: the engine, whether it agrees with PyTorch, its speed."""
        agrees = "agrees with PyTorch" if self.verification.agrees else "DIFFERS from PyTorch"
        return f"{self.engine}: {agrees}, {self.verification.p50_ms:.1f} ms/image"
