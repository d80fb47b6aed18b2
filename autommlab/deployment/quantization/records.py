"""What came of INT8."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

#: Of the numbers that the layers of a delivered model compute with.
Precision = Literal["float32", "int8"]


class Pair(BaseModel):
    """A figure of the float model and of the INT8 model, in the same engine."""

    model_config = ConfigDict(frozen=True)

    float32: float
    int8: float


class Tried(BaseModel):
    """A part of the network that was quantised.

    Attributes:
        scope: in words.
        float_layers: how many layers with weights were left in float.
        val: figure on VAL; None where it could not be run.
        problem: why, "" if it ran.
    """

    model_config = ConfigDict(frozen=True)

    scope: str
    float_layers: int
    val: float | None
    problem: str = ""


class Quantization(BaseModel):
    """The INT8 model beside the float model.

    Attributes:
        delivered: whether the bundle holds it; the float model otherwise.
        reason: of that, one sentence.
        metric: canonical name of the compared figure, that of the study.
        loss: what INT8 loses of it on VAL, a fraction; negative where it gains.
        most_loss: what was allowed.
        val, test: that figure through either bundle.
        val_images, test_images: over which.
        p50_ms: of the engine alone, measured in turns in one process.
        speedup: median of float over INT8 time of neighbouring runs; above 1 = INT8 is faster.
        size_mb: of the model's files, 10^6 bytes.
        calibrated_on: training pictures.
        scope: the part of the network that is quantised, in words.
        int8_layers: how many layers with weights compute with integers.
        float_layers: names of those that do not. Whatever follows the last layer is in float, too.
        tried: parts in the order in which they were tried; VAL decided.
    """

    model_config = ConfigDict(frozen=True)

    delivered: bool
    reason: str
    metric: str
    loss: float
    most_loss: float
    val: Pair
    test: Pair
    val_images: int
    test_images: int
    p50_ms: Pair
    speedup: float
    size_mb: Pair
    calibrated_on: int
    scope: str
    int8_layers: int
    float_layers: tuple[str, ...]
    tried: tuple[Tried, ...]

    def rows(self) -> tuple[tuple[str, float, float], ...]:
        """What is compared: (what, float32, INT8)."""
        named = (
            (f"{self.metric} on {self.val_images} val images", self.val),
            (f"{self.metric} on {self.test_images} test images", self.test),
            ("p50 latency of the engine, ms", self.p50_ms),
            ("size of the model, MB", self.size_mb),
        )
        return tuple((name, pair.float32, pair.int8) for name, pair in named)

    @property
    def speed_in_words(self) -> str:
        """Which of the two is faster, by how much."""
        if self.speedup >= 1:
            return f"INT8 is {self.speedup:.2f} times as fast"
        return f"INT8 is slower, it takes {1 / self.speedup:.2f} times as long"
