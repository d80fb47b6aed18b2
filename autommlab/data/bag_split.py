"""Train, val and test of a bag: given ones kept, missing ones made, none sharing a picture, sizes capped.

Everything is drawn with `random.Random` from the seed and from orders that do not
depend on where the data lies, so the same request gives the same bag anywhere.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from autommlab.common.errors import DataError
from autommlab.data.bag_inspect import inspected
from autommlab.data.bag_items import Item
from autommlab.data.records import SPLITS, Split
from autommlab.settings import SPLIT_SHARES

#: More than needed is looked at, as some files may turn out broken or leaked.
_MARGIN = 1.15
#: Most images without any object, as a share of a split (detection).
NEGATIVE_SHARE = 0.1
_SHOWN_PROBLEMS = 3
#: Where a picture stays that a data set has in several splits: a clean test set comes first.
_STAYS: tuple[Split, ...] = ("test", "val", "train")

Splits = dict[Split, list[Item]]


def make_splits(items: Sequence[Item], caps: tuple[int, int, int], seed: int, notes: list[str]) -> Splits:
    """Split the items of one data set.

    Args:
        items: with the split each has in its data set ("" = none).
        caps: most images of train, val and test.
        notes: sentences for the report are added here.

    Returns:
        Splits a little above the caps at most (see `capped`).

    Raises:
        DataError: too few pictures for three splits.
    """
    limit = dict(zip(SPLITS, caps, strict=True))
    given = _given(items, notes)
    missing = [split for split in SPLITS if not given.get(split)]
    chosen = [
        item
        for name, found in given.items()
        for item in _preselected(found, _room(name, missing, limit), _rng(seed, name))
    ]
    usable, left_out = inspected(chosen)
    note_left_out(left_out, notes)
    return _divided(usable, missing, limit, seed, notes)


def try_splits(items: Sequence[Item]) -> Splits:
    """The splits of items that were looked at before, without a cap.

    Raises:
        DataError: too few pictures for three splits.
    """
    notes: list[str] = []
    given = _given(items, notes)
    missing = [split for split in SPLITS if not given.get(split)]
    found = [item for members in given.values() for item in members]
    return _divided(found, missing, dict.fromkeys(SPLITS, len(items)), 0, notes)


def _divided(
    usable: Sequence[Item], missing: Sequence[Split], limit: dict[Split, int], seed: int, notes: list[str]
) -> Splits:
    kept = _without_leaks(usable, notes)
    splits: Splits = {split: kept.get(split, []) for split in SPLITS}
    splits.update(_made(kept.get("") or splits["train"], missing, limit, seed, notes))
    return splits


def capped(
    parts: Sequence[Splits], caps: tuple[int, int, int], seed: int, notes: list[str], other: int | None
) -> Splits:
    """Join the splits of all data sets of a bag and cap them.

    Args:
        caps: most images of train, val and test.
        other: label that must not outnumber the rest in any split.
    """
    joined = [replace(i, split=split) for splits in parts for split in SPLITS for i in splits[split]]
    kept = _without_leaks(joined, notes)
    final: Splits = {
        split: _capped(kept.get(split, []), limit, _rng(seed, f"cap{split}"), other)
        for split, limit in zip(SPLITS, caps, strict=True)
    }
    reached = [split for split, limit in zip(SPLITS, caps, strict=True) if len(final[split]) == limit]
    if reached and sum(map(len, final.values())) < len(joined):
        notes.append(
            "The budget caps " + ", ".join(f"{split} at {len(final[split])} images" for split in reached) + "."
        )
    if empty := sum(not item.labels for items in final.values() for item in items):
        notes.append(
            f"{empty} images show no object that is asked for and teach what is none; a split has at most "
            f"{NEGATIVE_SHARE:.0%} of such images."
        )
    return final


def _rng(seed: int, purpose: str) -> random.Random:
    """A generator for one purpose: its draws do not depend on those for another."""
    return random.Random(f"{seed}{purpose}")  # noqa: S311 - draws pictures, not secrets


def _preselected(items: Sequence[Item], room: int, rng: random.Random) -> list[Item]:
    shown = balanced([item for item in items if item.labels], room, rng)
    empty = balanced([item for item in items if not item.labels], int(room * NEGATIVE_SHARE) + 1, rng)
    return sorted([*shown, *empty], key=_order)


def balanced(items: Sequence[Item], limit: int, rng: random.Random) -> list[Item]:
    """At most `limit` items, the groups served in turn, so that small ones are kept whole; order kept."""
    if len(items) <= limit:
        return list(items)
    groups: dict[tuple[tuple[int, ...], str], list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[(item.labels if len(item.labels) == 1 else (), item.group)].append(index)
    for found in groups.values():
        rng.shuffle(found)
    # Labels first and their source classes second, or a label merged of many classes would outweigh the rest.
    by_label: dict[tuple[int, ...] | str, list[list[int]]] = defaultdict(list)
    for (labels, group), found in groups.items():
        by_label[labels or group].append(found)
    chosen = _in_turn([_in_turn(found) for found in by_label.values()])[:limit]
    return [items[index] for index in sorted(chosen)]


def note_left_out(left_out: Sequence[str], notes: list[str]) -> None:
    """Add a sentence on files that were left out, if there are any."""
    if left_out:
        notes.append(with_first_files("{} unusable files left out", left_out))


def with_first_files(text: str, files: Sequence[str]) -> str:
    """A sentence of `text`, whose {} is the number of files, and the first few of them."""
    more = f" and {len(files) - _SHOWN_PROBLEMS} more" if len(files) > _SHOWN_PROBLEMS else ""
    return f"{text.format(len(files))}: {'; '.join(files[:_SHOWN_PROBLEMS])}{more}."


def _in_turn(lists: Sequence[Sequence[int]]) -> list[int]:
    longest = max(map(len, lists), default=0)
    return [found[turn] for turn in range(longest) for found in lists if turn < len(found)]


def _given(items: Sequence[Item], notes: list[str]) -> dict[str, list[Item]]:
    """Items by the split of their data set; those without one are train, or a pool where nothing is train."""
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[item.split].append(item)
    if found.get("train"):
        loose = found.pop("", [])
        found["train"] = sorted([*found["train"], *(replace(i, split="train") for i in loose)], key=_order)
    elif any(found.get(split) for split in SPLITS):
        used = " and ".join(split for split in SPLITS if found.get(split))
        notes.append(f"There is no train split; {used} is split anew.")
        found = {"": sorted((replace(item, split="") for item in items), key=_order)}
    return {name: members for name, members in found.items() if members}


def _order(item: Item) -> str:
    return item.order


def _room(name: str, missing: Sequence[Split], limit: dict[Split, int]) -> int:
    """How many images of a given split (or of the pool) can end up in the bag."""
    if name in ("", "train"):
        wanted = limit["train"] + sum(limit[split] for split in missing if split != "train")
    else:
        wanted = next(limit[split] for split in SPLITS if split == name)
    return int(wanted * _MARGIN) + 10


def _without_leaks(items: Sequence[Item], notes: list[str]) -> dict[str, list[Item]]:
    """Drop copies of a picture that would lie in several splits; the copy in test stays, then the one in val."""
    places: dict[str, set[str]] = defaultdict(set)
    for item in items:
        places[item.digest].add(item.split)
    kept: dict[str, list[Item]] = defaultdict(list)
    dropped: Counter[str] = Counter()
    for item in items:
        stays = next((split for split in _STAYS if split in places[item.digest]), item.split)
        if item.split == stays:
            kept[item.split].append(item)
        else:
            dropped[f"{item.split} and {stays}"] += 1
    for pair, count in sorted(dropped.items()):
        first, second = pair.split(" and ")
        notes.append(f"{count} pictures of the source are in both {pair}: removed from {first}, kept in {second}.")
    return kept


def _made(
    source: Sequence[Item], missing: Sequence[Split], limit: dict[Split, int], seed: int, notes: list[str]
) -> Splits:
    """The missing splits out of `source`, by picture; the rest of it is train."""
    if not missing:
        return {}
    shares = dict(zip(SPLITS, SPLIT_SHARES, strict=True))
    pictures: dict[str, list[Item]] = defaultdict(list)
    for item in source:
        pictures[item.digest].append(item)
    free = _after_first_of_group(list(pictures.values()), _rng(seed, "split"))
    made: Splits = {}
    for split in (split for split in missing if split != "train"):
        wanted = min(max(1, round(shares[split] * len(pictures))), limit[split])
        if wanted > len(free):
            raise DataError(
                f"too few pictures to make a {split} split: {len(pictures)} different ones, one of each class has "
                f"to stay in train. Add images, or give the data set a {split} split of its own."
            )
        picked = {int((turn + 0.5) * len(free) / wanted) for turn in range(wanted)}
        made[split] = [item for at in sorted(picked) for item in free[at]]
        free = [copies for at, copies in enumerate(free) if at not in picked]
    elsewhere = {item.digest for found in made.values() for item in found}
    made["train"] = [item for item in source if item.digest not in elsewhere]
    sizes = ", ".join(f"{len(made[split])} {split}" for split in SPLITS if split in made)
    notes.append(f"The source has no {' and no '.join(missing)} split: made from its other images ({sizes}).")
    return {split: sorted(found, key=_order) for split, found in made.items()}


def _after_first_of_group(pictures: Sequence[list[Item]], rng: random.Random) -> list[list[Item]]:
    """Pictures that may leave train, group after group: all but one of each group, shuffled within it."""
    groups: dict[str, list[list[Item]]] = defaultdict(list)
    for copies in pictures:
        groups[copies[0].group].append(copies)
    free = []
    for name in sorted(groups):
        rng.shuffle(groups[name])
        free += groups[name][1:]
    return free


def _capped(items: Sequence[Item], limit: int, rng: random.Random, other: int | None) -> list[Item]:
    """Cap a split; images without a target, and those of `other`, never outweigh the rest."""
    shown = [item for item in items if item.labels and item.labels != (other,)]
    empty = [item for item in items if not item.labels]
    rest = [item for item in items if other is not None and item.labels == (other,)]
    if rest:
        shown = balanced(shown, max(limit // 2, limit - len(rest)), rng)
        rest = balanced(rest, min(len(shown), limit - len(shown)), rng)
    allowed = int(min(len(shown) / (1 - NEGATIVE_SHARE), limit) * NEGATIVE_SHARE)
    empty = balanced(empty, allowed, rng)
    shown = balanced(shown, limit - len(empty) - len(rest), rng)
    return sorted([*shown, *empty, *rest], key=_order)
