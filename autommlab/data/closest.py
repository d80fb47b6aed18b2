"""The classes that come closest to an object that no class fits: for error messages only."""

from collections.abc import Sequence

from rapidfuzz import fuzz

from autommlab.data.match import BACKGROUND
from autommlab.data.names import alternatives, head, plain
from autommlab.data.senses import noun_senses
from autommlab.data.wordnet import WordNet, wordnet

#: Likeness of spelling below this share is chance.
_LEAST_SPELLING = 0.6


def closest_classes(thing: str, classes: Sequence[str], limit: int = 4) -> list[str]:
    """The classes nearest to `thing` by spelling or by meaning, best first; all where there are few.

    Args:
        thing: an object of a request.
        classes: of one data set.
        limit: most names returned.
    """
    usable = [name for name in dict.fromkeys(classes) if plain(name) not in BACKGROUND]
    if len(usable) <= limit:
        return usable
    net, name = wordnet(), plain(thing)
    wanted = (noun_senses(name) or noun_senses(head(name)))[:2]
    ups = [net.above(synset.offset) for synset in wanted]

    def likeness(class_name: str) -> float:
        names = alternatives(class_name) or ("",)
        spelling = fuzz.ratio(name, names[0]) / 100
        senses = (noun_senses(names[0]) or noun_senses(head(names[0])))[:2]
        meaning = max((_relatedness(net, up, net.above(s.offset)) for up in ups for s in senses), default=0.0)
        return max(spelling if spelling >= _LEAST_SPELLING else 0.0, meaning)

    return sorted(usable, key=likeness, reverse=True)[:limit]


def _relatedness(net: WordNet, one: dict[int, int], other: dict[int, int]) -> float:
    """Depth of the deepest shared meaning against the steps to it from both (Wu and Palmer 1994), 0 to 1."""
    shared = one.keys() & other.keys()
    return max((2 * d / (2 * d + one[up] + other[up]) for up in shared if (d := net.depth(up))), default=0.0)
