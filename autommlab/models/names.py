"""Finds a model by the name that a person writes: "resnet 50", "YOLOX-s", "deeplab v3+"."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from rapidfuzz import fuzz

from autommlab.common.errors import ModelError, nearest
from autommlab.models import zoo
from autommlab.models.records import ModelEntry
from autommlab.models.zoo_names import split_name
from autommlab.tasks import Task

#: Below this similarity a name is unknown.
THRESHOLD = 0.72
#: Matches this close to the best one are the same model in another size or recipe.
SAME_NAME = 0.025
_RESEMBLING = 0.4
_FUZZY_WORD = 80.0
_COST_OF_EXTRA = 0.03
_MOST_EXTRA_COST = 0.2
#: Words of a recipe that leave a model the plain one: batch, schedule, sizes, its usual benchmark.
_PLAIN = re.compile(r"^(\d+xb?\d+|\d+(\.\d+)?[xek]?|in1k|coco|3rdparty|cityscapes|ade20k|voc12aug|ms|mstrain)$")
#: Parts of an architecture that people leave out when they name the usual model.
_IMPLIED = frozenset(
    {"resnet", "50", "fpn", "fcn", "d8", "d16", "d32", "s5", "mit", "mscan", "p16", "p4", "w7"}
    | {"patch", "window", "4", "7", "head", "gn"}
)
_BEST_KNOWN = (
    "ImageNet-1k",
    "COCO",
    "Cityscapes",
    "Body8",
    "ADE20K",
    "Pascal VOC 2012 + Aug",
    "COCO-WholeBody",
    "AP-10K",
)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A model found by name; similarity is between 0 and 1."""

    entry: ModelEntry
    similarity: float


@dataclass(frozen=True, slots=True)
class _Spelling:
    """Canonical tokens of one entry: what it is; how it was trained; which of that is out of the ordinary."""

    entry: ModelEntry
    core: tuple[str, ...]
    recipe: tuple[str, ...]
    special: tuple[str, ...]


def find_models(name: str, task: Task, limit: int = 5) -> list[NameMatch]:
    """The models of `task` that a written name means, best first.

    The order among equally similar ones: the best-known training set, the plain recipe, the
    best score. An exact zoo name always comes first.

    Raises:
        ModelError: no model of the task is called like that; the nearest titles are named.
    """
    matches = _ranked(name, task)
    found = [match for match in matches if match.similarity >= THRESHOLD]
    if not found:
        raise ModelError(
            f"unknown {task} model {name!r}.{_near(name, matches)} `autommlab models list --task {task}` shows all "
            f"{len(zoo.entries(task))}; leave the name out to let the system choose."
        )
    return found[:limit]


def require_known_model(name: str, task: Task | None) -> None:
    """Check a written name before there is any data.

    Args:
        name: as a person writes it.
        task: what the model is for; None = not known yet, a model for any task will do.

    Raises:
        ModelError: no model is called like that; says for which tasks there is one, or the nearest titles.
    """
    ranked = {each: _ranked(name, each) for each in Task}
    fitting = [each for each, matches in ranked.items() if matches and matches[0].similarity >= THRESHOLD]
    if task in fitting or (task is None and fitting):
        return
    if fitting:
        raise ModelError(
            f"{name!r} is a model for {' and '.join(fitting)}, the task is {task}. Name another model (`autommlab "
            f"models list --task {task}`), or leave the name out to let the system choose."
        )
    if task is not None:
        find_models(name, task)
    near = _near(name, sorted(chain.from_iterable(ranked.values()), key=lambda match: -match.similarity))
    raise ModelError(
        f"unknown model {name!r}.{near} `autommlab models list` shows all; leave the name out to let the system choose."
    )


def _near(name: str, matches: Sequence[NameMatch]) -> str:
    """A sentence with the titles that are most like a name, of models in the order of similarity; "" for none."""
    titles = dict.fromkeys(match.entry.title for match in matches)
    resembling = matches and matches[0].similarity > _RESEMBLING
    close = list(titles)[:3] if resembling else nearest(name, titles)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _ranked(name: str, task: Task) -> list[NameMatch]:
    query = tokens(name, _words())
    found: list[tuple[tuple[float, int, int, float, str], NameMatch]] = []
    for spelling in _spellings(task):
        exact = name.strip().lower() == spelling.entry.name.lower()
        similarity = 1.0 if exact else min(_similarity(query, spelling), 0.999)
        rank = (-round(similarity, 4), *_usual_first(query, spelling))
        found.append((rank, NameMatch(spelling.entry, round(similarity, 4))))
    return [match for _, match in sorted(found, key=lambda pair: pair[0])]


def _usual_first(query: tuple[str, ...], spelling: _Spelling) -> tuple[int, int, float, str]:
    entry = spelling.entry
    known = _BEST_KNOWN.index(entry.score_dataset) if entry.score_dataset in _BEST_KNOWN else len(_BEST_KNOWN)
    special = sum(word not in query for word in spelling.special)
    return known, special, -(entry.score or 0.0), entry.name


def _similarity(query: tuple[str, ...], spelling: _Spelling) -> float:
    """Share of the query's weight found in the entry, less a little for what the entry has beyond it."""
    everything = spelling.core + spelling.recipe
    weight = sum(_weight(word) for word in query)
    found = sum(_weight(word) * _credit(word, everything) for word in query)
    if not weight:
        return 0.0
    extra = sum(
        _COST_OF_EXTRA * (0.2 if word in _IMPLIED else 0.8 if word in SIZE_WORDS else 1.0)
        for word in spelling.core
        if not any(_alike(word, asked) for asked in query)
    )
    return max(found / weight - min(extra, _MOST_EXTRA_COST), 0.0)


def _weight(word: str) -> float:
    """How much a word says: a family's name most, then sizes and numbers, then single letters."""
    if word in SIZE_WORDS or any(letter.isdigit() for letter in word):
        return 2.0
    return 3.0 if len(word) >= 3 else 1.0


def _credit(word: str, among: tuple[str, ...]) -> float:
    if word in among:
        return 1.0
    if not word.isalpha() or len(word) <= 3 or word in SIZE_WORDS:
        return 0.9 if any(_alike(word, other) for other in among) else 0.0
    best = max((fuzz.ratio(word, other) for other in among if other.isalpha()), default=0.0)
    return (best / 100) ** 3 if best >= _FUZZY_WORD else 0.0


def _alike(word: str, other: str) -> bool:
    """Equal, or a width without its letter: "w32" and "32"."""
    return word == other or (word.lstrip("w") == other.lstrip("w") and word.strip("w").isdigit())


@functools.cache
def _words() -> frozenset[str]:
    """The words that make up the names of the zoo, to which what people write is fitted."""
    found: set[str] = set()
    for entry in zoo.entries():
        for segment in re.split(r"[^a-z0-9]+", f"{split_name(entry.name).architecture} {entry.family}".lower()):
            found.update(word for word in re.findall(r"[a-z]+?(?=v\d)|[a-z]+", segment) if len(word) > 2)
    return frozenset(found)


@functools.cache
def _spellings(task: Task) -> tuple[_Spelling, ...]:
    words = _words()
    spellings = []
    for entry in zoo.entries(task):
        name = split_name(entry.name)
        core = tokens(entry.title if entry.packaged else name.architecture, words)
        family = tuple(word for word in tokens(entry.family, words) if word not in core)
        recipe = "" if entry.packaged else name.recipe
        special = [word for word in re.split(r"[^a-z0-9.]+", recipe.lower()) if word and not _PLAIN.match(word)]
        trained = tokens(re.sub(r"\d+xb\d+", " ", recipe), words)
        if entry.family in _OFTEN_LEFT_OUT:
            trained += family
        else:
            core += family
        spellings.append(_Spelling(entry, core, trained, tuple(special)))
    return tuple(spellings)


#: Families whose name people often leave out beside the model's own.
_OFTEN_LEFT_OUT = frozenset(
    {
        "Vision Transformer",
        "Swin-Transformer",
        "Swin-Transformer V2",
        "SimpleBaseline2D",
        "EfficientNet-Lite",
        "Visual-Attention-Network",
        "RegNet",
    }
)


SIZES = {
    "n": "nano", "t": "tiny", "ti": "tiny", "s": "small", "m": "medium", "b": "base", "l": "large", "x": "xlarge",
    "xs": "xsmall", "xxs": "xxsmall", "xl": "xlarge", "h": "huge", "g": "giant", "med": "medium",
}  # fmt: skip
SIZE_WORDS = frozenset(SIZES.values()) | {"pico", "femto", "atto", "lite", "slim"}
_RESNET_DEPTHS = {"18", "34", "50", "101", "152"}
_RESNEXT_DEPTHS = {"50", "101", "152"}
_PATCHED = re.compile(r"^(ti|[tsblhg])(8|14|16|32)$")
_TRANSFORMER_PATCH = re.compile(r"(vit|deit|beit)[\s_-]+(ti|[tsblhg])[\s/_-]*(8|14|16|32)\b")
_PIECE = re.compile(r"v\d+|\d+(?:\.\d+)?x\d+[a-z]?|\d+(?:\.\d+)?[mg]f|\d+(?:\.\d+)?x?|[a-z]+?(?=v\d)|[a-z]+")
_LETTER_AND_NUMBER = re.compile(r"^[a-z]\d+$")
_SHORT_FAMILIES = {"res": "resnet", "hr": "hrnet"}
_LONGEST_JOIN = 3
_SHORTEST_PART = 3


def tokens(text: str, words: Collection[str] = ()) -> tuple[str, ...]:
    """Canonical tokens of a written name.

    Args:
        text: anything a person or a toolbox writes.
        words: the zoo's own words, to which neighbouring pieces are joined and long ones split.
    """
    pieces: list[str] = []
    plain = _TRANSFORMER_PATCH.sub(r"\1 \2\3", text.lower().replace("+", " plus "))
    for part in re.split(r"[^a-z0-9.]+", plain):
        pieces.extend(_pieces(part.strip(".")))
    found: list[str] = []
    for piece in _joined(pieces, words):
        found.extend(_expanded(piece, words))
    return tuple(found)


def _pieces(part: str) -> list[str]:
    """Letters apart from digits, except where the two mean one thing: w32, p16, 32x4d, v3, b0."""
    if _LETTER_AND_NUMBER.match(part):
        return [part]
    if re.match(r"^(hr|lite)\d+$", part):
        return [*re.findall(r"[a-z]+|\d+", part)]
    return _PIECE.findall(part)


def _joined(pieces: list[str], words: Collection[str]) -> list[str]:
    """Merge runs of letters that together are one word of the zoo: "retina", "net" -> "retinanet"."""
    merged: list[str] = []
    at = 0
    while at < len(pieces):
        for length in range(min(_LONGEST_JOIN, len(pieces) - at), 1, -1):
            run = pieces[at : at + length]
            if all(piece.isalpha() for piece in run) and "".join(run) in words:
                merged.append("".join(run))
                at += length
                break
        else:
            merged.append(pieces[at])
            at += 1
    return merged


def _expanded(piece: str, words: Collection[str]) -> tuple[str, ...]:
    """What an abbreviation stands for; anything else as it is, or cut in two words of the zoo."""
    patched = _PATCHED.match(piece)
    if patched:
        return (SIZES[patched[1]], f"p{patched[2]}")
    if piece[0] == "r" and piece[1:] in _RESNET_DEPTHS:
        return ("resnet", piece[1:])
    if piece[0] == "x" and piece[1:] in _RESNEXT_DEPTHS:
        return ("resnext", piece[1:])
    short = SIZES.get(piece) or _SHORT_FAMILIES.get(piece)
    return (short,) if short else _cut(piece, words)


def _cut(piece: str, words: Collection[str]) -> tuple[str, ...]:
    if piece.isalpha() and piece not in words:
        for at in range(_SHORTEST_PART, len(piece) - _SHORTEST_PART + 1):
            head, tail = piece[:at], piece[at:]
            if head in words and (tail in words or tail in SIZE_WORDS):
                return (head, tail)
    return (piece,)
