"""From the samples of a data set to the items of a bag: classes filtered, labels those of the bag."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import is_
from pathlib import Path

from autommlab.bundle_runtime.pictures import Facts
from autommlab.data.bag_plan import BagPlan, Part
from autommlab.data.records import Instance, LoadedDataset, Sample, Split
from autommlab.tasks import Task

#: Label of a pixel that counts neither in training nor in evaluation.
IGNORED = 255


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a bag.

    Attributes:
        sample: its label, instances and so on are those of the bag; the mask is the source's.
        labels: bag labels in the image; empty for an image without any.
        group: what sampling is spread over: the source class of an image, its rarest label otherwise.
        order: place in the data set that does not depend on where it lies.
        source: name of the data set.
        digest: SHA-256 of the file, "" until it was looked at.
        pixels: raw value in the mask -> bag label (segmentation).
        facts: of the image, None until it was looked at.
        mask_refitted: the mask has another size than the image and is brought to it.
    """

    sample: Sample
    labels: tuple[int, ...]
    group: str
    order: str
    source: str
    split: Split | str = ""
    digest: str = ""
    pixels: tuple[tuple[int, int], ...] = ()
    facts: Facts | None = None
    mask_refitted: bool = False


def items_of(part: Part, loaded: LoadedDataset, plan: BagPlan) -> list[Item]:
    """The images of one data set that belong in the bag, in an order that does not depend on its folder.

    Detection keeps images without a target (the caller caps them); keypoints do not; for
    segmentation the labels are still those that the data set can have (see `bag_inspect`).
    """
    to_bag = {label: part.labels[name] for label, name in enumerate(loaded.classes) if name in part.labels}
    match plan.task:
        case Task.CLASSIFICATION:
            found = _labelled(loaded, to_bag)
        case Task.SEGMENTATION:
            found = _masked(loaded, to_bag, background=plan.background)
        case Task.DETECTION:
            found = _with_instances(loaded, to_bag, keypoints=False)
        case Task.KEYPOINT:
            found = _with_instances(loaded, to_bag, keypoints=True)
    return by_rarest(sorted(found, key=lambda item: item.order))


def by_rarest(items: list[Item]) -> list[Item]:
    """The items with the group of each set to its rarest label, where it has no group yet."""
    counts = Counter(label for item in items for label in set(item.labels))
    return [
        item if item.group else replace(item, group=str(min(item.labels, key=lambda one: (counts[one], one))))
        if item.labels else item
        for item in items
    ]  # fmt: skip


def _labelled(loaded: LoadedDataset, to_bag: dict[int, int]) -> Iterator[Item]:
    for sample in loaded.samples:
        if sample.label in to_bag:
            label = to_bag[sample.label]
            labelled = sample if sample.label == label else replace(sample, label=label)
            yield _item(loaded, labelled, (label,), group=loaded.classes[sample.label])


def _with_instances(loaded: LoadedDataset, to_bag: dict[int, int], *, keypoints: bool) -> Iterator[Item]:
    for sample in loaded.samples:
        kept = tuple(
            instance if instance.label == to_bag[instance.label] else replace(instance, label=to_bag[instance.label])
            for instance in sample.instances
            if instance.label in to_bag and (not keypoints or _has_points(instance))
        )
        labels = tuple(sorted({i.label for i in kept if not i.is_crowd}))
        if labels or not keypoints:
            same = len(kept) == len(sample.instances) and all(map(is_, kept, sample.instances))
            yield _item(loaded, sample if same else replace(sample, instances=kept), labels)


def _has_points(instance: Instance) -> bool:
    return any(visible > 0 for _, _, visible in instance.keypoints)


def _masked(loaded: LoadedDataset, to_bag: dict[int, int], *, background: bool) -> Iterator[Item]:
    every = {label: to_bag.get(label, 0 if background else IGNORED) for label in range(len(loaded.classes))}
    void = [label for label, name in enumerate(loaded.classes) if name.lower() in ("void", "unlabeled", "unlabelled")]
    every |= {label: IGNORED for label in void if label not in to_bag}
    for sample in loaded.samples:
        if sample.mask is None:
            continue
        raw = dict(sample.mask_map) or {label: label for label in every}
        pixels = tuple(sorted((value, every.get(label, IGNORED)) for value, label in raw.items()))
        yield replace(_item(loaded, sample, ()), pixels=pixels)


def _item(loaded: LoadedDataset, sample: Sample, labels: tuple[int, ...], group: str = "") -> Item:
    source = loaded.spec.name
    return Item(sample, labels, group, f"{source}:{_portable(sample.image, loaded.spec.root)}", source, sample.split)


def _portable(image: Path, root: Path) -> str:
    # A list file may name images outside of the set's folder; then the name is the best there is.
    path, top = str(image), os.path.join(root, "")  # noqa: PTH118 - a hundred thousand times
    return path[len(top) :] if path.startswith(top) else image.name
