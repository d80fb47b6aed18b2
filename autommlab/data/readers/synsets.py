"""Names for WordNet ids: a folder "n01440764" is a tench.

The words come from timm's data files, which are read without importing timm.
"""

import importlib.util
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from autommlab.data.names import clean_name

_SYNSET = re.compile(r"n\d{8}")


def is_synset(name: str) -> bool:
    """Whether `name` is a WordNet noun id as ImageNet uses them."""
    return _SYNSET.fullmatch(name) is not None


@cache
def _timm_lines(name: str) -> tuple[str, ...]:
    found = importlib.util.find_spec("timm")
    if found is None or not found.submodule_search_locations:
        return ()
    path = Path(found.submodule_search_locations[0]) / "data" / "_info" / name
    return tuple(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ()


@cache
def _lemmas() -> dict[str, str]:
    return dict(line.split("\t", 1) for line in _timm_lines("imagenet_synset_to_lemma.txt") if "\t" in line)


def imagenet_synsets() -> list[str]:
    """The 1,000 ids of ILSVRC 2012 in label order."""
    return [line.strip() for line in _timm_lines("imagenet_synsets.txt") if line.strip()]


def readable_classes(
    names: Sequence[str], synonyms: bool = False
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Class names people use, and the other names of each.

    Args:
        names: class names or WordNet ids in label order.
        synonyms: the names are lines "tench, Tinca tinca"; else a comma is part of a name.

    Returns:
        (names, class -> other names); a name that would come twice ("crane") gets its id or number added.
    """
    words = [_words(name, synonyms) for name in names]
    counts = Counter(first for first, *_ in words)
    classes = tuple(
        first if counts[first] == 1 else f"{first} ({name if is_synset(name) else index})"
        for index, (name, (first, *_)) in enumerate(zip(names, words, strict=True))
    )
    aliases = {
        chosen: tuple(dict.fromkeys(other for other in (*rest, name) if other != chosen))
        for chosen, name, (_, *rest) in zip(classes, names, words, strict=True)
        if is_synset(name) or rest
    }
    return classes, aliases


def _words(name: str, synonyms: bool) -> list[str]:
    text = clean_name(_lemmas().get(name, name) if is_synset(name) else name)
    if not synonyms and not is_synset(name):
        return [text or name]
    return [word.strip() for word in text.split(",") if word.strip()] or [name]
