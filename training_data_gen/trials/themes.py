"""Class subsets of the embedded sets: which go together, and which only held-out tasks may use.

The reserved classes of a data set are disjoint from those that source tasks draw from, so a held-out
bag is about things that no adapter has seen. People are the one exception: there is one class of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple


class ClassPool(NamedTuple):
    """Themes (classes that look or mean alike) for source tasks, and the subsets of held-out tasks."""

    themes: tuple[tuple[str, ...], ...]
    reserved: tuple[tuple[str, ...], ...]


_THINGS = ClassPool(
    themes=(
        ("cat", "dog", "rabbit"),
        ("fox", "lion", "tiger", "bear", "monkey"),
        ("horse", "cow", "sheep", "pig", "chicken"),
        ("eagle", "parrot", "owl", "penguin", "flamingo"),
        ("car", "bus", "truck", "motorcycle", "bicycle"),
        ("banana", "apple", "orange", "strawberry"),
        ("pizza", "hamburger", "hot dog", "donut", "cake"),
        ("cup", "bowl", "bottle", "wine glass"),
        ("fork", "knife", "spoon"),
        ("laptop", "keyboard", "cell phone", "book", "tv"),
        ("hammer", "wrench", "screwdriver", "scissors"),
        ("backpack", "handbag", "suitcase", "umbrella"),
        ("flower", "tree", "cactus", "mushroom"),
        ("turtle", "butterfly", "bee"),
    ),
    reserved=(
        ("elephant", "zebra", "giraffe"),
        ("chair", "couch", "bed", "dining table", "toilet"),
        ("clock", "guitar", "camera", "light bulb"),
        ("airplane", "helicopter", "boat", "train", "tractor"),
        ("broccoli", "carrot"),
        ("traffic light", "stop sign", "fire extinguisher"),
    ),
)
_DIGITS = ClassPool(themes=(tuple("0123456"),), reserved=(tuple("789"), tuple("79"), tuple("89")))
_ANIMALS = ClassPool(
    themes=(("cat", "dog", "fox", "tiger"), ("horse", "sheep", "cow", "deer")),
    reserved=(("pig", "zebra", "giraffe"), ("pig", "giraffe"), ("zebra",)),
)
_PEOPLE = ClassPool(themes=(("person",),), reserved=(("person",),))

POOLS = {
    "openmoji-objects": _THINGS,
    "openmoji-scenes": _THINGS,
    "openmoji-masks": _THINGS,
    "digits": _DIGITS,
    "drawn-animals": _ANIMALS,
    "drawn-people": _PEOPLE,
}


def draw_classes(pool: ClassPool, count: int, *, alike: bool, rng: random.Random) -> tuple[str, ...]:
    """A subset of the classes open to source tasks.

    Args:
        pool: of the data set.
        count: classes wanted; fewer if the pool has no more.
        alike: fill it theme by theme, so that the classes are hard to tell apart; otherwise take
            each class from another theme as long as there are any.
        rng: the only source of chance.
    """
    themes = [rng.sample(theme, len(theme)) for theme in rng.sample(pool.themes, len(pool.themes))]
    if not alike:
        themes = [list(turn) for turn in _turns(themes)]
    return tuple([name for theme in themes for name in theme][:count])


def _turns(themes: Sequence[Sequence[str]]) -> list[list[str]]:
    longest = max(map(len, themes))
    return [[theme[turn] for theme in themes if turn < len(theme)] for turn in range(longest)]
