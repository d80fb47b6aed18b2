"""What an answer may name as objects: phrases of the person's own text, in singular and plural.

A small language model spells rare words wrongly when it repeats them ("rhine" for "rhinos"). With these phrases as the
grammar of the field it can only copy. A noun that is said once for several things ("ripe and overripe hop cones") may
follow each of the words that a list sets apart. Of the objects that the development requests are labelled with, all
can be copied so, and of the 19,294 of the handwritten training requests all but 47: most are spelt wrongly there, or
put together from words that are not neighbours.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator

#: Longest phrase, and most phrases; a text with more is read without them, as its grammar would take seconds.
_LONGEST, _MOST = 6, 4000
#: Labels that stand for what a text only hints at ("facial landmarks", "what people do").
_ALWAYS = ("person", "human", "face", "hand", "animal")
_WORD = re.compile(r"[^\W_][\w'\u2019+.-]*")
_EDGE = ".'\u2019-"
#: What is a word with its full stops or strokes only: "E. coli", "O/W", "V.I.P.".
_MARKED = re.compile(r"(?<![^\s(\"])(?:[A-Z][a-z]?\.(?=\s[^\W\d_])|(?:[A-Z]\.){2,}|[^\W_]+(?:/[^\W_]+)+)")
_POSSESSIVE = re.compile(r"['\u2019]s$")
#: Scripts that set no spaces between words: there a "word" is a sentence.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
#: (ending of a plural, that of its singular); wrong singulars do no harm, as the model chooses.
_ENDINGS = (
    ("ies", "y"), ("ies", "ie"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("es", "is"), ("s", ""), ("men", "man"),
    ("ae", "a"), ("i", "us"), ("a", "um"), ("a", "on"), ("ata", "a"), ("ices", "ex"), ("ices", "ix"), ("eaux", "eau"),
    ("zzes", "z"),
)  # fmt: skip
_IRREGULAR = {
    "people": "person", "children": "child", "teeth": "tooth", "feet": "foot", "geese": "goose", "mice": "mouse",
    "lice": "louse", "oxen": "ox", "dice": "die",
}  # fmt: skip
_SHORTEST_PLURAL = 4
#: Between the items of a list: "copper, pex or galvanised pipe", "fuse: blown / intact", "is it sound?".
_BETWEEN = re.compile(
    r"""[][,;:/|()>?.!=&"\u2013\u2014]|\s-\s|(?<![\w-])(?:and|or|n|vs|versus|from|to|is|are|a|an|the)(?![\w-])""",
    re.IGNORECASE,
)
#: Longest words of an item before the shared noun ("second winter"), and longest shared noun ("hallux valgus").
_LONGEST_ITEM, _LONGEST_SHARED = 3, 3


@functools.lru_cache(maxsize=64)
def phrases(text: str) -> tuple[str, ...]:
    """Phrases of up to six words, as written and in lower case, each also with its head in the singular.

    Args:
        text: as `clean` leaves it.

    Returns:
        Sorted and without repetition; empty where a list of phrases would not do: a script without spaces, a text
        that is too long, or one without words.
    """
    if _UNSPACED.search(text):
        return ()
    marked = frozenset(_MARKED.findall(text))
    found: set[str] = set()
    for run in itertools.chain(
        _runs(_words(text)), (run for run in _runs(_words(text, marked)) if not marked.isdisjoint(run))
    ):
        for phrase in _forms(run):
            found |= {phrase, phrase.lower()}
        if len(found) > _MOST:
            return ()
    return tuple(sorted({*found, *_ALWAYS})) if found else ()


def _runs(words: list[str]) -> Iterator[list[str]]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + _LONGEST, len(words)) + 1):
            yield words[start:end]


def shared_nouns(text: str) -> str:
    """Pattern of things whose noun the text says once for several: an item of a list, a space, a noun of the text.

    Args:
        text: as `clean` leaves it.

    Returns:
        A regular expression of plain groups; empty where `phrases` is, or nothing is set apart.
    """
    nouns = [phrase for phrase in phrases(text) if phrase.count(" ") < _LONGEST_SHARED]
    items: set[str] = set()
    for segment in _BETWEEN.split(text):
        words = _words(segment)
        for count in range(1, min(_LONGEST_ITEM, len(words)) + 1):
            for run in (words[:count], words[-count:]):
                item = _POSSESSIVE.sub("", " ".join(run))
                items |= {item, item.lower()}
    items.discard("")
    return f"^({_any_of(items)}) ({_any_of(nouns)})$" if nouns and items else ""


def _any_of(words: Iterable[str]) -> str:
    # Grammars know no escaped space or hyphen, which `re.escape` would make.
    return "|".join(re.sub(r"([.+])", r"\\\1", word) for word in sorted(words))


def _words(text: str, marked: frozenset[str] = frozenset()) -> list[str]:
    """The words in order; those of `marked` as they stand."""
    if not marked:
        return [word for found in _WORD.findall(text) if (word := found.strip(_EDGE))]
    found = re.findall(f"{_MARKED.pattern}|{_WORD.pattern}", text)
    return [word for one in found if (word := one if one in marked else one.strip(_EDGE))]


def _forms(words: list[str]) -> list[str]:
    """The phrase as it is, without the possessive ending ("a dancer's heel"), and with its head in the singular.

    The head is the last word, the first one ("robots hanging from the bar"), or both are ("hooks and eyes").
    """
    *before, last = words
    lasts = (last, _POSSESSIVE.sub("", last), *_singulars(last))
    heads = [before, *([form, *before[1:]] for form in _singulars(before[0]))] if before else [before]
    return [" ".join((*head, form)) for head in heads for form in lasts]


def _singulars(word: str) -> list[str]:
    lower = word.lower()
    if lower in _IRREGULAR:
        return [_IRREGULAR[lower]]
    if len(word) < _SHORTEST_PLURAL:
        return []
    return [word[: len(word) - len(plural)] + one for plural, one in _ENDINGS if lower.endswith(plural)]
