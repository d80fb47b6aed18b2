"""Slots become words: new values for a draft, and the text that says them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from training_data_gen.requests.draft import SPELLINGS, Draft, draw_metric, draw_score
from training_data_gen.requests.names import CARDS, DATA_SETS, ENGINES, OTHER_ENGINES, draw_model, write_engine
from training_data_gen.requests.noise import shortened, typos
from training_data_gen.requests.nouns import PLACES, an, is_mass, plural
from training_data_gen.requests.quantities import DRAW, WRITE, Amount, write_score
from training_data_gen.requests.slots import Part, Slot

_T = TypeVar("_T")
_SPEEDS = {"time": "speed", "rate": "speed", "flops": "flops", "parameters": "parameters"}
_COMPARED = re.compile(
    r"(?:at least|over|above|min(?:imum)?|than|[<>]=?|[≥≤]|exceed|exceeds|reach|below|under|beyond|within|only|from)"
    r"\s?(?:of |the |a |an )*$",
    re.IGNORECASE,
)
_MODALITIES = {
    "infrared": ("infrared", "infrared", "IR", "near-infrared"), "thermal": ("thermal",),
    "grayscale": ("grayscale", "greyscale", "black-and-white", "monochrome"), "depth": ("depth",),
    "multispectral": ("multispectral",), "hyperspectral": ("hyperspectral",), "rgb": ("RGB", "colour", "color"),
}  # fmt: skip
_DEVICES = {
    "cpu": ("a CPU", "the CPU", "a normal CPU", "an Intel CPU", "a laptop without GPU", "a PC without a graphics card",
            "a Raspberry Pi", "nothing but a CPU", "CPU only"),
    "gpu": ("a GPU", "the GPU", "our GPU", "a CUDA card", "a GPU server", "an NVIDIA GPU", "an {card}"),
}  # fmt: skip
#: Names whose replacement would need another sentence around them.
_FIXED_METRICS = frozenset({"NME", "top-5 accuracy"})


def redraw(draft: Draft, fields: Iterable[str], slots: Sequence[Slot], rng: random.Random) -> None:
    """New values for fields all of whose mentions are `slots`."""
    kinds = {slot.kind for slot in slots if not slot.decoy}
    for name in sorted(fields):
        if name in ("speed", "flops", "parameters"):
            kind = name if name != "speed" else "time" if "time" in kinds else "rate"
            setattr(draft, name, DRAW[kind](rng))
        elif name == "metrics":
            renamed = {slot.number for slot in slots if slot.kind == "metric" and not slot.decoy}
            for number, (metric, _) in enumerate(draft.metrics):
                if number in renamed and metric not in _FIXED_METRICS and rng.random() < 0.35:
                    metric = draw_metric(draft.task, rng, frozenset(m for m, _ in draft.metrics) | {"NME"})  # noqa: PLW2901
                draft.metrics[number] = (metric, draw_score(metric, rng))
        elif name == "model":
            draft.model = draw_model(draft.task, rng)
        elif name == "data":
            draft.data = rng.sample(DATA_SETS[draft.task], max(1, len(draft.data)))
        elif name == "engine":
            draft.engine = rng.choice(list(ENGINES))
        elif name == "device" and "device" in kinds:
            draft.gpu = rng.choice(("cpu", "gpu"))
        elif name == "modality":
            draft.modality = rng.choice([kind for kind in _MODALITIES if kind != "rgb"])
        elif name == "scenario" and "place" in kinds:
            draft.scenario = rng.choice(PLACES)


class Writer:
    """Writes the parts of a text one after the other.

    Args:
        draft: the values; the model's name becomes what is written.
        rng: draws the forms.
        typo_share: of words that are not labels.
        short: in the manner of short messages.
    """

    def __init__(self, draft: Draft, rng: random.Random, *, typo_share: float = 0.0, short: bool = False) -> None:
        self.draft, self.rng, self.typo_share, self.short = draft, rng, typo_share, short
        self.text = ""
        names = (*draft.objects, draft.scenario, draft.modality, *draft.data, draft.model)
        #: A label whose mention is no slot has to stay readable too.
        self.kept = frozenset(re.findall(r"[a-z]+", plural_too(names)))
        self.order: list[int] = []

    def add(self, parts: Sequence[Part]) -> None:
        """Go on with these parts."""
        for part in parts:
            if isinstance(part, str):
                self.text += self._literal(part)
            else:
                self._slot(part)

    def _literal(self, text: str) -> str:
        if self.short:
            text = shortened(text, self.rng)
        return typos(text, self.rng, self.typo_share, self.kept) if self.typo_share else text

    def _slot(self, slot: Slot) -> None:
        made = self._written(slot)
        article = re.search(r"(?<![\w-])([Aa])n? $", self.text)
        if article and made:
            self.text = self.text[: article.start()]
            # "a half a second" and "a an hour" say it twice.
            if not re.match(r"an? |half |the ", made) and not self._mass(slot):
                self.text += article.group(1) + an(made)[1:] + " "
        starts = not self.text or self.text.endswith((". ", "! ", "? "))
        if (starts or slot.written[:2].istitle()) and slot.kind in _CAPITALISED and made.split(" ")[0].islower():
            made = made[:1].upper() + made[1:]
        self.text += made

    def _mass(self, slot: Slot) -> bool:
        return slot.article and is_mass(self.draft.objects[0])

    def _written(self, slot: Slot) -> str:
        if slot.kind in WRITE:
            return WRITE[slot.kind](self._amount(slot), self.rng)
        if slot.kind not in _WRITTEN:
            raise ValueError(f"no way to write a slot of kind {slot.kind!r}")
        return _WRITTEN[slot.kind](self, slot)

    def metric(self, slot: Slot) -> str:
        """The name of a metric."""
        return self.rng.choice(SPELLINGS[self.draft.metrics[slot.number][0]])

    def model(self, slot: Slot) -> str:
        """A model: the one asked for, or surely another one."""
        return draw_model(self.draft.task, self.rng, self.draft.model) if slot.decoy else self.draft.model

    def engine(self, slot: Slot) -> str:
        """An engine of the schema."""
        others = [engine for engine in ENGINES if engine != self.draft.engine]
        return write_engine(self.rng.choice(others) if slot.decoy else self.draft.engine, self.rng)

    def count(self, _: Slot) -> str:
        """A number that means nothing."""
        rng = self.rng
        count = rng.choice((rng.randrange(100, 999), 100 * rng.randrange(10, 99), 1000 * rng.randrange(5, 90)))
        return rng.choice((str(count), f"{count:,}"))

    def device(self, _: Slot) -> str:
        """A device, with its article."""
        return self.rng.choice(_DEVICES[self.draft.gpu]).replace("{card}", self.rng.choice(CARDS))

    def _amount(self, slot: Slot) -> Amount:
        said: Amount = getattr(self.draft, _SPEEDS[slot.kind])
        if not slot.decoy:
            return said
        return _other(said, lambda: DRAW[slot.kind](self.rng))

    def score(self, slot: Slot) -> str:
        """The value of a metric."""
        name, value = self.draft.metrics[slot.number]
        if slot.decoy:
            return write_score(_other(value, lambda: draw_score(name, self.rng)), self.rng)
        if slot.number not in self.order:
            self.order.append(slot.number)
        # "AP 50" is another metric, not a value.
        bare = name != "NME" and not (name in ("AP", "mAP") and value in (0.5, 0.75)) and self._bare(slot)
        fits = name != "NME" and not _COMPARED.search(self.text)
        return write_score(value, self.rng, bare=bare, range_fits=fits)

    def _bare(self, slot: Slot) -> bool:
        return slot.written.isdigit() or re.search(r"(?:AP|IoU|PCK|Dice)(?: of)? $", self.text) is not None

    def objects(self, slot: Slot) -> str:
        """All objects as a list."""
        names = [_named(name, slot) for name in self.draft.objects]
        if slot.article:
            # The first one's article, if there is any, stands before the slot.
            names = names[:1] + [
                name if is_mass(noun) or slot.plural else f"{an(name)} {name}"
                for name, noun in zip(names[1:], self.draft.objects[1:], strict=True)
            ]
        last = slot.joined or self.rng.choice((" and ", " and ", ", ", " or ", "/"))
        before = last if last.strip() in ("/", "+", "&") else ", "
        return before.join(names[:-1]) + (last if len(names) > 1 else "") + names[-1]


_WRITTEN: dict[str, Callable[[Writer, Slot], str]] = {
    "score": Writer.score,
    "metric": Writer.metric,
    "model": Writer.model,
    "engine": Writer.engine,
    "count": Writer.count,
    "device": Writer.device,
    "objects": Writer.objects,
    "data": lambda self, slot: self.draft.data[min(slot.number, len(self.draft.data) - 1)],
    "object": lambda self, slot: _named(self.draft.objects[slot.number], slot),
    "place": lambda self, _: self.draft.scenario,
    "modality": lambda self, _: self.rng.choice(_MODALITIES[self.draft.modality]),
    "card": lambda self, _: self.rng.choice(CARDS),
    "other_engine": lambda self, _: self.rng.choice(OTHER_ENGINES),
}
_CAPITALISED = frozenset({"object", "objects", "metric", "time", "rate", "score", "flops", "parameters", "modality"})


def _other(said: _T, draw: Callable[[], _T]) -> _T:
    """Something else than what is asked for."""
    while True:
        made = draw()
        if made != said:
            return made


def plural_too(names: Iterable[str]) -> str:
    """All names in both numbers, in lower case."""
    return " ".join(f"{name} {plural(name)}" for name in names).lower()


def _named(noun: str, slot: Slot) -> str:
    return plural(noun) if slot.plural else noun
