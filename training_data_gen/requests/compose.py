"""One new request from a skeleton: sentences left out, demands borrowed or added, all values drawn anew."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from autommlab.understanding.request import ModelRequest
from autommlab.understanding.text import names_number
from training_data_gen.requests import clauses, noise
from training_data_gen.requests.cast import cast, recast
from training_data_gen.requests.draft import Draft, draw_metric, draw_score
from training_data_gen.requests.fill import Writer, redraw
from training_data_gen.requests.names import CARD, ENGINE
from training_data_gen.requests.nouns import plural
from training_data_gen.requests.skeleton import Sentence, Skeleton
from training_data_gen.requests.slots import Part, Slot

_DEMANDS = ("metrics", "speed", "flops", "parameters", "model", "data", "engine", "device")
#: Chance that a demand that a skeleton lacks is added; the rarer by hand, the likelier.
_ADDED = {
    "metrics": 0.5, "speed": 0.22, "flops": 0.3, "parameters": 0.22, "model": 0.15, "data": 0.15, "engine": 0.2,
    "device": 0.18,
}  # fmt: skip
_IMAGE = re.compile(r"(?<!\bcolour )(?<!\bRGB )\b(?=(?:photos?|pictures?|images?|video|footage|camera)\b)")
#: Signs of a kind of picture, next to which none is added.
_KIND = re.compile(
    r"infrared|\bIR\b|thermal|gr[ae]y|depth|spectral|x-?ray|mono|black|colou?r|satellite|radar|sonar|ultrasound|micro|"
    r"RGB|aerial|web|night|spectro|CT|MRI",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Composed:
    """A new request.

    Attributes:
        text, parse: with every label true of the text.
        donors: voices other than the skeleton's own that a sentence was borrowed from.
    """

    text: str
    parse: ModelRequest
    donors: tuple[str, ...]


@dataclass
class _Making:
    draft: Draft
    sentences: list[tuple[Part, ...]]
    free: set[str]
    stated: set[str]
    donors: set[str] = field(default_factory=set)
    #: Fields that have a sentence, but no value yet.
    unset: set[str] = field(default_factory=set)


def compose(base: Skeleton, lenders: Sequence[tuple[Skeleton, Sentence]], rng: random.Random) -> Composed | None:
    """A new request, or None where a label would not be true of its text.

    Args:
        base: the skeleton.
        lenders: portable sentences of all skeletons.
        rng: draws everything.
    """
    draft = Draft.of(base.written.parse)
    making = _kept(base, draft, rng)
    if not draft.objects:
        cast(draft, rng)
        making.unset.add("scenario")
    else:
        recast(draft, _slots(making.sentences), rng, loose=len(base.written.text) < _SHORT_TEXT)
    # All demands at once now and then, none at other times.
    eager = rng.choices((0.0, 1.0, 3.0), (0.25, 0.63, 0.12))[0] * (1.6 if base.written.voice in _COMPOSED_VOICES else 1)
    for name in rng.sample(_DEMANDS, len(_DEMANDS)):
        if name not in making.stated and rng.random() < _ADDED[name] * eager:
            _demand(making, base, lenders, name, rng)
    if "metrics" in making.free and 0 < len(draft.metrics) < 2 and rng.random() < 0.15 * eager:
        _template(making, "metrics", rng)
    fields = [name for name in sorted(making.free) if name in making.unset or rng.random() < 0.9]
    redraw(draft, fields, _slots(making.sentences), rng)
    _season(making, rng)
    _modality(making, base, rng)
    return _written(making, base, rng)


_SHORT_TEXT = 130
#: With so few to borrow, the same one would come again and again.
_FEW = 4
_REFUSES = re.compile(r"\b(?:no|not|never|without|instead|veto|rather)\b|n't", re.IGNORECASE)
_COMPOSED_VOICES = ("brief", "polite", "project")


def _kept(base: Skeleton, draft: Draft, rng: random.Random) -> _Making:
    """The sentences that stay, and what they still say."""
    share = rng.choice((0.0, 0.25, 0.5))
    kept = [one for one in base.sentences if not (one.droppable and rng.random() < share)]
    dropped = [one for one in base.sentences if one not in kept]
    gone = frozenset().union(*(one.states for one in dropped)) if dropped else frozenset()
    draft.unset(gone)
    stated = {
        name
        for name, is_stated in {
            "metrics": draft.metrics, "speed": draft.speed[0], "flops": draft.flops[0],
            "parameters": draft.parameters[0], "model": draft.model != "none", "data": draft.data,
            "engine": draft.engine != "none", "device": draft.gpu != "none",
        }.items()
        if is_stated
    }  # fmt: skip
    text = base.written.text
    if ENGINE.search(text) or re.search(r"engine|runtime", text, re.IGNORECASE):
        stated.add("engine")
    if re.search(r"GPU|CPU|CUDA|card|chip|processor|laptop|hardware|server|comput", text, re.IGNORECASE):
        stated.add("device")
    if re.search(r"speed|latency|slow|fast|hurry|constraint|time limit|offline|overnight|live|takes? long", text):
        stated.add("speed")
    if re.search(r"architect|technolog|choose|whatever|anything|YOLO\b|matter", text):
        stated.add("model")
    return _Making(draft, [one.parts for one in kept], set(base.free - gone - {"object"}), stated)


def _demand(
    making: _Making, base: Skeleton, lenders: Sequence[tuple[Skeleton, Sentence]], name: str, rng: random.Random
) -> None:
    """Add a sentence with the demand `name`: a template, or one of another handwritten request."""
    if rng.random() < 0.45:
        task = making.draft.task
        fitting = [
            (lender, sentence)
            for lender, sentence in lenders
            if name in sentence.states
            and lender.written.parse.model.task is task
            and not sentence.states & making.stated
            and not (name == "model" and _REFUSES.search("".join(p for p in sentence.parts if isinstance(p, str))))
        ]
        if len(fitting) > _FEW:
            lender, sentence = rng.choice(fitting)
            _borrow(making, base, lender, sentence)
            return
    _template(making, name, rng)


def _borrow(making: _Making, base: Skeleton, lender: Skeleton, sentence: Sentence) -> None:
    source = Draft.of(lender.written.parse)
    for name in sentence.states:
        attribute = "gpu" if name == "device" else name
        setattr(making.draft, attribute, getattr(source, attribute))
        making.stated.add(name)
    making.free |= sentence.states & lender.free
    making.sentences.append((*sentence.parts, " ") if sentence.parts else ())
    if lender.written.voice != base.written.voice:
        making.donors.add(lender.written.voice)


def _template(making: _Making, name: str, rng: random.Random) -> None:
    draft = making.draft
    number = len(draft.metrics)
    kind = name
    if name == "metrics":
        metric = draw_metric(draft.task, rng, frozenset(m for m, _ in draft.metrics))
        draft.metrics.append((metric, draw_score(metric, rng)))
        kind = "errors" if metric == "NME" else "metrics"
        # A second score that is drawn again by `redraw` would be one of a higher kind than its sentence.
        if metric == "NME" and number:
            draft.metrics.pop()
            return
    elif name == "speed":
        kind = rng.choice(("time", "rate"))
    elif name == "device":
        kind = draft.gpu = rng.choice(("cpu", "gpu"))
    elif name == "data":
        draft.data = [""]
    template = rng.choice(clauses.CLAUSES[kind])
    making.sentences.append(clauses.parts(template + " ", number))
    making.stated.add(name)
    making.free.add(name)
    making.unset.add(name)


def _season(making: _Making, rng: random.Random) -> None:
    """Greeting, closing and sentences that demand nothing; added demands move to other places."""
    first, rest = making.sentences[:1], making.sentences[1:]
    fitting = [text for text in clauses.NOTHING if not making.stated & clauses.ABOUT.get(text, frozenset())]
    for text in rng.sample(fitting, rng.choice((0, 0, 0, 0, 1, 1, 2))):
        rest.insert(rng.randint(0, len(rest)), clauses.parts(text + " "))
    if rng.random() < 0.06:
        first.insert(0, (rng.choice(clauses.GREETINGS) + " ",))
    if rng.random() < 0.06:
        rest.append((rng.choice(clauses.CLOSINGS),))
    making.sentences = first + rest


def _modality(making: _Making, base: Skeleton, rng: random.Random) -> None:
    """Name a kind of picture where none is named."""
    if making.draft.modality != "rgb" or _KIND.search(base.written.text) or rng.random() > 0.18:
        return
    for number, parts in enumerate(making.sentences):
        for place, part in enumerate(parts):
            match = _IMAGE.search(part) if isinstance(part, str) else None
            if match and isinstance(part, str):
                slot = Slot("modality")
                split = (part[: match.start()], slot, " " + part[match.start() :])
                making.sentences[number] = (*parts[:place], *split, *parts[place + 1 :])
                making.draft.modality = rng.choice(
                    ("infrared", "infrared", "thermal", "thermal", "grayscale", "depth", "multispectral", "rgb")
                )
                return


def _written(making: _Making, base: Skeleton, rng: random.Random) -> Composed | None:
    draft = making.draft
    short = base.written.voice in ("sms", "hobbyist", "student", "brief") and rng.random() < 0.15
    typo_share = rng.choice((0.01, 0.03, 0.06)) if rng.random() < 0.15 else 0.0
    writer = Writer(draft, rng, typo_share=typo_share, short=short)
    for parts in making.sentences:
        if writer.text and not writer.text.endswith((" ", "\n")):
            writer.text += " " if writer.text.endswith((".", "!", "?", ",", ")")) else ". "
        writer.add(parts)
    # Metrics are labelled in the order in which the text asks for them; those without a slot keep their place.
    order = [*writer.order, *(n for n in range(len(draft.metrics)) if n not in writer.order)]
    if "metrics" in making.free:
        draft.metrics = [draft.metrics[number] for number in order]
    text = re.sub(r" {2,}", " ", writer.text.strip())
    if rng.random() < 0.14:
        text = noise.careless(text, rng)
    if rng.random() < 0.08:
        text = text.lower()
        draft.model = draft.model.lower()
    draft.scenario = _still_there(base, text, draft.scenario)
    if not _true(text, draft) or not _objects_named(base, text, draft):
        return None
    return Composed(text, draft.parse(), tuple(sorted(making.donors)))


def _still_there(base: Skeleton, text: str, scenario: str) -> str:
    """The scenario, or none where the words that it was taken from are gone."""
    before, after = base.written.text.lower(), text.lower()
    words = [word[:5].lower() for word in scenario.split() if len(word) > 2]
    return "" if any(word in before and word not in after for word in words) else scenario


def _objects_named(base: Skeleton, text: str, draft: Draft) -> bool:
    """Whether new objects stand in the text; the handwritten ones may be meant rather than named."""
    low = text.lower()
    old = base.written.parse.data.object
    return all(name in old or name in low or plural(name) in low for name in draft.objects)


def _true(text: str, draft: Draft) -> bool:
    """The last check: names occur as they are labelled, and no sign speaks against a label."""
    if draft.model != "none" and draft.model not in text:
        return False
    if any(name.lower() not in text.lower() for name in draft.data):
        return False
    if draft.gpu == "cpu" and CARD.search(text):
        return False
    if draft.model.lower().startswith("yolo") and re.search(r"\byolo\b(?! ?v?\d)", text, re.IGNORECASE):
        return draft.model.lower() == "yolo"
    amounts = [value for value, unit in (draft.speed, draft.flops, draft.parameters) if unit != "none"]
    if not all(names_number(text, value) for value in (*amounts, *(score for _, score in draft.metrics))):
        return False
    engines = {match.lastgroup for match in ENGINE.finditer(text)}
    return draft.engine == "none" or draft.engine in engines


def _slots(sentences: Sequence[tuple[Part, ...]]) -> list[Slot]:
    return [part for parts in sentences for part in parts if isinstance(part, Slot)]
