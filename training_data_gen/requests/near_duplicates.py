"""Requests in nearly the same words. Between two sets they let an adapter be measured on what it has learned."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Jaccard similarity of word sets from which two requests count as nearly the same. Chosen on the handwritten training
#: requests alone: of all pairs of the 2,014 of November 26, the most alike have 0.43.
NEARLY_THE_SAME = 0.5


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A text that is nearly another one.

    Attributes:
        id, of: the text, and the one that it repeats.
        similarity: Jaccard similarity of their word sets, from 0 to 1.
    """

    id: str
    of: str
    similarity: float


class WordSetIndex:
    """Texts in which near-duplicates of another text are found without a comparison of all pairs.

    Uses the prefix filter of set similarity joins (Chaudhuri, Ganti and Kaushik 2006): two sets that are similar enough
    share one of their first words in any order of words. The rarest words come first, so that few sets share them.
    """

    def __init__(self, texts: Iterable[tuple[str, str]], threshold: float = NEARLY_THE_SAME) -> None:
        """An index of texts.

        Args:
            texts: (id, text) of each.
            threshold: similarity from which a text is a near-duplicate, above 0 and at most 1.

        Raises:
            ValueError: the threshold is out of its range.
        """
        if not 0 < threshold <= 1:
            raise ValueError(f"the threshold is {threshold}, must be above 0 and at most 1")
        self._threshold = threshold
        sets = [(name, word_set(text)) for name, text in texts]
        self._uses = Counter(word for _, words in sets for word in words)
        self._bits = {word: 1 << place for place, word in enumerate(self._uses)}
        #: Id, size, and the words as bits of one number: so intersecting two sets costs a tenth.
        self._sets = [(name, len(words), self._mask(words)) for name, words in sets]
        self._with_word: defaultdict[str, list[int]] = defaultdict(list)
        for place, (_, words) in enumerate(sets):
            for word in self._prefix(words):
                self._with_word[word].append(place)

    def nearest(self, name: str, text: str) -> NearDuplicate | None:
        """The text under another id than `name` that `text` is nearly the same as; the most similar one of several."""
        words = word_set(text)
        size, mask = len(words), self._mask(words)
        # Sets of more different sizes cannot be similar enough.
        least, most = self._threshold * size, size / self._threshold
        best = None
        for place in sorted({place for word in self._prefix(words) for place in self._with_word.get(word, ())}):
            other, others_size, others_mask = self._sets[place]
            if other == name or not least <= others_size <= most:
                continue
            shared = (mask & others_mask).bit_count()
            similarity = shared / (size + others_size - shared)
            if similarity >= max(self._threshold, best.similarity if best else 0.0):
                best = NearDuplicate(name, other, similarity)
        return best

    def _mask(self, words: frozenset[str]) -> int:
        return sum(self._bits[word] for word in words if word in self._bits)

    def _prefix(self, words: frozenset[str]) -> list[str]:
        ordered = sorted(words, key=lambda word: (self._uses[word], word))
        # A hair less than the product, so that a rounding error upwards shortens no prefix.
        return ordered[: len(ordered) - math.ceil(self._threshold * len(ordered) - 1e-9) + 1]


def refuse_near_duplicates(texts: Sequence[tuple[str, str]], measured: Sequence[tuple[str, str]] = ()) -> None:
    """Refuse texts that are nearly one of their own number, or nearly one of a set that an adapter is measured on.

    Args:
        texts: (id, text) of what is to be learned from.
        measured: (id, text) of the test and development sets.

    Raises:
        ValueError: lists the ids of all such pairs; never a text, as nobody who writes training data may read the sets.
    """
    index = WordSetIndex([*measured, *texts])
    found = [nearest for name, text in texts if (nearest := index.nearest(name, text)) is not None]
    if found:
        pairs = ", ".join(f"{one.id} of {one.of} ({one.similarity:.2f})" for one in found)
        raise ValueError(
            f"{len(found)} request(s) repeat another in nearly the same words (they share at least "
            f"{NEARLY_THE_SAME:.0%} of all words of both): {pairs}; write them anew or take them out"
        )


def word_set(text: str) -> frozenset[str]:
    """The words and numbers of a text, without case."""
    return frozenset(re.findall(r"\w+", text.casefold()))
