"""Annotated pictures of a data set for a finished model: the model's classes, one split, nothing made or balanced."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median_low
from typing import Any, Literal

from autommlab.common.errors import DataError
from autommlab.data.bag_choice import load_samples, set_given
from autommlab.data.bag_files import write_splits
from autommlab.data.bag_inspect import inspected, with_mask_labels
from autommlab.data.bag_items import Item, items_of
from autommlab.data.bag_part import evenly
from autommlab.data.bag_plan import OTHER, BagPlan, Part
from autommlab.data.bag_split import note_left_out
from autommlab.data.match import BACKGROUND, match_classes, things
from autommlab.data.names import plain_name
from autommlab.data.records import SPLITS, Bag, DatasetSpec, KeypointMeta, LoadedDataset, PictureDepth, Split
from autommlab.tasks import Task

#: Of the pictures of a set without splits, and of all pictures whatever their split.
ALL: Literal["all"] = "all"
#: Where pictures without a split of that name go in the files.
_STORED: Split = "test"


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """A bag of one split.

    Attributes:
        bag: its only split is `split`.
        name: which pictures of the data set these are.
        notes: sentences for a person.
    """

    bag: Bag
    split: Split
    name: Split | Literal["all"]
    notes: tuple[str, ...]


def evaluation_set(
    data: str, info: Mapping[str, Any], folder: Path, *, split: str | None = None, images: int
) -> EvaluationSet:
    """Read a data set as a bundle's classes.

    Args:
        data: name or folder of the set.
        info: of `bundle.json`.
        folder: where the lists and masks are written.
        split: train, val, test or all; None = test, else val, else all.
        images: most pictures, spread evenly over the split.

    Raises:
        DataError: unknown set or split, another task, other keypoints, none of the classes, no usable picture.
        StorageError: `folder` cannot be written.
    """
    task = Task(info["task"])
    spec, classes = set_given(data, task), tuple(info["classes"])
    if spec.task is not task:
        raise DataError(f"the data set {spec.name!r} is for {spec.task}, the bundle for {task}. Give a set for {task}")
    if not spec.classes:
        spec = spec.model_copy(update={"classes": load_samples(spec).classes})
    labels = labels_for(classes, spec)
    notes = _missing(classes, labels, spec)
    background = task is Task.SEGMENTATION and plain_name(classes[0]) in BACKGROUND
    plan = BagPlan(task, classes, (Part(spec, labels),), (), background=background)
    loaded = load_samples(spec, list(labels))
    points = _points(loaded, info) if task is Task.KEYPOINT else None
    name, items = _chosen(items_of(plan.parts[0], loaded, plan), spec, split, notes)
    usable = _usable(evenly(items, images), plan, notes)
    if not usable:
        raise DataError(f"no usable picture of {spec.name} is left. See: autommlab data check {spec.name}")
    stored: Split = _STORED if name == ALL else name
    folder = folder.resolve()
    empty: dict[Split, list[Item]] = {one: [] for one in SPLITS}
    written, digest = write_splits(
        folder, {**empty, stored: usable}, task, classes, loaded.keypoints if points else None
    )
    bag = Bag(
        task=task,
        folder=folder,
        classes=classes,
        sources=plan.sources(),
        datasets=(spec.name,),
        splits={stored: written[stored]},
        keypoints=points,
        median_size=(median_low(i.sample.width for i in usable), median_low(i.sample.height for i in usable)),
        seed=0,
        digest=digest,
        depth=PictureDepth.model_validate(info["input"].get("depth") or {}),
    )
    return EvaluationSet(bag, stored, name, tuple(notes))


def labels_for(classes: Sequence[str], spec: DatasetSpec) -> dict[str, int]:
    """Class of the data set -> index of the bundle's class that it is, or is a kind of.

    Args:
        classes: of the bundle.
        spec: with its classes.

    Raises:
        DataError: the set has none of the classes.
    """
    labels = {name: classes.index(name) for name in spec.classes if name in classes}
    wanted = [name for name in classes if name not in labels and name != OTHER]
    usable = [name for name in things(spec.classes, spec.task) if name not in labels]
    for thing, found in match_classes(wanted, usable, spec.aliases).targets.items() if usable else ():
        labels |= {one.name: classes.index(thing) for one in found if one.kind != "near"}
    if not labels:
        raise DataError(
            f"the data set {spec.name!r} has none of the bundle's classes {', '.join(classes)}; it has "
            f"{', '.join(spec.classes[:20])}. Give a set that has some of them"
        )
    if OTHER in classes:
        labels = dict.fromkeys(spec.classes, classes.index(OTHER)) | labels
    if spec.task is Task.SEGMENTATION and plain_name(classes[0]) in BACKGROUND:
        labels |= {name: 0 for name in spec.classes if plain_name(name) in ("background", "bg")}
    return labels


def _missing(classes: Sequence[str], labels: Mapping[str, int], spec: DatasetSpec) -> list[str]:
    lacking = [name for at, name in enumerate(classes) if at not in labels.values()]
    return [f"{spec.name} shows none of: {', '.join(lacking)}."] if lacking else []


def _points(loaded: LoadedDataset, info: Mapping[str, Any]) -> KeypointMeta:
    """The set's keypoints, if they are the bundle's."""
    wanted = tuple(info["keypoints"]["names"])
    if loaded.keypoints is None or loaded.keypoints.names != wanted:
        named = ", ".join(loaded.keypoints.names) if loaded.keypoints else "none"
        raise DataError(f"the bundle finds the keypoints {', '.join(wanted)}; {loaded.spec.name} has {named}")
    return KeypointMeta(**asdict(loaded.keypoints))


def _chosen(
    items: Sequence[Item], spec: DatasetSpec, split: str | None, notes: list[str]
) -> tuple[Split | Literal["all"], list[Item]]:
    """Which pictures are meant: the name of their split, and the pictures."""
    given = {item.split for item in items}
    if split == ALL:
        return ALL, list(items)
    wanted = (split,) if split else ("test", "val")
    for name in SPLITS:
        if name in wanted and name in given and (split or name != "val" or "test" not in given):
            return name, [item for item in items if item.split == name]
    there = [name for name in SPLITS if name in given]
    if split:
        raise DataError(
            f"{spec.name} has no {split} pictures with these classes; it has "
            f"{', '.join(there) or 'no splits'}. Give one of these, or all, with --split"
        )
    notes.append(
        f"{spec.name} has no test and no val split, so all its pictures are taken. If the model has learnt from some "
        "of them, the figures are too high."
    )
    return ALL, list(items)


def _usable(items: Collection[Item], plan: BagPlan, notes: list[str]) -> list[Item]:
    usable, left_out = inspected(items)
    if plan.task is Task.SEGMENTATION:
        usable, without = with_mask_labels(usable, background=plan.background)
        left_out += without
    note_left_out(left_out, notes)
    return usable
