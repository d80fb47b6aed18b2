"""What happens to a text between head and screen: slips of the finger, missing capitals and full stops."""

from __future__ import annotations

import random
import re

_WORD = re.compile(r"[a-z]{4,}")
#: Words that decide about a label stay readable.
_KEPT = frozenset(
    re.findall(
        r"\w+",
        "million thousand billion hundred percent half quarter tenth second seconds minute minutes hour milliseconds "
        "frames images pictures without three four five seven eight nine eleven twelve only least most over under "
        "below above infrared thermal grayscale satellite depth precision accuracy recall pixel average mean",
    )
)
_NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "werytioupqsdfghjklkxcvbnmn", strict=True))
_SHORT = {
    "please": "pls", "you": "u", "your": "ur", "pictures": "pics", "picture": "pic", "photos": "fotos", "with": "w",
    "and": "n", "for": "4", "because": "bc", "something": "smth", "thanks": "thx", "parameters": "params",
    "are": "r", "people": "ppl", "about": "abt", "without": "w/o",
}  # fmt: skip


def typos(text: str, rng: random.Random, share: float, kept: frozenset[str] = frozenset()) -> str:
    """A piece of text without labels, with that share of its longer words mistyped, those in `kept` never."""

    def maybe(match: re.Match[str]) -> str:
        word = match.group()
        return mistyped(word, rng) if word not in _KEPT | kept and rng.random() < share else word

    return _WORD.sub(maybe, text)


def mistyped(word: str, rng: random.Random) -> str:
    """A word with one slip: letters swapped, one missing, doubled, or its neighbour on the keyboard."""
    place = rng.randrange(1, len(word) - 1)
    head, tail = word[:place], word[place:]
    kind = rng.randrange(4)
    if kind == 0:
        return head + tail[1] + tail[0] + tail[2:]
    if kind == 1:
        return head + tail[1:]
    if kind == 2:
        return head + tail[0] + tail
    return head + _NEIGHBOURS.get(tail[0], tail[0]) + tail[1:]


def shortened(text: str, rng: random.Random) -> str:
    """Usual words in the spelling of short messages."""
    return re.sub(
        r"\b(?:" + "|".join(_SHORT) + r")\b",
        lambda match: _SHORT[match.group()] if rng.random() < 0.6 else match.group(),
        text,
    )


def careless(text: str, rng: random.Random) -> str:
    """A text with its sentences run together, without apostrophes or without its last full stop."""
    kind = rng.random()
    if kind < 0.35:
        return text.rstrip().removesuffix(".")
    if kind < 0.6:
        return re.sub(r"(?<=[a-z0-9%])\. (?=[A-Z])", rng.choice((", ", " ", "; ", " - ")), text).rstrip(" .")
    if kind < 0.75:
        return re.sub(r"(?<=[a-z0-9%])\. ", ".\n", text)
    if kind < 0.9:
        return text.replace("'", "")
    return re.sub(r"(?<=[a-z]), (?=[a-z])", ",", text)
