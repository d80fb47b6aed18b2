"""`ModelRequest`: what a person asked for, in the LAMP schema (arXiv 2402.15351).

All fields are always there; an unspecified number is 0 with the unit "none".
The same model validates a parse, exports the JSON schema for constrained
decoding and normalises units (`limits`).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from autommlab.common.errors import RequestError, shown_value
from autommlab.common.jsonl import json_value
from autommlab.tasks import Task, canonical_metric, measured_metric


class SpeedUnit(StrEnum):
    """Units of a demand on inference: time per image, or images per second."""

    MS = "ms"
    S = "s"
    MIN = "min"
    H = "h"
    FPS = "fps"
    NONE = "none"


class FlopsUnit(StrEnum):
    """Units of floating-point operations for one image."""

    FLOPS = "FLOPs"
    KFLOPS = "KFLOPs"
    MFLOPS = "MFLOPs"
    GFLOPS = "GFLOPs"
    TFLOPS = "TFLOPs"
    PFLOPS = "PFLOPs"
    EFLOPS = "EFLOPs"
    NONE = "none"


class ParametersUnit(StrEnum):
    """Units of a count of parameters."""

    K = "K"
    M = "M"
    B = "B"
    NONE = "none"


class Device(StrEnum):
    """Where the deployed model has to run."""

    CPU = "cpu"
    GPU = "gpu"
    NONE = "none"


class Engine(StrEnum):
    """Inference engine asked for."""

    ONNXRUNTIME = "onnxruntime"
    NCNN = "ncnn"
    OPENVINO = "openvino"
    NONE = "none"


_MILLISECONDS = {SpeedUnit.MS: 1.0, SpeedUnit.S: 1e3, SpeedUnit.MIN: 60e3, SpeedUnit.H: 3600e3}
_FLOPS_IN_G = {unit: 10.0 ** (3 * power - 9) for power, unit in enumerate(list(FlopsUnit)[:-1])}
_PARAMETERS_IN_M = {ParametersUnit.K: 1e-3, ParametersUnit.M: 1.0, ParametersUnit.B: 1e3}

#: Of a value that is refused, in the message.
_SHOWN_CHARACTERS = 200

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Quantity(_Record):
    """A number with a unit; 0 and "none" belong together."""

    @model_validator(mode="after")
    def _zero_means_unspecified(self) -> _Quantity:
        value, unit = getattr(self, "value"), getattr(self, "unit")  # noqa: B009
        if (value == 0) != (unit == "none"):
            raise ValueError(
                f'value {value} with unit "{unit}": an unspecified quantity is 0 with unit "none", '
                "a specified one is above 0 with a unit"
            )
        return self


class Speed(_Quantity):
    """Demand on inference: at most so much time an image, or at least so many images a second."""

    value: Amount = 0
    unit: SpeedUnit = SpeedUnit.NONE

    def ms_per_image(self) -> float | None:
        """Longest time allowed for one image in milliseconds, None where nothing was asked."""
        if self.unit is SpeedUnit.NONE:
            return None
        if self.unit is SpeedUnit.FPS:
            return 1e3 / self.value
        return self.value * _MILLISECONDS[self.unit]

    def fps(self) -> float | None:
        """Smallest number of images a second, None where nothing was asked."""
        ms = self.ms_per_image()
        return None if ms is None else 1e3 / ms

    def normalised(self) -> Speed:
        """The same demand in ms per image."""
        ms = self.ms_per_image()
        return self if ms is None else Speed(value=ms, unit=SpeedUnit.MS)


class Flops(_Quantity):
    """Most floating-point operations allowed for one image."""

    value: Amount = 0
    unit: FlopsUnit = FlopsUnit.NONE

    def giga(self) -> float | None:
        """The limit in GFLOPs, None where nothing was asked."""
        return None if self.unit is FlopsUnit.NONE else self.value * _FLOPS_IN_G[self.unit]

    def normalised(self) -> Flops:
        """The same limit in GFLOPs."""
        giga = self.giga()
        return self if giga is None else Flops(value=giga, unit=FlopsUnit.GFLOPS)


class Parameters(_Quantity):
    """Most parameters allowed."""

    value: Amount = 0
    unit: ParametersUnit = ParametersUnit.NONE

    def millions(self) -> float | None:
        """The limit in millions, None where nothing was asked."""
        return None if self.unit is ParametersUnit.NONE else self.value * _PARAMETERS_IN_M[self.unit]

    def normalised(self) -> Parameters:
        """The same limit in millions."""
        millions = self.millions()
        return self if millions is None else Parameters(value=millions, unit=ParametersUnit.M)


class Metric(_Record):
    """A quality asked for: a canonical metric name and a bound between 0 and 1, an upper one for errors such as NME."""

    name: str = Field(min_length=1, max_length=60)
    value: Annotated[float, Field(ge=0, le=1)]

    @field_validator("name")
    @classmethod
    def _canonical(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("the name of a metric must not be blank")
        return canonical_metric(name)


Text = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=120)]


class DataPart(_Record):
    """What the model has to see: target things, scene, kind of picture, data sets asked for."""

    description: Text = ""
    scenario: Text = ""
    object: tuple[Name, ...] = ()
    modality: Text = "rgb"
    specific: tuple[Name, ...] = ()


class ModelPart(_Record):
    """Task, a model asked for by name, limits on cost, and the quality asked for."""

    description: Text = ""
    task: Task
    specific_model: Name = "none"
    speed: Speed = Speed()
    flops: Flops = Flops()
    parameters: Parameters = Parameters()
    metrics: tuple[Metric, ...] = ()


class DeployPart(_Record):
    """Target device and inference engine."""

    description: Text = ""
    gpu: Device = Device.NONE
    inference_engine: Engine = Field(default=Engine.NONE, alias="inference engine")


class ModelRequest(_Record):
    """A whole request. See `../shared/labelling.md` of the project for how one is labelled."""

    data: DataPart
    model: ModelPart
    deploy: DeployPart = DeployPart()

    def normalised(self) -> ModelRequest:
        """The same request with parameters in M, FLOPs in G and speed in ms per image."""
        part = self.model
        model = part.model_copy(
            update={
                "speed": part.speed.normalised(),
                "flops": part.flops.normalised(),
                "parameters": part.parameters.normalised(),
            }
        )
        return self.model_copy(update={"model": model})

    def rows(self) -> list[tuple[str, str]]:
        """Field and value in words, "" where nothing is asked."""
        data, model, deploy = self.data, self.model, self.deploy
        return [
            ("Task", model.task.value),
            ("Objects", ", ".join(data.object)),
            ("Scene", data.scenario),
            ("Kind of picture", data.modality),
            ("Data sets named", ", ".join(data.specific)),
            ("Model named", _asked(model.specific_model)),
            ("Quality", ", ".join(_bound(model.task, metric) for metric in model.metrics)),
            ("Parameters", _limit("at most", model.parameters)),
            ("Computation", _limit("at most", model.flops)),
            ("Speed", _limit("at least" if model.speed.unit == "fps" else "at most", model.speed)),
            ("Device", _asked(deploy.gpu.value)),
            ("Inference engine", _asked(deploy.inference_engine.value)),
        ]

    def summary(self) -> str:
        """One line: task, things, and what else is asked."""
        things = ", ".join(self.data.object) or "all classes"
        asked = [f"{name.lower()} {value}" for name, value in self.rows()[2:] if value and value != "rgb"]
        return "; ".join([f"{self.model.task}: {things}", *asked])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-ready dict under the schema's own field names."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def parse(cls, value: str | bytes | dict[str, Any]) -> ModelRequest:
        """Validate JSON text or a dict.

        Raises:
            RequestError: lists every problem with its field, the value and what is allowed.
        """
        try:
            data = json_value(value) if isinstance(value, str | bytes) else value
        except ValueError as error:
            raise RequestError(f"the parse is not valid JSON: {error}") from error
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RequestError(_all_problems(error)) from error

    @classmethod
    def read(cls, path: Path) -> ModelRequest:
        """Read a parse from a JSON file.

        Raises:
            RequestError: the file is missing, unreadable or not a valid parse.
        """
        try:
            return cls.parse(path.read_bytes())
        except OSError as error:
            raise RequestError(f"cannot read the parse {path}: {error.strerror}") from error
        except RequestError as error:
            raise RequestError(f"{path}: {error}") from error


def _all_problems(error: ValidationError) -> str:
    lines = [f"the request has {error.error_count()} problem(s):"]
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"]) or "request"
        given = problem.get("input")
        shown = "" if isinstance(given, dict) else f" (got {shown_value(given)[:_SHOWN_CHARACTERS]})"
        lines.append(f"  {field}: {problem['msg']}{shown}")
    return "\n".join(lines)


def _bound(task: Task, metric: Metric) -> str:
    figure = measured_metric(task, metric.name)
    least = figure is None or figure.higher_is_better
    return f"{metric.name} at {'least' if least else 'most'} {metric.value:g}"


def _asked(value: str) -> str:
    return "" if value == "none" else value


def _limit(words: str, quantity: Any) -> str:
    return "" if quantity.unit == "none" else f"{words} {quantity.value:g} {quantity.unit}"
