"""Where a handwritten text states the quality asked for: the names of metrics and their values."""

from __future__ import annotations

import re

from autommlab.metrics import canonical_metric
from training_data_gen.requests.corpus import Written
from training_data_gen.requests.numbers import NUMBER, same, value_of
from training_data_gen.requests.slots import Claims, Slot

_I = re.IGNORECASE
_SCORE = re.compile(
    rf"(?P<n>{NUMBER})(?: out of (?P<of>ten|10|100)| in (?P<of2>ten))?(?P<p>\s?(?:%|percent\b|per cent\b|percnt\b))?"
    r"|(?P<words>three quarters|half)\b",
    _I,
)
#: The other end of a range.
_UPPER = re.compile(r" ?(?:to|-) ?\d+(?:\.\d+)? ?%?")
_FRACTIONS = {"three quarters": 0.75, "half": 0.5}
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
    if match["words"]:
        return same(_FRACTIONS[match["words"].lower()], wanted)
    value = value_of(match["n"])
    if value is None:
        return False
    of = {"ten": 10.0, "10": 10.0, "100": 100.0, None: None}[match["of"] or match["of2"]]
    if of is not None:
        return same(value / of, wanted)
    return same(value / 100, wanted) or (not match["p"] and same(value, wanted))


def _gap(one: re.Match[str], other: re.Match[str]) -> int:
    return max(other.start() - one.end(), one.start() - other.end(), 0)
