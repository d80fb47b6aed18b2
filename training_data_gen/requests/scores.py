"""Where a handwritten text states the quality asked for: the names of metrics and their values."""

from __future__ import annotations

import re

from autommlab.tasks import canonical_metric
from autommlab.understanding.text import ONES
from training_data_gen.requests.corpus import Written
from training_data_gen.requests.numbers import NUMBER, number_value, same_number
from training_data_gen.requests.slots import Claims, Slot

_I = re.IGNORECASE
_DIGITS = {word: number for number, word in enumerate(ONES[:10])}
_DIGIT = "|".join(_DIGITS)
_WHOLES = {"five": 5.0, "ten": 10.0, "twenty": 20.0, "a hundred": 100.0, "5": 5.0, "10": 10.0, "20": 20.0, "100": 100.0}
_PARTS = {"third": 3.0, "quarter": 4.0, "fifth": 5.0, "tenth": 10.0}
_SCORE = re.compile(
    rf"(?P<few>{_DIGIT}|\d) (?P<part>thirds|quarters|fifths|tenths)\b|(?P<half>half)\b"
    rf"|(?:zero )?(?:point|comma) (?P<after>(?:{_DIGIT})(?:[ -](?:{_DIGIT}))?)\b"
    rf"|(?P<n>{NUMBER})(?:(?: times| pixels)? (?:out of|of|in|on)(?: each| every)? (?P<of>{'|'.join(_WHOLES)})\b)?"
    r"(?P<p>\s?(?:%|percent\b|per cent\b|percnt\b))?",
    _I,
)
#: The other end of a range.
_UPPER = re.compile(r" ?(?:to|-) ?\d+(?:\.\d+)? ?%?")
_NAME = re.compile(
    r"(?<![\w-])(?:top-?[15] acc(?:uracy)?|pixel acc(?:uracy)?|acc(?:uracy)?|precision|recall|sensitivity|"
    r"F1[ -]score|F1|mean average precision|average precision|average recall|mAP|AP50|AP|AR|mean IoU|"
    r"intersection over union|mIoU|IoU|"
    r"Dice coefficient|Dice|PCK(?:@0\.1)?|AUC|normali[sz]ed mean error|NME)(?![\w-])",
    _I,
)
#: Characters between a metric's name and its value, up to which another name may take its place.
_NEAR = 25
_TOO_FAR = 90
#: After this a metric's name explains another word, which would stay.
_EXPLAINS = re.compile(r"(?:\(|\bso |meaning )$")


def score_spans(claims: Claims, written: Written) -> None:
    """Claim the values of all metrics and the names next to them; nothing if a value is not found."""
    metrics = written.parse.model.metrics
    names = [(m, canonical_metric(m.group().replace("@0.1", ""))) for m in _NAME.finditer(written.text)]
    found: list[tuple[re.Match[str], re.Match[str] | None]] = []
    for metric in metrics:
        own = [match for match, name in names if name == metric.name]
        values = [
            match
            for match in _SCORE.finditer(written.text)
            if _is(match, metric.value)
            and not any(match.start() < span.end and span.start < match.end() for span in claims)
            and all(match.span() != taken.span() for taken, _ in found)
        ]
        if not values or (not own and len(values) > 1):
            return
        value = min(values, key=lambda v: min((_gap(v, name) for name in own), default=0))
        name = min(own, key=lambda n: _gap(value, n), default=None)
        if name is not None and _gap(value, name) > _TOO_FAR and len(values) > 1:
            return
        found.append((value, name))
    for number, (value, name) in enumerate(found):
        upper = _UPPER.match(written.text, value.end())
        end = upper.end() if upper else value.end()
        claims.claim(value.start(), end, Slot("score", number, written.text[value.start() : end]))
        alone = name is not None and sum(m == metrics[number].name for _, m in names) == 1
        if (
            name is not None
            and alone
            and _gap(value, name) <= _NEAR
            and not _EXPLAINS.search(written.text[: name.start()])
        ):
            claims.claim(*name.span(), Slot("metric", number, name.group()))


def _is(match: re.Match[str], wanted: float) -> bool:
    if match.string.startswith(" times", match.end()):
        return False
    if (stated := _in_words(match)) is not None:
        return same_number(stated, wanted)
    value = number_value(match["n"])
    if value is None:
        return False
    if match["of"]:
        return same_number(value / _WHOLES[match["of"].lower()], wanted)
    return same_number(value / 100, wanted) or (not match["p"] and same_number(value, wanted))


def _in_words(match: re.Match[str]) -> float | None:
    """Of "half", "three quarters", "zero point nine"; None for others. Thirds are labelled with three decimals."""
    if match["half"]:
        return 0.5
    if match["part"]:
        few = match["few"].lower()
        return round(float(_DIGITS.get(few, few)) / _PARTS[match["part"].lower().removesuffix("s")], 3)
    if match["after"]:
        return float("0." + "".join(str(_DIGITS[word]) for word in re.split("[ -]", match["after"].lower())))
    return None


def _gap(one: re.Match[str], other: re.Match[str]) -> int:
    return max(other.start() - one.end(), one.start() - other.end(), 0)
