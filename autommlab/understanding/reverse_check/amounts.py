"""Times, rates, parameters, FLOPs and storage of a text against the limits of its parse."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from autommlab.understanding.answer import NONE
from autommlab.understanding.outcome import Doubt
from autommlab.understanding.request import (
    Flops,
    FlopsUnit,
    ModelRequest,
    Parameters,
    ParametersUnit,
    Speed,
    SpeedUnit,
)
from autommlab.understanding.reverse_check.contexts import (
    bound_words,
    is_aside,
    is_demanded_speed,
    is_elsewhere,
    is_least,
    is_limit,
    is_most,
)
from autommlab.understanding.reverse_check.mentions import Mention, free_amounts

Limit = Speed | Flops | Parameters

_CLOSE = 1e-3
_SCALES = {"K": 1e3, "M": 1e6, "B": 1e9, "MFLOPs": 1e6, "GFLOPs": 1e9, "TFLOPs": 1e12}
#: A mark before three digits sets thousands apart as often as decimals.
_GROUP = re.compile(r"(?<![\d.,])[1-9]\d{0,2}[.,]\d{3}(?![.,]?\d)")
_LARGEST_DECIMAL = 1000
_BYTES = {"k": 1e3, "m": 1e6, "g": 1e9}
#: Of a parameter as it is stored.
_PARAMETER_BYTES = 4


def doubts(text: str, request: ModelRequest, found: Sequence[Mention]) -> Iterator[Doubt]:
    """Amounts that are not used, used otherwise, or in a direction that a request cannot hold."""
    model = request.model
    yield from _speed(text, model.speed, [mention for mention in found if mention.field == "speed"])
    limits: tuple[tuple[str, Flops | Parameters], ...] = (("flops", model.flops), ("parameters", model.parameters))
    for field, limit in limits:
        yield from _limit(field, text, limit, [mention for mention in found if mention.field == field])
    yield from _storage(text, [mention for mention in found if mention.field == "size"])


def is_used(mention: Mention, request: ModelRequest) -> bool:
    """Whether the request holds the amount."""
    limits: dict[str, Limit] = {
        "speed": request.model.speed, "flops": request.model.flops, "parameters": request.model.parameters,
    }  # fmt: skip
    limit = limits.get(mention.field)
    return limit is not None and _is_same(mention, limit)


def _speed(text: str, speed: Speed, own: list[Mention]) -> Iterator[Doubt]:
    if speed.unit is SpeedUnit.NONE:
        yield from _unused([mention for mention in own if is_demanded_speed(mention, text)])
        return
    same = [mention for mention in own if _is_same(mention, speed)]
    slips = [mention for mention in own if is_limit(mention, text) or _is_slip(mention, speed)]
    if not same and slips and not _said_freely(text, speed, own):
        yield _other(slips, speed)
    elif same and all(is_elsewhere(mention, text) for mention in same):
        told = same[-1].words
        said = f'"{told}" was taken for a demand on speed; it reads like what a camera does or people need'
        yield Doubt(field="speed", about=told, says=said, choices=(NONE,))
    else:
        yield from _grouped(same, speed)
    for mention in same:
        if speed.unit is not SpeedUnit.FPS and is_least(mention, text):
            yield _one_way(mention, text, "the longest time that an image may take, not the shortest")
        if speed.unit is SpeedUnit.FPS and is_most(mention, text):
            yield _one_way(mention, text, "the fewest images a second, not the most")


def _limit(field: str, text: str, limit: Flops | Parameters, own: list[Mention]) -> Iterator[Doubt]:
    least = [mention for mention in own if is_least(mention, text)]
    for mention in least:
        yield _one_way(mention, text, f"the most {field} that are allowed, not the least")
    if limit.unit == NONE:
        yield from _unused([mention for mention in own if mention not in least and not is_aside(mention, text)])
        return
    same = [mention for mention in own if _is_same(mention, limit)]
    if own and not same and not _said_freely(text, limit, own):
        yield _other(own, limit)
    else:
        yield from _grouped(same, limit)


def _unused(demanded: list[Mention]) -> Iterator[Doubt]:
    for mention in demanded[-1:]:
        yield Doubt(
            field=mention.field, about=mention.words, says=f'"{mention.words}" is not used', choices=_written([mention])
        )


def _other(own: list[Mention], limit: Limit) -> Doubt:
    told, field = own[-1].words, own[-1].field
    said = f'"{told}" became {field} {limit.value:g} {limit.unit}'
    return Doubt(field=field, about=told, says=said, choices=_written(own[-2:]))


def _written(own: list[Mention]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{m.values[0]:g} {m.unit}" for m in own if m.values and m.unit))


def _one_way(mention: Mention, text: str, held: str) -> Doubt:
    said = f'"{bound_words(mention, text)}": a request can hold only {held}'
    return Doubt(field=mention.field, about=mention.words, says=said, choices=(NONE,))


def _grouped(same: list[Mention], limit: Limit) -> Iterator[Doubt]:
    value, unit = limit.value, limit.unit
    if value >= _LARGEST_DECIMAL or value == int(value):
        return
    for mention in same[-1:]:
        if _GROUP.search(mention.words):
            said = f'"{mention.words}" was read as {value:g} {unit}; the mark may set thousands apart'
            yield Doubt(
                field=mention.field, about=mention.words, says=said, choices=(f"{value * _LARGEST_DECIMAL:g} {unit}",)
            )


def _storage(text: str, own: list[Mention]) -> Iterator[Doubt]:
    for mention in own:
        of_model = re.match(r"\s*-?(?:model|network|limit|max|budget|or less|at most)", mention.after(text))
        if not is_limit(mention, text) and not of_model:
            continue
        said = (
            f'"{mention.words}" is a limit of storage, which a request cannot hold; a limit of parameters can '
            f"(a parameter takes {_PARAMETER_BYTES} bytes)"
        )
        held = mention.values[0] * _BYTES[mention.unit[0].casefold()] / _PARAMETER_BYTES / 1e6
        yield Doubt(field="parameters", about=mention.words, says=said, choices=(f"{held:g} M",))


def _is_slip(mention: Mention, speed: Speed) -> bool:
    """Whether the parse has the mention's digits with another unit or power of ten."""
    decades = [math.log10(speed.value / value) for value in mention.values if value]
    return any(math.isclose(decade, round(decade), abs_tol=1e-6) for decade in decades)


def _said_freely(text: str, limit: Limit, own: list[Mention]) -> bool:
    """Whether the number stands elsewhere in the text without a unit of its own: "4 M parameters, no, 3 M"."""
    wanted = (limit.value, limit.value * _SCALES.get(limit.unit, 1.0))
    return any(math.isclose(number, value, rel_tol=_CLOSE) for number in free_amounts(text, own) for value in wanted)


def _is_same(mention: Mention, limit: Limit) -> bool:
    return limit.unit != NONE and any(_is_same_amount(value, mention.unit, limit) for value in mention.values if value)


def _is_same_amount(value: float, unit: str, limit: Limit) -> bool:
    wanted: float | None
    if isinstance(limit, Parameters):
        # "3,000,000 parameters" is 3 M; a bare number below a thousand is no count of parameters.
        wanted = limit.millions()
        given = Parameters(value=value, unit=ParametersUnit(unit)).millions() if unit else value / 1e6
    elif isinstance(limit, Flops):
        wanted, given = limit.giga(), Flops(value=value, unit=FlopsUnit(unit)).giga()
    elif (unit == SpeedUnit.FPS) != (limit.unit is SpeedUnit.FPS):
        return False
    else:
        wanted, given = limit.ms_per_image(), Speed(value=value, unit=SpeedUnit(unit)).ms_per_image()
    return wanted is not None and given is not None and math.isclose(wanted, given, rel_tol=_CLOSE)
