"""Who or what a text is about: other objects that make sense in the same sentences."""

from __future__ import annotations

import random
from collections.abc import Sequence

from autommlab.tasks import Task
from training_data_gen.requests.draft import Draft
from training_data_gen.requests.frames import JOINTED
from training_data_gen.requests.nouns import ALTERNATIVES, DOMAINS, domains_of
from training_data_gen.requests.slots import Slot

#: Domains whose things can stand for something that no domain lists.
_ANY = ("household", "tool", "electronics", "clothing", "street", "food")
_LIST_SIZES = (1, 1, 2, 2, 2, 3, 3, 3, 4, 5)
_UNLIKELY_AS_WHOLE_IMAGE = ("ground", "defect")


def recast(draft: Draft, slots: Sequence[Slot], rng: random.Random, *, loose: bool = True) -> None:
    """Other objects for a text whose mentions of objects are `slots`; more or fewer where they are one list.

    Args:
        draft: gets the objects.
        slots: of the text.
        rng: draws them.
        loose: the text says little else, so that alternatives of another kind fit too.
    """
    if not any(slot.kind in ("object", "objects") for slot in slots):
        return
    listed = next((slot for slot in slots if slot.kind == "objects"), None)
    old = tuple(draft.objects)
    if old in ALTERNATIVES:
        if not loose:
            return
        sets = [names for names in ALTERNATIVES if listed or len(names) == len(old)]
        draft.objects = list(rng.choice(sets))
    elif draft.task is Task.KEYPOINT and "body part" in domains_of(old[0]) and rng.random() < 0.7:
        # Its sentence mostly lists the points, which no other part of the body has.
        return
    elif listed is None:
        draft.objects = _each(old, rng)
    else:
        domain = _domain(old[0], draft.task, rng)
        if domain is not None and (len(old) == 1 or all(map(domains_of, old))):
            draft.objects = rng.sample(DOMAINS[domain], _size(draft.task, old, listed, rng))


def cast(draft: Draft, rng: random.Random) -> None:
    """Objects for a text that has none yet."""
    if draft.task is Task.CLASSIFICATION and rng.random() < 0.25:
        draft.objects = list(rng.choice(ALTERNATIVES))
        return
    allowed = {
        Task.KEYPOINT: JOINTED,
        Task.SEGMENTATION: ("ground", "organ", "defect", "food", "household", "plant", "clothing", "vehicle", "person"),
        Task.DETECTION: tuple(name for name in DOMAINS if name not in ("ground", "organ", "scene", "material")),
        Task.CLASSIFICATION: tuple(name for name in DOMAINS if name not in _UNLIKELY_AS_WHOLE_IMAGE),
    }[draft.task]
    names = DOMAINS[rng.choice(allowed)]
    size = rng.choice((1, 1, 1, 2) if draft.task is Task.KEYPOINT else _LIST_SIZES)
    if draft.task is Task.CLASSIFICATION:
        size = max(size, 2)
    draft.objects = rng.sample(names, size)


def _size(task: Task, old: tuple[str, ...], slot: Slot, rng: random.Random) -> int:
    if len(old) == 1:
        grows = task is not Task.CLASSIFICATION and rng.random() < (0.1 if task is Task.KEYPOINT else 0.25)
        return rng.choice((2, 2, 3)) if grows else 1
    return max(2, rng.choice(_LIST_SIZES)) if slot.joined else len(old)


def _domain(name: str, task: Task, rng: random.Random) -> str | None:
    known = sorted(domains_of(name))
    if known:
        return rng.choice(known)
    return rng.choice(_ANY) if task is not Task.SEGMENTATION and rng.random() < 0.4 else None


def _each(old: tuple[str, ...], rng: random.Random) -> list[str]:
    """Another object for each, of its own domain; one that is in no domain stays."""
    made: list[str] = []
    for name in old:
        known = sorted(domains_of(name))
        others = [noun for noun in DOMAINS[rng.choice(known)] if noun not in made] if known else [name]
        made.append(rng.choice(others))
    return made if len(set(made)) == len(made) else list(old)
