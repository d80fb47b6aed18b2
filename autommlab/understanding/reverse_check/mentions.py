"""What a text mentions that a request may ask for: amounts with their units, and names of engines, devices, data sets.

Found by patterns and word lists, without an LLM, so that a parse can be held against them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from autommlab.tasks import canonical_metric
from autommlab.understanding.request import Engine, FlopsUnit, ParametersUnit, SpeedUnit
from autommlab.understanding.text import VALUES, named_numbers

#: Characters around a mention that tell what it is about.
_NEAR = 40


@dataclass(frozen=True, slots=True)
class Mention:
    """Some words of a text that one field of a request may hold.

    Attributes:
        field: as in `Finding`; "size" for a limit of storage, which no field holds.
        words: as written.
        start, end: of `words` in the text.
        values: the numbers that the words may mean, the likeliest first; empty for names.
        unit: of an amount, as the request writes it, "" where the words name none; of a score its metric; of an engine
            or a device its value in the request, "" where there is none.
    """

    field: str
    words: str
    start: int
    end: int
    values: tuple[float, ...] = ()
    unit: str = ""

    def before(self, text: str) -> str:
        """The end of the same clause before the words, in lower case."""
        return re.split(r"[.;!?](?:\s|$)|\n", text[max(0, self.start - _NEAR) : self.start].casefold())[-1]

    def after(self, text: str) -> str:
        """The beginning of the same clause after the words, in lower case."""
        return re.split(r"[.;!?](?:\s|$)|\n", text[self.end : self.end + _NEAR].casefold())[0]


_SPOKEN = "|".join(sorted((*VALUES, "hundred", "half", "and", "point", "an?"), key=len, reverse=True))
_DIGITS = r"(?:\d{1,3}(?:[,.'\u2019 ]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+)"
#: A number in digits, or a run of number words.
_AMOUNT = (
    rf"(?<![\w.,])(?P<amount>{_DIGITS}|(?:an?\s+)?(?:third|quarter|fifth|eighth|tenth) of an?|"
    rf"(?:(?:{_SPOKEN})[\s-]+){{0,8}}(?:{'|'.join(VALUES)}|hundred|half(?: an?)?))"
)
_SIZES = r"(?P<size>k|thousand|m|mio|mn|mln|mil|millions?|b|bn|billions?)"
_COUNTED = r"(?:(?:model|trainable|learnable)\s+)?(?:parameters?|params?|weights)\b"
_PARAMETERS = (
    re.compile(rf"{_AMOUNT}\s*-?(?:{_SIZES}(?![a-z]))?\s*-?(?:of\s+)?{_COUNTED}", re.IGNORECASE),
    re.compile(
        rf"\b(?:parameters?|params?)\b\s*(?:(?:[:=<>\u2264-]|(?:count|budget|limit|max(?:imum)?|below|under|up to|"
        rf"at most|at least|less than|no more than|is|are|of)\b)\s*)*{_AMOUNT}\s*(?:{_SIZES}(?![a-z]))",
        re.IGNORECASE,
    ),
)
_FLOPS = re.compile(
    rf"{_AMOUNT}\s*-?(?P<size>[kmgtpe]|kilo|mega|giga|tera|peta|exa|thousand|millions?|billions?|trillions?)?\s*-?(?:of\s+)?"
    r"(?:flops?|floating[- ]point operations)\b",
    re.IGNORECASE,
)
_A = r"(?:\s*/\s*|\s*(?:per|by|an?|each|every|in (?:one|an?|each|every))\s+)"
#: Half of a second is a time, half an answer is none.
_RATE = _AMOUNT.replace("(?P<amount>", "(?!half|an? )(?P<amount>once|twice|thrice|")
_SPEED: Final = (
    (SpeedUnit.FPS, rf"{_AMOUNT}\s*-?(?:fps|hz|hertz|f/s)\b"),
    (
        SpeedUnit.FPS,
        rf"{_RATE}\s*-?(?:(?:frames?|images?|pictures?|photos?|times?|answers?|results?|inferences?)\s*)?{_A}(?:seconds?|sec|s)\b",
    ),
    (SpeedUnit.MS, rf"{_AMOUNT}\s*-?(?:ms|msec|mill?i[- ]?sec(?:ond)?s?|mill?is)\b"),
    (SpeedUnit.S, rf"{_AMOUNT}\s*-?(?:s|secs?|seconds?)\b"),
    (SpeedUnit.MIN, rf"{_AMOUNT}\s*-?(?:min|mins|minutes?)\b"),
    (SpeedUnit.H, rf"{_AMOUNT}\s*-?(?:h|hrs?|hours?)\b"),
)
_SPEED_PATTERNS = tuple((unit, re.compile(pattern, re.IGNORECASE)) for unit, pattern in _SPEED)
_STORED = re.compile(rf"{_AMOUNT}\s*-?(?P<size>kb|mb|gb|kilobytes?|megabytes?|gigabytes?)\b", re.IGNORECASE)

_METRIC_NAMES = (
    r"top-?\s?5(?:\s+accuracy)?|accuracy|acc|precision|recall|sensitivity|f1(?:[- ]score)?|map(?:@?50)?|ap(?:50|75)?|"
    r"average precision|m?iou|dice(?:\s+(?:coefficient|score))?|pixel accuracy|pck(?:@[\d.]+)?|auc|nme|"
    r"normali[sz]ed (?:mean )?error"
)
_SCORE = (
    rf"(?P<amount>{_DIGITS})(?![\w/]|[.,]\d|\s*(?:ms|s|m|k|millions?|fps|[kmg]?flops|params?|parameters?|seconds?)\b)"
    r"\s*(?P<percent>%|percent\b|per cent\b|pct\b)?"
)
_LINK = (
    r"(?:\s*(?:[:=>\u2265\u2264<~-]|\b(?:of|at|least|most|is|be|should|must|has|to|reach|exceed|not|no|less|more|lower|"
    r"worse|better|than|above|over|below|under|minimum|min|max|maximum|around|about|a|the|value|score|upward|with)\b))*\s*"
)
_SCORES = (
    re.compile(rf"(?<![\w-])(?P<name>{_METRIC_NAMES})(?![\w-]){_LINK}(?<![\w.]){_SCORE}", re.IGNORECASE),
    re.compile(
        rf"(?<![\w.,-]){_SCORE}\s*(?:of\s+|in\s+|for\s+)?(?P<name>{_METRIC_NAMES})(?![\w-])(?!\s*[:=>\u2265])",
        re.IGNORECASE,
    ),
)

_ENGINES = {
    Engine.ONNXRUNTIME: r"onnx(?:[\s_-]?runtime)?|ort", Engine.NCNN: r"ncnn", Engine.OPENVINO: r"open\s?vino"
}  # fmt: skip
#: Engines that nothing here delivers for.
_OTHER_ENGINES = (
    r"tensor\s?rt|tf[\s-]?lite(?:\s+micro)?|tensorflow[\s-]?lite|core\s?ml|mnn|tvm|executorch|torchscript|rknn|snpe|"
    r"paddle[\s-]?lite|tensorflow\.?js|tf\.?js|litert|hailort"
)
_GPU = (
    r"gpus?|cuda|graphics? cards?|video cards?|nvidia|(?:geforce\s+)?[rg]tx(?:\s?-?a?\d{3,4}(?:\s?(?:ti|super))?)?|"
    r"quadro(?:\s\w+)?|tesla\s+[a-z]\d+|jetson(?:\s+\w+)?|[ahlv]100"
)
_CPU = r"cpus?"
_DATA_SETS = (
    r"(?:ms[\s-]?)?coco(?:[\s-]?(?:2014|2017|wholebody))?|imagenet(?:-?(?:1k|21k))?|cityscapes|ade[\s-]?20k|pascal[\s-]?voc|"
    r"voc[\s-]?20\d\d|ap-?10k|mpii|crowdpose|lvis|objects365|open\s?images|cifar-?100?|mnist|food-?101|visdrone|kitti|"
    r"bdd[\s-]?100k|camvid|mapillary|halpe|animal\s?pose|inaturalist|places365|stanford dogs|oxford[\s-]?pets|celeba|"
    r"wider\s?face|plantvillage|isic|freihand|wflw|300w|aflw|deepfashion2?|potsdam|loveda|dota|crowdhuman|gtsdb|gtsrb"
)
_MODELS = (
    r"(?:efficient|mobile|res|dense|squeeze|shuffle|ghost|reg|seg|google|hr|u|conv)-?\s?net\+*|resnext|convnext|"
    r"swin(?:[- ]transformer)?|vit|deit|repvgg|vgg|inception|xception|yolo\w*|ssd(?:lite)?|"
    r"(?:faster|cascade|mask)[- ]?r-?cnn|retina-?net|fcos|(?:deformable |rt-?)?detr|rtmdet|center-?net|atss|tood|"
    r"deep-?lab(?:v3)?\+?|psp-?net|segformer|bisenet|fcn|upernet|pidnet|ddrnet|stdc|fast-?scnn|rtmpose|vitpose|"
    r"hourglass|simple-?baseline|lite-?hrnet|open-?pose|higherhrnet"
)
_MODEL_PARTS = r"net(?:\b|[-_ \dv])|former|cnn|seg|pose|baseline|dino"
#: What follows a model's name: "50", "V2", "-tiny", "-R50-FPN" only in part.
_VARIANT = r"(?:[- ]?(?:v\d\w{0,5}|[a-z]?\d{1,4}|tiny|small|nano|large|[nsmlx])){0,3}"
#: (field, names, value in a request), apart from models.
_NAMES = (
    *(("engine", names, engine.value) for engine, names in _ENGINES.items()),
    ("engine", _OTHER_ENGINES, ""),
    ("device", _GPU, "gpu"),
    ("device", _CPU, "cpu"),
    ("specific", _DATA_SETS, ""),
)


def mentions(text: str) -> tuple[Mention, ...]:
    """Everything found in `text`, in its order; where two overlap, the longer one.

    Args:
        text: as `clean` leaves it.
    """
    found = sorted(_all(text), key=lambda mention: (mention.start - mention.end, mention.start))
    kept: list[Mention] = []
    for mention in found:
        if all(mention.end <= other.start or other.end <= mention.start for other in kept):
            kept.append(mention)
    return tuple(sorted(kept, key=lambda mention: mention.start))


def is_like_model(name: str) -> bool:
    """Whether a name looks like a model's: a known beginning or part, or the capitals and digits of a product."""
    known = re.search(rf"\b(?:{_MODELS})|{_MODEL_PARTS}", name, re.IGNORECASE)
    return known is not None or re.search(r"[A-Z].*[A-Z]|[A-Za-z][ -]?\d", name) is not None


def quantity(field: str, text: str) -> tuple[float, str] | None:
    """(value, unit) of a text that is nothing but one amount of that field, such as "10 million"; None otherwise.

    Args:
        field: speed, flops or parameters.
        text: without the name of the field: "2,500 K", "30 fps", "0.5 GFLOPs".
    """
    said = text.strip()
    said = f"{said} parameters" if field == "parameters" and not re.search(r"param|weights", said, re.I) else said
    whole = next((m for m in mentions(said) if m.field == field and m.start == 0 and m.end == len(said)), None)
    return (whole.values[0], whole.unit) if whole is not None and whole.values and whole.unit else None


def _all(text: str) -> Iterator[Mention]:
    for pattern in _PARAMETERS:
        yield from _amounts("parameters", pattern, text, lambda found: _parameters_unit(found["size"]))
    yield from _amounts("flops", _FLOPS, text, lambda found: _flops_unit(found["size"]))
    for unit, pattern in _SPEED_PATTERNS:
        yield from _amounts("speed", pattern, text, unit)
    yield from _amounts("size", _STORED, text, lambda found: found["size"])
    for pattern in _SCORES:
        yield from _amounts("metrics", pattern, text, lambda found: canonical_metric(found["name"]))
    for field, names, value in _NAMES:
        yield from _named(field, rf"(?<!\w)(?:{names})(?!\w)", text, value)
    yield from _named("model", rf"(?<![\w-])(?:{_MODELS}){_VARIANT}(?!\w)", text)


def _amounts(
    field: str, pattern: re.Pattern[str], text: str, unit: str | Callable[[re.Match[str]], str]
) -> Iterator[Mention]:
    for found in pattern.finditer(text):
        words, values = found.group().strip(), readings(found["amount"])
        start = found.start() + found.group().index(words)
        if values:  # none where the digits are more than a number holds
            own = unit if isinstance(unit, str) else unit(found)
            yield Mention(field, words, start, start + len(words), values, own)


def _named(field: str, pattern: str, text: str, value: str = "") -> Iterator[Mention]:
    for found in re.finditer(pattern, text, re.IGNORECASE):
        yield Mention(field, found.group(), found.start(), found.end(), unit=value)


def readings(amount: str) -> tuple[float, ...]:
    """The numbers that `amount` may mean, the likeliest first: "2,500" is 2500 or 2.5, "2.500" is 2.5 or 2500."""
    if not re.search(r"\d", amount):
        said = sorted(named_numbers(amount) or ({1.0} if re.fullmatch(r"an?", amount.strip()) else set()), reverse=True)
        return tuple(said)
    plain = re.sub(r"['\u2019 ]", "", amount)
    grouped = re.sub(r"[,.](?=\d{3}(?!\d))", "", plain)
    decimal = plain.replace(",", ".")
    order = (
        (decimal, grouped) if re.fullmatch(r"\d{1,3}\.\d{3}|0?[.,]\d+", plain) else (grouped.replace(",", "."), decimal)
    )
    values = []
    for written in order:
        try:
            values.append(float(written))
        except ValueError:  # "2.500.000" has one reading only
            continue
    return tuple(dict.fromkeys(value for value in values if math.isfinite(value)))


def _parameters_unit(size: str | None) -> str:
    first = (size or "")[:1].casefold()
    return {"k": ParametersUnit.K, "t": ParametersUnit.K, "m": ParametersUnit.M, "b": ParametersUnit.B}.get(first, "")


def _flops_unit(size: str | None) -> str:
    said = (size or "").casefold().removesuffix("s")
    words = {"thousand": "K", "million": "M", "mega": "M", "billion": "G", "trillion": "T"}
    return FlopsUnit(f"{words.get(said, said[:1].upper())}FLOPs")


def free_amounts(text: str, taken: Sequence[Mention]) -> Iterator[float]:
    """Every number of the text outside of `taken`, with and without a size word after it ("8 M", "five million")."""
    for found in re.finditer(rf"{_AMOUNT}\s*(?:{_SIZES}(?!\w))?", text, re.IGNORECASE):
        if any(mention.start <= found.start() < mention.end for mention in taken):
            continue
        scale = {"k": 1e3, "t": 1e3, "m": 1e6, "b": 1e9}.get((found["size"] or " ")[0].casefold(), 1.0)
        for value in readings(found["amount"]):
            yield value
            yield value * scale


def numbers(text: str, taken: Sequence[Mention]) -> tuple[Mention, ...]:
    """Numbers in digits outside of `taken` and of names such as "RTX-3060", each with the word after it."""
    found = re.finditer(rf"(?<![\w.,-])(?P<amount>{_DIGITS})(?![\w-])(?:\s*%|\s+[^\W\d_]+)?", text)
    own = (Mention("number", one.group(), one.start(), one.end(), readings(one["amount"])) for one in found)
    return tuple(one for one in own if all(one.end <= other.start or other.end <= one.start for other in taken))
