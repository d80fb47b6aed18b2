"""Which meaning a class name has in its data set ("mouse" beside "keyboard" is the device).

Most class names have several meanings in WordNet. The one is taken that can be
seen in a picture and lies nearest to what the other classes can mean, with a
small preference for the more usual one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from autommlab.data.names import alternatives, head, imagenet_id, plain_name, singular
from autommlab.data.wordnet import Synset, WordNet, wordnet

#: WordNet's lexicographer files of things that can be seen: top kinds, animal, artifact, body, food,
#: natural object, person, plant, substance.
_VISIBLE = frozenset({3, 5, 6, 8, 13, 17, 18, 20, 27})
PERSON, _FOOD, _PLANT = 18, 13, 20
#: Longer names are looked up only as they are (their spellings grow threefold with each word).
_MOST_WORDS = 5
#: Meanings of a name that are looked at at all; those further down are remote.
_FIRST = 5
#: How much nearer to the other classes a less usual meaning has to be, per place further down.
_RANK_COST = 0.02
_LARGE_SET = 10
#: A class "no helmet" is not a helmet.
_NEGATION = frozenset({"no", "non", "not", "without", "un"})
#: Classes whose meaning is told by a companion in the same set rather than by their neighbours in
#: WordNet: name -> (companions, a word that only the meant sense has above or beside it).
_BY_COMPANION: dict[str, tuple[frozenset[str], str]] = {
    "mouse": (frozenset({"keyboard", "laptop", "computer", "monitor"}), "device"),
    "kite": (frozenset({"skateboard", "surfboard", "frisbee", "skis", "sports ball"}), "artifact"),
    "bus": (frozenset({"truck", "train", "motorcycle", "bicycle", "taxi"}), "public transport"),
    "boat": (frozenset({"airplane", "train", "truck", "car", "bus", "ship"}), "vehicle"),
    "tie": (frozenset({"backpack", "handbag", "umbrella", "suitcase", "shirt", "hat"}), "clothing"),
    "knife": (frozenset({"fork", "spoon", "bowl", "cup"}), "cutlery"),
    "hot dog": (frozenset({"pizza", "sandwich", "donut", "cake"}), "food"),
}


class ClassSenses:
    """The meanings of the classes of one data set."""

    def __init__(self, classes: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> None:
        """Settle a meaning for every class; `aliases` (class -> other names) narrow the choice."""
        self._net = wordnet()
        self._whole = dict.fromkeys(classes, True)
        candidates = {name: self._candidates(name, aliases.get(name, ())) for name in dict.fromkeys(classes)}
        self._context = _reach(self._net, candidates)
        # In a large set some single class is near to any meaning by chance.
        self._company = 1 if len(candidates) < _LARGE_SET else 2
        known = {plain_name(name) for name in candidates}
        self.meaning = {name: self._settle(name, found, known) for name, found in candidates.items()}

    def whole(self, name: str) -> bool:
        """Whether the meaning is that of the whole name, not only of its last noun ("sports ball" -> "ball")."""
        return self._whole[name]

    def _candidates(self, name: str, aliases: Sequence[str]) -> tuple[Synset, ...]:
        wnid = next(filter(None, map(imagenet_id, (name, *aliases))), None)
        if wnid and (synset := self._net.by_imagenet_id(wnid)):
            return (synset,)
        names = (*alternatives(name), *(plain_name(alias) for alias in aliases))
        per_name = [found for found in map(noun_senses, names) if found]
        self._whole[name] = bool(per_name)
        if not per_name:
            return noun_senses(head(names[0])) if names and not _NEGATION & set(names[0].split()) else ()
        shared = Counter(synset for found in per_name for synset in found)
        most = max(shared[synset] for synset in per_name[0])
        return tuple(synset for synset in per_name[0] if shared[synset] == most)

    def _settle(self, name: str, found: Sequence[Synset], known: set[str]) -> Synset | None:
        if len(found) < 2:
            return found[0] if found else None
        companions, mark = _BY_COMPANION.get(plain_name(name), (frozenset(), ""))
        if companions & known:
            marked = [s for s in found if any(mark in self._net.synset(up).lemmas for up in self._net.above(s.offset))]
            found = marked or found
        return max(found, key=lambda s: self._fit(s, name) - _RANK_COST * found.index(s))

    def _fit(self, synset: Synset, name: str) -> float:
        """Depth of the deepest meaning above `synset` that other classes may have too, as a share of its own."""
        own = self._net.depth(synset.offset)
        shared = [up for up in self._net.above(synset.offset) if len(self._context[up] - {name}) >= self._company]
        return max((self._net.depth(up) for up in shared), default=0) / max(own, 1)


def noun_senses(name: str) -> tuple[Synset, ...]:
    """Usual meanings of a plain name (or of its singular), those that can be seen where there are such."""
    net = wordnet()
    # "Glasses" are spectacles, but "people" are persons more than they are a people.
    known = bool(net.senses(name)) and name != "people"
    forms = (name,) if known else dict.fromkeys((name, singular(name)))
    found = [s for form in forms for spelling in _spellings(form) for s in net.senses(spelling) if not s.proper]
    first = tuple(dict.fromkeys(found))[:_FIRST]
    visible = tuple(s for s in first if s.topic in _VISIBLE)
    # A word that also names a sort of person ("sneaker" an informer, "red" a communist) means that person
    # only where this is its most usual meaning.
    if first and first[0].topic != PERSON:
        first = tuple(s for s in first if s.topic != PERSON) or first
        visible = tuple(s for s in visible if s.topic != PERSON)
    seen = visible or first
    # Who photographs broccoli means what is eaten; WordNet has the plant beside the food.
    food = any(s.topic == _FOOD for s in seen)
    return tuple(s for s in seen if not (food and s.topic == _PLANT))


def concrete(name: str) -> bool:
    """Whether a name is known and usually means something that can be seen ("cat"; not "gesture")."""
    return any(synset.topic in _VISIBLE for synset in noun_senses(plain_name(name))[:1])


def _spellings(name: str) -> Iterator[str]:
    """A plain name as WordNet may write it: with each of its spaces kept, hyphenated or closed."""
    words = name.split(" ")
    if len(words) > _MOST_WORDS:
        yield name
        return
    for joints in product((" ", "-", ""), repeat=len(words) - 1):
        yield "".join(word + joint for word, joint in zip(words, (*joints, ""), strict=True))


def _reach(net: WordNet, candidates: Mapping[str, Sequence[Synset]]) -> dict[int, set[str]]:
    """Every meaning above a candidate -> the classes that may have it."""
    reach: dict[int, set[str]] = {}
    for name, found in candidates.items():
        for synset in found:
            for up in net.above(synset.offset):
                reach.setdefault(up, set()).add(name)
    return reach
