"""Which classes of a data set the objects of a request mean.

Spelling comes first (exact, plural, alias, initials), then meaning: synonyms, then
all classes below a general noun ("bird", "vehicle"), and as a last resort a near
class, which is always named to the user as such.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from rapidfuzz import fuzz

from autommlab.data.names import alternatives, head, initials_of, plain_name, plural_of, same, same_words, singular
from autommlab.data.senses import PERSON, ClassSenses, noun_senses
from autommlab.data.wordnet import Synset, WordNet, wordnet
from autommlab.tasks import Task

Kind = Literal["exact", "plural", "alias", "initials", "order", "synonym", "hypernym", "near"]
_ORDER: dict[str, int] = {kind: rank for rank, kind in enumerate(get_args(Kind))}
#: Kinds under which class and object are the same thing.
_SAME_THING = frozenset({"exact", "plural", "alias", "initials", "order", "synonym"})
#: Names of the class of a mask that stands for "none of the others".
BACKGROUND = frozenset({"background", "bg", "unlabeled", "unlabelled", "void"})
#: What people say and WordNet 3.0 does not know (or only under a rarer meaning): same thing.
_EVERYDAY: tuple[frozenset[str], ...] = (
    frozenset({"bicycle", "bike"}),
    frozenset({"motorcycle", "motorbike"}),
    frozenset({"person", "human", "human being"}),
    frozenset({"tv", "tv monitor", "television", "television set", "tv screen"}),
    frozenset({"tv monitor", "monitor", "screen"}),
    frozenset({"helmet", "hard hat", "hardhat", "safety helmet"}),
    frozenset({"cell phone", "smartphone", "mobile phone", "mobile"}),
)
#: Kinds of things that WordNet 3.0 files elsewhere: class -> general nouns that include it.
_ALSO_A: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("train", "bus", "tram"), ("vehicle",)),
    "platelet": ("blood cell",),
}
#: Meanings of an object that are looked at; those further down are remote.
_OBJECT_SENSES = 3
#: Most steps up from an object to a class that is broader ("pedestrian" -> "traveler" -> "person").
_BROADER_STEPS = 3
_FOOD = 13


def things(names: Iterable[str], task: Task) -> list[str]:
    """The names without the background, each once: only a mask has a background, other data may have such a class."""
    return [n for n in dict.fromkeys(names) if task is not Task.SEGMENTATION or plain_name(n) not in BACKGROUND]


@dataclass(frozen=True, slots=True)
class SourceClass:
    """A class of a data set that serves a target.

    Attributes:
        kind: how it was found.
        steps: 0 for the same thing, else steps in WordNet between the two meanings.
    """

    name: str
    kind: Kind
    steps: int = 0

    def rank(self) -> tuple[int, int]:
        """Smaller is a better match."""
        return _ORDER[self.kind], self.steps


@dataclass(frozen=True, slots=True)
class Match:
    """What the classes of a data set give for the objects of a request.

    Attributes:
        targets: object -> its classes, best first; every class serves one object only.
        missing: objects without a class.
        repeated: object -> the object that means the same and stands for both.
    """

    targets: dict[str, tuple[SourceClass, ...]]
    missing: tuple[str, ...] = ()
    repeated: dict[str, str] = field(default_factory=dict)

    def worst(self) -> int:
        """Rank of the weakest kind used: 0 all exact ... 7 something only near; 8 nothing matched."""
        ranks = [min(_ORDER[c.kind] for c in found) for found in self.targets.values()]
        return max(ranks, default=len(_ORDER))


def match_classes(objects: Sequence[str], classes: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> Match:
    """Find the classes that the objects of a request mean.

    Args:
        objects: as people name them, singular or plural.
        classes: of one data set, without its background; "tench, Tinca tinca" and "n01440764" are understood.
        aliases: class -> other names of it.

    Returns:
        The match. A class that fits several objects goes to the most specific one.
    """
    usable = list(dict.fromkeys(classes))
    matcher = _Matcher(usable, aliases)
    wanted = list(dict.fromkeys(objects))
    options = {thing: matcher.options(thing) for thing in wanted}
    owner: dict[str, str] = {}
    for name in usable:
        takers = [(found.rank(), thing) for thing in wanted for found in options[thing] if found.name == name]
        if takers:
            owner[name] = min(takers, key=lambda taker: taker[0])[1]
    targets: dict[str, tuple[SourceClass, ...]] = {}
    missing, repeated = [], {}
    for thing in wanted:
        kept = sorted((c for c in options[thing] if owner[c.name] == thing), key=SourceClass.rank)
        twins = [owner[c.name] for c in options[thing] if c.kind in _SAME_THING]
        if kept:
            targets[thing] = tuple(kept)
        elif twins:
            repeated[thing] = twins[0]
        else:
            missing.append(thing)
    return Match(targets, tuple(missing), repeated)


class _Matcher:
    """The classes of one data set, ready to be asked for objects."""

    def __init__(self, classes: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> None:
        self._net = wordnet()
        self._senses = ClassSenses(classes, aliases)
        self._meanings = {name: synset for name, synset in self._senses.meaning.items() if synset}
        self._names = {name: alternatives(name) for name in classes}
        self._aliases = {name: tuple(plain_name(alias) for alias in aliases.get(name, ())) for name in classes}

    def options(self, thing: str) -> list[SourceClass]:
        """Classes that fit an object, by the first way that finds any."""
        name = plain_name(thing)
        spelt = [SourceClass(c, kind) for c in self._names if (kind := self._spelling(name, c))]
        if spelt:
            return [*spelt, *self._kinds_of(spelt)]
        return self._synonyms(name) or self._below(name) or self._near(name)

    def _spelling(self, name: str, class_name: str) -> Kind | None:
        first, *more = self._names[class_name] or ("",)
        others = (*more, *self._aliases[class_name])
        if same(name, first):
            return "exact"
        if plural_of(name, first):
            return "plural"
        if any(same(name, other) or plural_of(name, other) for other in others):
            return "alias"
        if initials_of(name, first):
            return "initials"
        return "order" if any(same_words(name, other) for other in (first, *others)) else None

    def _kinds_of(self, spelt: Sequence[SourceClass]) -> list[SourceClass]:
        """Further classes that are kinds of a class found by its name ("parrot" beside "bird")."""
        taken = {c.name for c in spelt}
        tops = [
            self._meanings[c.name]
            for c in spelt
            if c.kind in ("exact", "plural") and self._senses.whole(c.name) and c.name in self._meanings
        ]
        found = {}
        for top in tops:
            for name, steps in self._classes_below(top):
                if name not in taken and not (steps == 0 and not self._senses.whole(name)):
                    found[name] = SourceClass(name, "hypernym" if steps else "synonym", steps)
        return list(found.values())

    def _synonyms(self, name: str) -> list[SourceClass]:
        forms = {name, singular(name)}
        everyday = {twin for group in _EVERYDAY if forms & group for twin in group}
        found = [c for c, names in self._names.items() if everyday & {*names, *map(singular, names)}]
        for synset in () if found else noun_senses(name)[:_OBJECT_SENSES]:
            found = [c for c, meaning in self._meanings.items() if meaning == synset and self._senses.whole(c)]
            if found:
                break
        return [SourceClass(c, "synonym") for c in found]

    def _below(self, name: str) -> list[SourceClass]:
        """Classes below the one meaning of a general noun that covers most of them."""
        per_sense = [(synset, self._classes_below(synset)) for synset in noun_senses(name)[:_OBJECT_SENSES]]
        best = max(per_sense, key=lambda pair: len(pair[1]), default=None)
        found: dict[str, int] = {}
        for synset, below in per_sense:
            if best and _topic(synset) == _topic(best[0]):
                found.update({c: min(steps, found.get(c, steps)) for c, steps in below})
        found.update({c: 1 for c in self._also_a(name) if c not in found})
        return [SourceClass(c, "hypernym", max(steps, 1)) for c, steps in found.items()]

    def _classes_below(self, top: Synset) -> list[tuple[str, int]]:
        above = ((c, self._net.above(meaning.offset)) for c, meaning in self._meanings.items())
        return [(c, ups[top.offset]) for c, ups in above if top.offset in ups]

    def _also_a(self, name: str) -> Iterator[str]:
        general = singular(name)
        for class_name, names in self._names.items():
            first = singular(names[0]) if names else ""
            nouns: tuple[str, ...] = _ALSO_A.get(first, ())
            if first.isdigit():
                nouns = ("digit", "number", "numeral")
            elif len(first) == 1 and first.isalpha():
                nouns = ("letter", "character")
            if general in nouns:
                yield class_name

    def _near(self, name: str) -> list[SourceClass]:
        senses = noun_senses(name)[:_OBJECT_SENSES]
        if not senses and head(name) != name:
            # WordNet has no such compound: it is some kind of its last noun.
            return [SourceClass(c.name, "near", c.steps + 1) for c in self.options(head(name))]
        close = [*self._siblings(name, senses), *self._broader(senses)]
        nearest = min((c.steps for c in close), default=0)
        return list({c.name: c for c in close if c.steps == nearest}.values())

    def _broader(self, senses: Sequence[Synset]) -> Iterator[SourceClass]:
        # A thing that also names a person ("monitor") is not meant as one.
        things = [synset for synset in senses if synset.topic != PERSON]
        for synset in things or senses:
            ups = self._net.above(synset.offset)
            for c, meaning in self._meanings.items():
                if self._senses.whole(c) and 1 <= ups.get(meaning.offset, 0) <= _BROADER_STEPS:
                    yield SourceClass(c, "near", ups[meaning.offset] + 1)

    def _siblings(self, name: str, senses: Sequence[Synset]) -> Iterator[SourceClass]:
        """Classes under the same parent that share the last noun: "running shoe", "sneaker" (a "tennis shoe")."""
        for synset in senses:
            heads = {head(lemma) for lemma in (singular(name), *synset.lemmas) if " " in lemma}
            for c, meaning in self._meanings.items():
                shared = heads & {head(lemma) for lemma in meaning.lemmas if " " in lemma}
                if shared and set(synset.hypernyms) & set(meaning.hypernyms) and self._senses.whole(c):
                    yield SourceClass(c, "near", 1)


def _topic(synset: Synset) -> int:
    # WordNet files the top noun "food" apart from the foods.
    return _FOOD if "food" in synset.lemmas else synset.topic


#: Likeness of spelling below this share is chance.
_LEAST_SPELLING = 0.6


def closest_classes(thing: str, classes: Sequence[str], limit: int = 4) -> list[str]:
    """The classes nearest to `thing` by spelling or by meaning, best first; all where there are few.

    Args:
        thing: an object of a request.
        classes: of one data set, without its background.
        limit: most names returned.
    """
    usable = list(dict.fromkeys(classes))
    if len(usable) <= limit:
        return usable
    net, name = wordnet(), plain_name(thing)
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
