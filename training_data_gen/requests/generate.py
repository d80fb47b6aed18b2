"""Any number of requests with parses that are right by construction, the same for the same seed.

The first are the handwritten requests themselves; then every skeleton in turn is composed anew.
"""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest
from training_data_gen.requests import clauses
from training_data_gen.requests.compose import compose
from training_data_gen.requests.corpus import Written, corpus
from training_data_gen.requests.frames import FRAMES
from training_data_gen.requests.near_duplicates import WordSetIndex
from training_data_gen.requests.skeleton import Sentence, Skeleton, skeleton
from training_data_gen.requests.slots import Slot

#: Share of new requests whose first sentence is one of `FRAMES` instead of a handwritten one.
_FRAME_SHARE = 0.18
_SKETCHES = {"many": " and ", "one": " or ", "bare": ""}
_HOLE = re.compile(r"\{(many|one|bare)\}")
#: Tries for a pair that is unlike all others, before the stock counts as used up.
_TRIES = 200
#: Of so many voices one is held out.
_VOICES_FOR_ONE = 50


@dataclass(frozen=True, slots=True)
class Pair:
    """A request and what it means.

    Attributes:
        id: unique within a generation.
        request, parse: text and label.
        skeleton: id of the handwritten request or frame that it was made from.
        voice: author's voice of the skeleton.
        donors: voices from which sentences were borrowed.
    """

    id: str
    request: str
    parse: ModelRequest
    skeleton: str
    voice: str
    donors: tuple[str, ...] = ()


def generate(count: int, seed: int, measured: WordSetIndex | None = None) -> list[Pair]:
    """`count` different pairs; the handwritten ones first.

    Args:
        count: pairs.
        seed: of everything drawn.
        measured: requests that adapters are measured on; no new pair is nearly one of them.

    Raises:
        ValueError: a negative count, or more than can be told apart.
    """
    if count < 0:
        raise ValueError(f"cannot make {count} pairs; give 0 or more")
    rng = random.Random(seed)  # noqa: S311 - draws requests, not secrets
    pairs = [Pair(one.id, one.text, one.parse, one.id, one.voice) for one in corpus()][:count]
    known = {_essence(pair.request) for pair in pairs}
    bases, framed = _skeletons(), _frame_skeletons()
    lenders = [(base, sentence) for base in bases for sentence in base.sentences if sentence.portable]
    turns = _turns(bases, rng), _turns(framed, rng)
    while len(pairs) < count:
        for _ in range(_TRIES):
            base = next(turns[rng.random() < _FRAME_SHARE])
            made = compose(base, lenders, rng)
            if made is None or _essence(made.text) in known:
                continue
            if measured is None or measured.nearest("", made.text) is None:
                break
        else:
            raise ValueError(f"only {len(pairs)} different pairs can be made, {count} were asked for")
        known.add(_essence(made.text))
        pairs.append(
            Pair(f"g-{seed}-{len(pairs)}", made.text, made.parse, base.written.id, base.written.voice, made.donors)
        )
    return pairs


def split_by_voice(pairs: Sequence[Pair], seed: int, voices: int | None = None) -> tuple[list[Pair], list[Pair]]:
    """(train, held out): all pairs of some voices are held out, and with them all of their skeletons.

    A pair with sentences of both sides is in neither. Frames are shared by all voices and always train.

    Args:
        pairs: of `generate`.
        seed: draws the voices.
        voices: how many are held out; None = one of fifty.

    Raises:
        ValueError: there are not more voices than are to be held out.
    """
    written = sorted({one.voice for one in corpus()} & {pair.voice for pair in pairs})
    voices = math.ceil(len(written) / _VOICES_FOR_ONE) if voices is None else voices
    if not 0 < voices < len(written):
        raise ValueError(f"cannot hold out {voices} of {len(written)} voices; hold out at least one and keep one")
    held = frozenset(random.Random(seed).sample(written, voices))  # noqa: S311 - draws held-out voices, not secrets
    train = [pair for pair in pairs if not held & {pair.voice, *pair.donors}]
    held_out = [pair for pair in pairs if held >= {pair.voice, *pair.donors}]
    return train, held_out


def _essence(text: str) -> str:
    """What two texts share that differ only in figures, case and punctuation."""
    return re.sub(r"[^a-z]+", "", text.lower())


@functools.cache
def _skeletons() -> tuple[Skeleton, ...]:
    return tuple(skeleton(one) for one in corpus())


def _turns(bases: Sequence[Skeleton], rng: random.Random) -> Iterator[Skeleton]:
    """All skeletons in a drawn order, again and again."""
    while True:
        yield from rng.sample(bases, len(bases))


def _frame_skeletons() -> list[Skeleton]:
    """The frames as skeletons; a piece in brackets makes two of one."""
    made = []
    for voice, by_task in FRAMES.items():
        for task, openings in by_task.items():
            for number, opening in enumerate(openings):
                for place, text in enumerate(dict.fromkeys((_without(opening), _with(opening)))):
                    made.append(_frame(f"f-{voice}-{task.value}-{number}{'ab'[place]}", voice, task, text))
    return made


def _frame(name: str, voice: str, task: Task, text: str) -> Skeleton:
    parse = ModelRequest.parse({"data": {}, "model": {"task": task.value}})
    # The kind of list is in the slot, so that the template parser sees one kind only.
    kinds = _HOLE.findall(text)
    parts = list(clauses.parts(_HOLE.sub("{objects}", text) + " "))
    for place, part in enumerate(parts):
        if isinstance(part, Slot) and part.kind == "objects":
            kind = kinds.pop(0)
            joined = _SKETCHES[kind]
            parts[place] = Slot("objects", plural=kind == "many", joined=joined, article=kind == "one")
    free = frozenset({"scenario"} if "{place}" in text else ())
    return Skeleton(Written(name, voice, text, parse), (Sentence(tuple(parts)),), free)


def _with(opening: str) -> str:
    return opening.replace("[", "").replace("]", "")


def _without(opening: str) -> str:
    return re.sub(r"\[.*?\]", "", opening)
