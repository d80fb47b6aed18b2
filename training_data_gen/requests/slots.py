"""Slots of a skeleton: where a text carries a label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Kind of slot -> field of the parse that it states; kinds that state nothing are missing.
_FIELDS = {
    "time": "speed", "rate": "speed", "flops": "flops", "parameters": "parameters", "score": "metrics",
    "metric": "metrics", "model": "model", "data": "data", "engine": "engine", "card": "device",
    "device": "device", "object": "object", "objects": "object", "place": "scenario", "modality": "modality",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a skeleton that is filled anew.

    Attributes:
        kind: time, rate, flops, parameters, score, metric, model, data, engine, card, device, object, objects
            (a whole list of them), place, modality or count (a number that means nothing).
        number: which object or metric of the parse.
        written: what stood there.
        decoy: it must not be what is asked for: a refused model, an earlier wish.
        plural: an object's name is in the plural.
        joined: the last separator of a list of objects, as it was written.
        article: each object of a list has its own "a" or "an".
    """

    kind: str
    number: int = 0
    written: str = ""
    decoy: bool = False
    plural: bool = False
    joined: str = ""
    article: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A slot and the text that it stands for."""

    start: int
    end: int
    slot: Slot


Part = str | Slot


class Claims(list[Span]):
    """Spans that do not overlap; the first to claim a piece of text has it."""

    def claim(self, start: int, end: int, slot: Slot) -> bool:
        """Add a span unless a part of it is taken."""
        if any(start < span.end and span.start < end for span in self):
            return False
        self.append(Span(start, end, slot))
        return True


def fields_of(slots: Iterable[Slot]) -> frozenset[str]:
    """Fields of the parse that these slots state."""
    return frozenset(_FIELDS[slot.kind] for slot in slots if slot.kind in _FIELDS and not slot.decoy)


def split_parts(text: str, offset: int, spans: Sequence[Span]) -> tuple[Part, ...]:
    """A text as literal pieces and the slots of `spans`, which are in order and count from `offset`."""
    parts: list[Part] = []
    place = 0
    for span in spans:
        parts += [text[place : span.start - offset], span.slot]
        place = span.end - offset
    parts.append(text[place:])
    return tuple(part for part in parts if part != "")
