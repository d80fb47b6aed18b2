"""Scores of a text ("mAP over 0.5", "90 % accuracy") against the metrics of its parse."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from autommlab.tasks import measured_metric
from autommlab.understanding.outcome import Doubt
from autommlab.understanding.request import Metric, ModelRequest
from autommlab.understanding.reverse_check.contexts import is_aside
from autommlab.understanding.reverse_check.mentions import Mention, free_amounts

_CLOSE = 0.01
_PERCENT = 100.0
_BELOW = re.compile(r"\b(?:below|under|less than|lower than|at most|no more than|not more than)\b|<=?|\u2264")
#: "We cannot accept an accuracy below 99 %" asks for the least all the same.
_REJECTS = re.compile(
    r"\b(?:cannot|can't|not|never|no|don't|won't|drops?|falls?|reject|unacceptable|useless|fail|if|anything|nothing)\b"
)


def doubts(text: str, request: ModelRequest, found: Sequence[Mention]) -> Iterator[Doubt]:
    """Scores that are not used, used otherwise, above 1, or upper limits."""
    own = [mention for mention in found if mention.field == "metrics"]
    beyond = [mention for mention in own if _is_beyond(mention)]
    for mention in beyond:
        said = f'"{mention.words}" is more than all: figures end at 1, or 100 %'
        yield Doubt(field="metric", about=mention.words, says=said, choices=(_without(request, mention),))
    stated = [mention for mention in own if mention not in beyond and mention.values[0] > 0]
    for mention in stated:
        yield from _upper(mention, text, request)
    yield from _unused(text, request, stated)


def is_used(mention: Mention, request: ModelRequest) -> bool:
    """Whether the request holds the score, under whatever name."""
    return mention.field == "metrics" and _holds([metric.value for metric in request.model.metrics], mention)


def _unused(text: str, request: ModelRequest, stated: list[Mention]) -> Iterator[Doubt]:
    metrics = request.model.metrics
    free = list(free_amounts(text, stated))
    values = [metric.value for metric in metrics]
    for mention in stated:
        named = [metric for metric in metrics if metric.name == mention.unit]
        if named:
            others = [other for other in stated if other.unit == mention.unit]
            told_here = any(_holds([metric.value for metric in named], other) for other in others)
            if not told_here and not any(_is_close(number, value) for number in free for value in values):
                said = f'"{mention.words}" became {named[0].name} {named[0].value:g}'
                yield Doubt(field="metric", about=mention.words, says=said, choices=(_with(request, mention),))
                return
        elif not (_holds(values, mention) or _is_alike(mention, metrics) or is_aside(mention, text)):
            said = f'"{mention.words}" is not used'
            yield Doubt(field="metric", about=mention.words, says=said, choices=(_with(request, mention),))


def _is_beyond(mention: Mention) -> bool:
    value = mention.values[0]
    return value > _PERCENT or (
        1 < value < 2 and "%" not in mention.words and re.search(r"1[.,]\d", mention.words) is not None
    )


def _upper(mention: Mention, text: str, request: ModelRequest) -> Iterator[Doubt]:
    figure = measured_metric(request.model.task, mention.unit)
    is_error = mention.unit == "NME" or "error" in mention.unit or (figure is not None and not figure.higher_is_better)
    words = mention.words.casefold()
    below = _BELOW.search(words)
    if is_error or below is None or _REJECTS.search(mention.before(text) + words[: below.start()]):
        return
    said = f'"{mention.words}": a request can hold only the least {mention.unit} that is allowed, not the most'
    yield Doubt(field="metric", about=mention.words, says=said, choices=(_without(request, mention),))


def _is_alike(mention: Mention, metrics: Sequence[Metric]) -> bool:
    """Whether the request has the same figure under a neighbour's name: AP, mAP, AP50."""
    return _stem(mention.unit) in {_stem(metric.name) for metric in metrics}


def _stem(name: str) -> str:
    return name.casefold().removeprefix("m").removesuffix("50").removesuffix("75")


def _with(request: ModelRequest, mention: Mention) -> str:
    """The metrics with the mention's in the place of the one of its name."""
    value = mention.values[0]
    score = f"{mention.unit} {value / _PERCENT if value > 1 else value:g}"
    return ", ".join([*_others(request, mention), score])


def _without(request: ModelRequest, mention: Mention) -> str:
    return ", ".join(_others(request, mention)) or "none"


def _others(request: ModelRequest, mention: Mention) -> list[str]:
    return [f"{metric.name} {metric.value:g}" for metric in request.model.metrics if metric.name != mention.unit]


def _holds(values: Sequence[float], mention: Mention) -> bool:
    return any(_is_close(read, value) for read in mention.values for value in values)


def _is_close(read: float, value: float) -> bool:
    return any(math.isclose(read * scale, value, rel_tol=_CLOSE) for scale in (1.0, 1 / _PERCENT))
