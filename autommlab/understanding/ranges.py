"""A score asked for as a range counts by its lower end ("mIoU between 0.6 and 0.7" is met by 0.6)."""

from __future__ import annotations

import math
import re

from autommlab.understanding.request import ModelRequest

_PERCENT_SIGN = r"(?:%|percent|per cent|pct)"
_BARE = r"(\d+(?:[.,]\d+)?|[.,]\d+)"
_NUMBER = rf"{_BARE}\s*{_PERCENT_SIGN}?"
_SHARE = r"(0?[.,]\d+)"
_DASH = r"\s*[-\u2013\u2014]\s*"
#: "From 0.8 to 0.9" is left alone: a demand that was raised from the one to the other reads the same. Around a dash
#: whole numbers need a percent sign, as "20-30 cows" is no score.
_RANGES = (
    re.compile(rf"\bbetween\s+{_NUMBER}\s+and\s+{_NUMBER}", re.IGNORECASE),
    re.compile(rf"(?<![\w.,]){_NUMBER}{_DASH}{_BARE}\s*{_PERCENT_SIGN}", re.IGNORECASE),
    re.compile(rf"(?<![\w.,]){_SHARE}{_DASH}{_SHARE}(?![\w.-])"),
)
_PERCENT = 100.0


def with_lower_ends(request: ModelRequest, text: str) -> ModelRequest:
    """The request, each score that is the upper end of a range in `text` replaced by that range's lower end."""
    lower = {upper: low for low, upper in _ranges(text)}
    if not lower:
        return request
    metrics = tuple(
        metric.model_copy(update={"value": _lower_end(metric.value, lower)}) for metric in request.model.metrics
    )
    return request.model_copy(update={"model": request.model.model_copy(update={"metrics": metrics})})


def _lower_end(value: float, lower: dict[float, float]) -> float:
    return next((low for upper, low in lower.items() if math.isclose(upper, value, abs_tol=1e-6)), value)


def _ranges(text: str) -> list[tuple[float, float]]:
    """(lower, upper) of each range of the text, as shares of 1."""
    found = []
    for pattern in _RANGES:
        for written in pattern.findall(text):
            low, high = (float(number.replace(",", ".")) for number in written)
            if high > 1:
                low, high = low / _PERCENT, high / _PERCENT
            if 0 < low < high <= 1:
                found.append((low, high))
    return found
