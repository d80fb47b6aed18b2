"""What a person's text says without an LLM: made fit for a prompt, its numbers, ranges, and models by name.

A help for checks, not a parser of quantities.
"""

from __future__ import annotations

import math
import re
import unicodedata

from autommlab import settings
from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

_FIGURES = re.compile(r"\d+(?:[,' ]\d{3})+(?:\.\d+)?|\d*[.,]?\d+(?:[eE][+-]?\d+)?")
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
#: Number word -> value, up to ninety.
VALUES = {word: value for value, word in enumerate(ONES)} | {word: 10 * ten for ten, word in enumerate(TENS, 2)}
_SIZES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12}
_PARTS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "eighth": 0.125, "tenth": 0.1}
#: "Twice a second" is a demand of 2.
_REPEATS = {"once": 1.0, "twice": 2.0, "thrice": 3.0}
#: "Within a second" is a limit of 1.
_TIMES = frozenset({"millisecond", "second", "sec", "minute", "min", "hour"})
#: "Zero point eight", or "zero comma eight" where that is how decimals are written.
_DECIMAL_MARKS = frozenset({"point", "comma"})
#: A share of these is allowed where the rest is demanded.
_AMISS = re.compile(r"\b(?:miss|mistake|wrong|error|los[et]|fail|overlook|confus|false)", re.IGNORECASE)
#: "two thirds" may be answered as 0.67.
_CLOSE = 0.01
#: What is less is a digit, said alone in "point nine five".
_TEN = 10
_MOST_DIGITS = 6


def named_numbers(text: str) -> set[float]:
    """Every number that the text names, with the fractions and sums that pairs of them make.

    "nine out of ten" gives 9, 10 and 0.9; "2,500" gives 2500 (and 2.5, as half of the world writes it);
    "three and a half million" gives 3, 3.5 and a million among others.
    """
    found = {value for value in _figures(text) | _words(text) if math.isfinite(value)}
    words = _lower_words(text)
    if _TIMES & set(words):
        found.add(1.0)
    if _DECIMAL_MARKS & set(words):
        found |= {value / 10 for value in found if value < 10} | {value / 100 for value in found if value < 100}
    parts = found & set(_PARTS.values())
    whole = {value for value in found if value == int(value)}
    return (
        found
        | {a / b for a in found for b in found if 0 < a < b}
        | {a + part for a in whole for part in parts}
        | {a * part for a in whole for part in parts}
    )


def names_number(text: str, value: float) -> bool:
    """Whether `value` is in the text, be it as a percentage or with a size word or prefix ("3.2 million", "0.5 k")."""
    known = named_numbers(text)
    scales = (1.0, 100.0, 0.01, 1e3, 1e6, 1e9, 1e-3, 1e-6, 1e-9)
    return any(math.isclose(value * scale, number, rel_tol=_CLOSE) for scale in scales for number in known)


def names_share(text: str, value: float) -> bool:
    """Whether a share from 0 to 1 is in the text, be it as the rest that may go wrong ("misses one in twenty")."""
    return names_number(text, value) or (bool(_AMISS.search(text)) and names_number(text, 1 - value))


def _figures(text: str) -> set[float]:
    found: set[float] = set()
    for written in _FIGURES.findall(text):
        readings = {re.sub(r"[,' ](?=\d{3})", "", written), written.replace(",", ".")}
        for reading in readings:
            try:
                found.add(float(reading))
            except ValueError:  # "2,500.5" has one reading only
                continue
    return {value for value in found if math.isfinite(value)}


def _words(text: str) -> set[float]:
    """Values of runs of number words, of each run's every part, of the parts' products, and of spoken digits.

    Figures and commas end a run: "accuracy seventy-five, 1.1 million parameters" names no 75 million.
    """
    found: set[float] = set()
    total = current = 0.0
    digits = ""
    for word in [*re.findall(r"[a-z]+|[\d,.;:]+", text.lower()), ""]:
        one = VALUES.get(word, _TEN)
        digits = (digits + str(one))[-_MOST_DIGITS:] if one < _TEN else ""
        found |= {float(digits)} if digits else set()
        if word in VALUES:
            found.add(VALUES[word])
            current += VALUES[word]
        elif word in _REPEATS:
            found.add(_REPEATS[word])
        elif word in _SIZES:
            found.add(_SIZES[word])
            current = (current or 1) * _SIZES[word]
            if word != "hundred":
                total, current = total + current, 0.0
        elif word != "and":
            found |= {_PARTS[word.removesuffix("s")]} if word.removesuffix("s") in _PARTS else set()
            found |= {total + current} if total + current else set()
            total = current = 0.0
    return found


def _lower_words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


_EXAMPLE = 'for instance "detect cats and dogs, mAP over 0.5, on a CPU"'
_MARKUP = re.compile(r"<(?=[^\s<])|\[(?=/?[A-Z_]{2,}\])")


def clean(text: str) -> str:
    """The text on single spaces, without control codes, and unable to end its own turn of the conversation.

    Chat templates mark turns by tokens such as "<|im_end|>" or "[INST]", and tokenisers take them for
    what they look like even inside a person's text. A space after the bracket keeps them plain text.

    Raises:
        RequestError: nothing but white space or punctuation, or longer than a request can be.
    """
    printable = "".join(char if char.isprintable() else " " for char in unicodedata.normalize("NFC", text))
    flat = " ".join(printable.split())
    if not flat:
        raise RequestError(f"the request is empty; say what the model has to do, {_EXAMPLE}")
    if len(flat) > settings.MAX_REQUEST_CHARACTERS:
        raise RequestError(
            f"the request has {len(flat):,} characters, at most {settings.MAX_REQUEST_CHARACTERS:,} are read; "
            f"say in a few sentences what the model has to do, {_EXAMPLE}"
        )
    if sum(char.isalpha() for char in flat) < 2:
        shown = flat if len(flat) <= 40 else flat[:40] + "..."
        raise RequestError(f"the request {shown!r} has no words; say what the model has to do, {_EXAMPLE}")
    return _MARKUP.sub(lambda bracket: bracket.group() + " ", flat)


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


#: Beginnings of names without punctuation. Backbones (ResNet, Swin, HRNet) serve all tasks, Mask R-CNN two.
_MADE_FOR = {
    Task.DETECTION: (
        "fasterrcnn", "cascadercnn", "retinanet", "ssd", "fcos", "detr", "deformabledetr", "rtdetr", "rtmdet",
        "centernet", "cornernet", "efficientdet", "atss", "tood", "yolo",
    ),
    Task.SEGMENTATION: (
        "deeplab", "unet", "pspnet", "segformer", "bisenet", "fcn", "upernet", "pidnet", "ddrnet", "stdc", "icnet",
        "segnext", "setr", "ocrnet", "fastscnn", "ccnet", "lraspp",
    ),
    Task.KEYPOINT: (
        "rtmpose", "vitpose", "hourglass", "simplebaseline", "litehrnet", "openpose", "rtmo", "alphapose", "hrformer",
        "deeplabcut",
    ),
}  # fmt: skip
#: Ends of names that make another task of a detector: "YOLOv8n-seg", "YOLO-pose", "YOLOv8-cls", "RTMDet-Ins".
_OTHER_TASK = re.compile(r"(seg|pose|cls|ins)$")

#: Of a name, between which people set spaces and hyphens or none: "Open Pose", "YOLO v3".
_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+|\+")
_ARTICLE = r"(?:\s+(?:a|an|the|any|our|my|use|using|want|need|have|to))*"
_BEFORE = re.compile(
    r"\b(?:anything but|instead of|rather than|other than|no longer|without|avoid|except|not|never|don't|do not)"
    rf"{_ARTICLE}\s+$|\b(?:the|our|my) (?:old|previous|last|former){_ARTICLE}\s+$"
)
_AFTER = re.compile(
    r"^(?:(?!\b(?:as|since|because)\b)[^.;!?]){0,40}"
    r"\btoo (?:slow|heavy|big|large|fat|bulky|inaccurate|weak|old|expensive)\b|"
    r"^\s*(?:,? which )?\s*(?:(?:was|is) (?:not|our old)\b|(?:was|has been|don) (?:tried|tested|try)\b|"
    r"did(?:n't| not)\b(?!\s*[,.;])|does(?:n't| not)\b|(?:isn|wasn|won|can|couldn)'t\b|"
    r"failed\b|disappointed\b|missed\b|we do not want|we don't want|\?\s*(?:no|forget)\b|[;,]\s*(?:no thanks|don't)\b)"
)
#: Characters looked at on both sides of a name.
_REACH = 60


def is_refused(text: str, name: str) -> bool:
    """Whether each mention of a model stands in words that refuse it ("ResNet-18 was too slow")."""
    lowered = text.casefold().replace("\u2019", "'")
    parts = [part.casefold() for part in _NAME_PARTS.findall(name)]
    mentions = list(re.finditer(r"[\s_-]?".join(map(re.escape, parts)), lowered)) if parts else []
    return bool(mentions) and all(
        _BEFORE.search(lowered[max(0, found.start() - _REACH) : found.start()])
        or _AFTER.match(lowered[found.end() : found.end() + _REACH])
        for found in mentions
    )


def made_for(name: str) -> Task | None:
    """The only task that a model of this name is made for; None for backbones, and for names nobody knows here."""
    joined = re.sub(r"[\W_]", "", name.casefold())
    if _OTHER_TASK.search(joined):
        return None
    # The longest beginning decides: DeepLab is for segmentation, DeepLabCut for keypoints.
    known = [(len(name), task) for task, names in _MADE_FOR.items() for name in names if joined.startswith(name)]
    return max(known)[1] if known else None
