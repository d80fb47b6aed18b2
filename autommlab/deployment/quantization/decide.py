"""Whether INT8 is tried, and whether it is delivered: rules over measured figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from autommlab.deployment.quantization.records import Pair
from autommlab.settings import Quantize, QuantizePolicy
from autommlab.tasks import MeasuredMetric

#: An INT8 model that keeps less than this of the float model's figure is broken, however fast it is.
_LEAST_KEPT = 0.5


class Decision(NamedTuple):
    """Whether INT8 is delivered; why, as a sentence; whether that is a warning."""

    deliver: bool
    reason: str
    warns: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What is decided by. VAL alone: TEST only tells.

    Attributes:
        figure: that is compared.
        val: the figure on VAL, through either bundle.
        ms: median latency of an image, of either bundle.
        longest_ms: what the request allows, None = nothing said.
        wanted: what the request asks of the figure, None = nothing.
    """

    figure: MeasuredMetric
    val: Pair
    ms: Pair
    longest_ms: float | None = None
    wanted: float | None = None

    @property
    def loss(self) -> float:
        """What INT8 loses of the figure."""
        return self.figure.lost(self.val.float32, self.val.int8)

    @property
    def breaks_figure(self) -> bool:
        """Whether INT8 misses what the float model reaches, or is useless."""
        if self.figure.higher_is_better and self.val.int8 < _LEAST_KEPT * self.val.float32:
            return True
        return self.wanted is not None and self._reaches(self.val.float32) and not self._reaches(self.val.int8)

    def _reaches(self, value: float) -> bool:
        return self.wanted is None or self.figure.lost(self.wanted, value) <= 0

    def in_time(self, ms: float) -> bool:
        """Whether a latency keeps the limit."""
        return self.longest_ms is None or ms <= self.longest_ms


def reason_to_try(policy: QuantizePolicy, float_ms: float, longest_ms: float | None) -> str:
    """Why an INT8 model is made, "" if none is.

    Args:
        policy: of the run.
        float_ms: median latency of the float model.
        longest_ms: what the request allows.
    """
    if policy.when is Quantize.ALWAYS:
        return "INT8 was asked for (--quantize always)"
    if policy.when is Quantize.AUTO and longest_ms is not None and float_ms > longest_ms:
        return f"The float model takes {float_ms:.4g} ms an image, {longest_ms:.4g} ms were asked for"
    return ""


def decide(policy: QuantizePolicy, found: Measured) -> Decision:
    """Deliver INT8, or the float model.

    - INT8 that loses no more than allowed is delivered, unless it breaks a limit on speed that the float model keeps;
      where it was not asked for, only if it keeps the limit that it was made for.
    - INT8 that loses more is delivered only where it alone keeps the limit on speed, and does not miss a figure that
      was asked for and that the float model reaches.
    """
    change = f"loses {found.loss:.4f}" if found.loss >= 0 else f"gains {-found.loss:.4f}"
    lost = f"{change} of {found.figure.name} on val (a loss of {policy.most_loss:g} is allowed)"
    float_in_time, int8_in_time = found.in_time(found.ms.float32), found.in_time(found.ms.int8)
    limit = f"{found.longest_ms:.4g} ms" if found.longest_ms is not None else ""
    if found.loss > policy.most_loss:
        if float_in_time or not int8_in_time:
            return Decision(False, f"The float model is delivered: INT8 {lost}.", True)
        if found.breaks_figure:
            words = f"INT8 alone keeps the limit of {limit}, but it {lost} and is no use: the float model is delivered."
            return Decision(False, words, True)
        return Decision(True, f"INT8 is delivered, as it alone keeps the limit of {limit}, although it {lost}.", True)
    if float_in_time and not int8_in_time:
        words = f"The float model is delivered: INT8 takes {found.ms.int8:.4g} ms an image and misses {limit}."
        return Decision(False, words, True)
    if policy.when is Quantize.AUTO and not int8_in_time:
        words = f"The float model is delivered: INT8 takes {found.ms.int8:.4g} ms an image and misses {limit}, too."
        return Decision(False, words, False)
    return Decision(True, f"INT8 is delivered: it {lost}.", False)
