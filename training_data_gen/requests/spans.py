"""Where a handwritten text states models, data sets, engines, limits and scores."""

from __future__ import annotations

import re
from collections.abc import Iterator

from training_data_gen.requests.corpus import Written
from training_data_gen.requests.names import ANY_MODEL, CARD, ENGINE, stem
from training_data_gen.requests.nouns import PLACES
from training_data_gen.requests.numbers import NUMBER, number_value, same_number
from training_data_gen.requests.scores import score_spans
from training_data_gen.requests.slots import Claims, Slot

_I = re.IGNORECASE
_FLOPS = re.compile(
    rf"(?:(?P<n>{NUMBER})|(?P<half>half an?|a dozen))\s?(?P<u>[KMGTPE]?)(?P<w>illion|b|m|t)?[ -]?FLOPS?\b|"
    rf"(?P<n2>{NUMBER})\s?(?P<u2>thousand|million|billion|trillion|kilo|mega|giga|tera|peta|exa) ?FLOPS?\b",
    _I,
)
_PARAMETERS = re.compile(
    rf"(?:(?P<n>{NUMBER})|(?P<half>half a))(?:\s?(?P<u>k|m|b|mil|thousand|millions?|billion)\b)?(?![\w%])", _I
)
_TIME = re.compile(
    rf"(?P<n>{NUMBER})\s?(?P<u>ms|msec|milliseconds?|secs?|seconds?|s|minutes?|mins?|hours?|h)\b|"
    r"(?P<half>half an?|half|(?:a |one )?tenth of a?|a quarter of a|quarter|an? fifth of a|an?|one) ?"
    r"(?P<u2>second|minute|hour)\b",
    _I,
)
_RATE = re.compile(
    rf"(?:(?P<often>once|twice|thrice)|(?P<n>{NUMBER}))\s?(?:fps\b|Hz\b|frames?/s\b|"
    r"(?:frames?|images?|pictures?|pics|photos?|stills?|answers?|results?|readings?|checks?|looks?|calls?|decisions?|"
    r"verdicts?|goes|times)?\s?(?:per|a|each|by|every|in(?: (?:a|one|each|the))?) (?:second|sec)\b)",
    _I,
)
_UNITS = {"k": 1e3, "thousand": 1e3, "kilo": 1e3, "m": 1e6, "mil": 1e6, "million": 1e6, "mega": 1e6, "b": 1e9,
          "billion": 1e9, "g": 1e9, "giga": 1e9, "t": 1e12, "trillion": 1e12, "tera": 1e12, "p": 1e15, "peta": 1e15,
          "e": 1e18, "exa": 1e18, "": 1.0}  # fmt: skip
_SECONDS = {"m": 60.0, "h": 3600.0, "s": 1.0}
_PARTS = {"half": 0.5, "tenth": 0.1, "quarter": 0.25, "fifth": 0.2, "dozen": 12.0}
_OFTEN = {"once": 1.0, "twice": 2.0, "thrice": 3.0}
_COUNT = re.compile(r"(?<=\s)(?:\d{1,3}(?:,\d{3})+|(?!19|20)\d{3,5})(?=\s[a-z]{4,})(?!\s(?:pixels?|frames?)\b)")
_DEVICES = re.compile(
    r"\bon (?P<d>(?:a|the|our|my) (?:CPU|GPU))(?=[ .,;)]|$)(?! (?:server|cluster|node|box|in|partition))"
)
_SEEN = r"(?:cameras?|images?|imagery|videos?|footage|pictures?|photos?|frames?|scans?|stills)"
_MODALITY = re.compile(
    rf"\b(?P<m>near-infrared|infrared|IR|thermal|gr[ae]yscale|depth|multispectral|hyperspectral)(?= {_SEEN}\b)", _I
)
_ANY_MODALITY = re.compile(
    r"infrared|\bIR\b|thermal|gr[ae]yscale|depth|spectral|x-?ray|monochrome|black|satellite|radar|sonar|ultrasound|CT|MRI",
    _I,
)
#: Around a place in which anything can be.
_WITHIN = re.compile(r"\b(?:in|at|of|from|near|inside)(?: the| an?| our| my| this)? $", _I)
_SHOWN = re.compile(rf" (?:{_SEEN})")
_PARAMETER_NOUN = re.compile(r"param|weights", _I)


def fact_spans(written: Written) -> Claims:
    """Spans of everything but objects; a fact that is not found stays as it is written."""
    text, parse = written.text, written.parse
    claims = Claims()
    _models(claims, text, parse.model.specific_model)
    for name in parse.data.specific:
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, _I):
            claims.claim(*match.span(), Slot("data", parse.data.specific.index(name), match.group()))
    for match in ENGINE.finditer(text):
        is_decoy = match.lastgroup != parse.deploy.inference_engine
        claims.claim(*match.span(), Slot("engine", 0, match.group(), decoy=is_decoy))
    if parse.deploy.gpu == "gpu":
        for match in CARD.finditer(text):
            claims.claim(*match.span(), Slot("card", 0, match.group()))
    for start, end, slot in [*_flops(written), *_parameters(written), *_speeds(written)]:
        claims.claim(start, end, slot)
    score_spans(claims, written)
    _places_and_counts(claims, written)
    devices = list(_DEVICES.finditer(text))
    if len(devices) == 1 and len(re.findall(r"\b(?:GPU|CPU|CUDA|graphic|processor|laptop|PC)", text)) == 1:
        claims.claim(*devices[0].span("d"), Slot("device", 0, devices[0].group("d")))
    return claims


def _models(claims: Claims, text: str, asked: str) -> None:
    if asked != "none":
        for match in re.finditer(rf"(?<![\w-]){re.escape(asked)}(?![\w+/-])", text, _I):
            claims.claim(*match.span(), Slot("model", 0, match.group()))
    for match in ANY_MODEL.finditer(text):
        if stem(match.group()) != stem(asked) and len(match.group()) > 3:
            claims.claim(*match.span(), Slot("model", 0, match.group(), decoy=True))


_Found = Iterator[tuple[int, int, Slot]]


def _flops(written: Written) -> _Found:
    limit = written.parse.model.flops
    if limit.value == 0:
        return
    for match in _FLOPS.finditer(written.text):
        number = _part(match["half"].lower()) if match["half"] else number_value(match["n"] or match["n2"])
        scale = _UNITS[(match["u"] or match["u2"] or "").lower()]
        if number is not None and same_number(number * scale, (limit.giga() or 0) * 1e9):
            yield *match.span(), Slot("flops", 0, match.group())


def _parameters(written: Written) -> _Found:
    limit = written.parse.model.parameters
    if limit.value == 0:
        return
    for match in _PARAMETERS.finditer(written.text):
        number = 0.5 if match["half"] else number_value(match["n"])
        unit = (match["u"] or "").lower().removesuffix("s")
        if number is None or not same_number(number * _UNITS[unit], (limit.millions() or 0) * 1e6):
            continue
        near = written.text[max(0, match.start() - 40) : match.end() + 25]
        if _PARAMETER_NOUN.search(near) or unit:
            yield *match.span(), Slot("parameters", 0, match.group())


def _speeds(written: Written) -> _Found:
    limit = written.parse.model.speed
    if limit.value == 0:
        return
    if limit.unit == "fps":
        for match in _RATE.finditer(written.text):
            number = number_value(match["n"]) if match["n"] else _OFTEN[match["often"].lower()]
            if number is not None and same_number(number, limit.value):
                yield *match.span(), Slot("rate", 0, match.group())
        return
    for match in _TIME.finditer(written.text):
        unit = (match["u"] or match["u2"]).lower()
        number = number_value(match["n"]) if match["n"] else _part(match["half"].lower())
        seconds = 1e-3 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]
        rate = re.match(r"\s?(?:per|a|each) second", written.text[match.end() :]) or re.search(
            r"(?:frames?|images?|times|pictures?|\d) $", written.text[: match.start()]
        )
        if number is not None and not rate and same_number(number * seconds, (limit.ms_per_image() or 0) / 1e3):
            yield *match.span(), Slot("time", 0, match.group())


def _part(words: str) -> float:
    """Of a unit, or how many: "a fifth of a" is 0.2, "a" is 1, "a dozen" is 12."""
    return next((value for part, value in _PARTS.items() if part in words), 1.0)


def _places_and_counts(claims: Claims, written: Written) -> None:
    place = written.parse.data.scenario
    if place in PLACES:
        for match in re.finditer(rf"(?<!\w){re.escape(place)}(?!\w)", written.text):
            if not _WITHIN.search(written.text[: match.start()]) and not _SHOWN.match(written.text[match.end() :]):
                continue
            claims.claim(*match.span(), Slot("place", 0, match.group()))
    kinds = list(_MODALITY.finditer(written.text))
    if len(kinds) == 1 and len(_ANY_MODALITY.findall(written.text)) == 1:
        claims.claim(*kinds[0].span("m"), Slot("modality", 0, kinds[0].group("m")))
    for match in _COUNT.finditer(written.text):
        claims.claim(*match.span(), Slot("count", 0, match.group()))
