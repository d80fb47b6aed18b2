"""Where a handwritten text names the things to be seen: one by one, or as a list that can grow and shrink."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from training_data_gen.requests.corpus import Written
from training_data_gen.requests.nouns import ALTERNATIVES, domains_of, is_mass, plural
from training_data_gen.requests.slots import Claims, Slot, Span

_JOINER = re.compile(
    r"(?P<joined>,? (?:and|or|plus|vs\.?|versus|from|and each|and every|and all|and the|or the|and also) |, | / |/"
    r"| \+ | & )"
    r"(?P<article>an? )?$"
)
#: Domains in which a name with one form for both numbers is mostly a plural ("two sheep").
_ALIVE = frozenset({"farm animal", "wild animal", "sea animal", "insect"})
_WORD = r"(?<![\w-]){}(?![\w-])"


def object_spans(written: Written, taken: Claims) -> list[Span]:
    """Spans of the mentions of all objects; none if one of them is not found as it is labelled."""
    names = written.parse.data.object
    if not names or not _replaceable(names):
        return []
    mentions: list[Span] = []
    claims = Claims(taken)
    for number in sorted(range(len(names)), key=lambda n: -len(names[n])):
        found = 0
        for form, many in ((plural(names[number]), True), (names[number], False)):
            for match in re.finditer(_WORD.format(re.escape(form)), written.text, re.IGNORECASE):
                mass = is_mass(names[number])
                one = mass and (_counted(written.text[: match.start()]) or not domains_of(names[number]) & _ALIVE)
                slot = Slot("object", number, match.group(), plural=many and not one)
                if claims.claim(*match.span(), slot):
                    mentions.append(Span(*match.span(), slot))
                    found += 1
        if not found:
            return []
    mentions.sort(key=lambda span: span.start)
    mentions = _agreed(mentions, names)
    listed = _list(written.text, mentions, len(names))
    return [listed] if listed else mentions


def _counted(before: str) -> bool:
    """Whether a singular stands after this text."""
    return re.search(r"\b(?:each|every|an?|one|any|which|single)\s$", before, re.IGNORECASE) is not None


def _agreed(mentions: list[Span], names: tuple[str, ...]) -> list[Span]:
    """Mass nouns, whose number shows in no letter, in the number of the others."""
    told = [span.slot.plural for span in mentions if not is_mass(names[span.slot.number])]
    if not told or len(told) == len(mentions):
        return mentions
    return [
        Span(span.start, span.end, replace(span.slot, plural=told[0])) if is_mass(names[span.slot.number]) else span
        for span in mentions
    ]


def _replaceable(names: tuple[str, ...]) -> bool:
    return names in ALTERNATIVES or any(domains_of(name) for name in names) or len(names) == 1


def _list(text: str, mentions: list[Span], objects: int) -> Span | None:
    """One span for all mentions, where they are a single list in the order of the labels."""
    if [span.slot.number for span in mentions] != list(range(objects)):
        return None
    joined, article = "", False
    for one, other in pairwise(mentions):
        between = _JOINER.fullmatch(text[one.end : other.start])
        if between is None or one.slot.plural != other.slot.plural:
            return None
        joined, article = between["joined"], bool(between["article"])
    after = text[mentions[-1].end : mentions[-1].end + 2]
    if objects == 1 and after.startswith(("'", "-")):
        return None
    start, end = mentions[0].start, mentions[-1].end
    first = mentions[0].slot
    slot = Slot("objects", 0, text[start:end], plural=first.plural, joined=joined, article=article)
    return Span(start, end, slot)
