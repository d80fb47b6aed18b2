"""What a text asks for and its parse does not hold.

What reads as a demand and is not used, or used otherwise than it is said, becomes a `Doubt`, which a person is asked
about. Other amounts and names that no field holds (a camera's rate, a refused data set) are only listed.
"""

from __future__ import annotations

import math

from autommlab.understanding.outcome import Doubt
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.reverse_check import amounts, jobs, names, scores
from autommlab.understanding.reverse_check.mentions import Mention, mentions, numbers

#: Of a number to the value that it is said for: percent, K, M, B.
_SCALES = (1.0, 1e2, 1e3, 1e6, 1e9)


def doubts(text: str, request: ModelRequest) -> tuple[Doubt, ...]:
    """What a person should be asked about, in the order of the schema.

    Args:
        text: as `clean` leaves it.
        request: the parse, without what the text does not bear out.
    """
    found = mentions(text)
    checks = (
        jobs.doubts(text, request),
        names.doubts(text, request, found),
        amounts.doubts(text, request, found),
        scores.doubts(text, request, found),
    )
    once: dict[tuple[str, str], Doubt] = {}
    for check in checks:
        for doubt in check:
            once.setdefault((doubt.field, doubt.about), doubt)
    return tuple(once.values())


def not_used(text: str, request: ModelRequest, told: tuple[Doubt, ...] = ()) -> tuple[str, ...]:
    """Numbers, amounts, engines, devices, models and data sets of the text, as written, that no field of it holds.

    Args:
        text: as `clean` leaves it.
        request: the parse.
        told: doubts, whose words are left out.
    """
    words = {doubt.about for doubt in told}
    named = mentions(text)
    found = sorted((*named, *numbers(text, named)), key=lambda mention: mention.start)
    left = [mention.words for mention in found if mention.words not in words and not _is_used(mention, request)]
    return tuple(dict.fromkeys(left))


def _is_used(mention: Mention, request: ModelRequest) -> bool:
    held = (amounts.is_used, scores.is_used, names.is_used, _is_value)
    return any(is_used(mention, request) for is_used in held)


def _is_value(mention: Mention, request: ModelRequest) -> bool:
    """Whether a number without a unit is the value of any field, or part of a name of one."""
    model = request.model
    limits = (model.speed, model.flops, model.parameters)
    values = [*(limit.value for limit in limits), *(metric.value for metric in model.metrics)]
    named = " ".join((*request.data.object, request.data.scenario, *request.data.specific, model.specific_model))
    return mention.field == "number" and (
        any(math.isclose(read, value * scale) for read in mention.values for value in values for scale in _SCALES)
        or mention.words.split()[0] in named.split()
    )
