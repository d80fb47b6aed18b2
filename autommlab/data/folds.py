"""Other divisions of a dataset's train and val: folds that take turns as val, and both together to train on.

Test takes no part in any of them. The new lists are written beside the whole ones, once.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autommlab.bundle_runtime import pictures
from autommlab.common.files import storage_errors, write_text
from autommlab.data.at_work import on_threads
from autommlab.data.bag_inspect import threads
from autommlab.data.records import Bag, BagSplit, Split
from autommlab.tasks import Task


@dataclass(frozen=True, slots=True)
class _Entry:
    """One picture of an annotation file.

    Attributes:
        image: its path.
        labels: class indices of what it shows, an instance each where instances are counted.
        content: its line; of COCO its image and annotations.
    """

    image: str
    labels: tuple[int, ...]
    content: Any


def with_folds(bag: Bag, count: int) -> tuple[Bag, ...]:
    """The dataset with each of `count` folds of train and val as val, and the other folds as train.

    The folds are stratified, the rarest class first; copies of a picture are in one fold.

    Args:
        bag: of a run.
        count: of folds; 1 = the dataset with the val that it has.

    Raises:
        StorageError: the lists cannot be written.
    """
    if count == 1:
        return (bag,)
    parts = _folds(bag, [*_entries(bag, "train"), *_entries(bag, "val")], count)
    found = []
    for turn, part in enumerate(parts):
        others = [entry for other in parts if other is not part for entry in other]
        name = f"fold-{turn + 1}-of-{count}"
        splits = {"train": _written(bag, others, f"{name}-train"), "val": _written(bag, part, f"{name}-val")}
        found.append(bag.model_copy(update={"splits": {**bag.splits, **splits}}))
    return tuple(found)


def with_val_in_train(bag: Bag) -> Bag:
    """The dataset with the pictures of val in train, too: what is measured on its val is no figure of new pictures.

    Raises:
        StorageError: the list cannot be written.
    """
    joined = _written(bag, [*_entries(bag, "train"), *_entries(bag, "val")], "train-and-val")
    return bag.model_copy(update={"splits": {**bag.splits, "train": joined}})


def _folds(bag: Bag, entries: Sequence[_Entry], count: int) -> list[list[_Entry]]:
    """Each label spread evenly, in an order that is drawn from the bag's seed."""
    units = _copies_together(entries)
    random.Random(f"{bag.seed}folds").shuffle(units)  # noqa: S311 - draws pictures, not secrets
    labels = [{label for entry in unit for label in entry.labels} for unit in units]
    spread = Counter(label for each in labels for label in each)
    sizes, held = [0] * count, [Counter[int]() for _ in range(count)]
    fold_of: dict[int, int] = {}
    for label in sorted(spread, key=lambda one: (spread[one], one)):
        for unit in (unit for unit, shown in enumerate(labels) if label in shown and unit not in fold_of):
            fold_of[unit] = min(range(count), key=lambda fold: (held[fold][label], sizes[fold], fold))
            sizes[fold_of[unit]] += len(units[unit])
            held[fold_of[unit]].update(labels[unit])
    for unit in (unit for unit in range(len(units)) if unit not in fold_of):  # show nothing
        fold_of[unit] = min(range(count), key=lambda fold: (sizes[fold], fold))
        sizes[fold_of[unit]] += len(units[unit])
    return [[entry for unit in range(len(units)) if fold_of[unit] == fold for entry in units[unit]]
            for fold in range(count)]  # fmt: skip


def _copies_together(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """The entries, those whose pictures have the same content as one; only files of the same size are read."""
    by_size: dict[int, list[_Entry]] = defaultdict(list)
    for entry in entries:
        by_size[Path(entry.image).stat().st_size].append(entry)
    alike = [entry for found in by_size.values() if len(found) > 1 for entry in found]
    digests = on_threads(lambda entry: _digest(entry.image), alike, "pictures compared", threads())
    content = {id(entry): digest for entry, digest in zip(alike, digests, strict=True)}
    units: dict[str, list[_Entry]] = defaultdict(list)
    for entry in entries:
        units[content.get(id(entry), entry.image)].append(entry)
    return list(units.values())


def _digest(image: str) -> str:
    return hashlib.sha256(pictures.content(image)).hexdigest()


def _entries(bag: Bag, split: Split) -> list[_Entry]:
    text = bag.annotation_file(split).read_text(encoding="utf-8")
    if bag.task in (Task.DETECTION, Task.KEYPOINT):
        return _of_coco(bag, json.loads(text))
    lines = [line for line in text.split("\n") if line]
    if bag.task is Task.CLASSIFICATION:
        pairs = (line.rpartition(" ") for line in lines)
        return [_Entry(image, (int(label),), f"{image} {label}") for image, _, label in pairs]
    shown = on_threads(lambda line: _shown(bag, line), lines, "masks read", threads())
    return [_Entry(line.partition("\t")[0], labels, line) for line, labels in zip(lines, shown, strict=True)]


def _shown(bag: Bag, line: str) -> tuple[int, ...]:
    values = np.unique(pictures.values(bag.folder / line.partition("\t")[2]))
    return tuple(int(value) for value in values if value < len(bag.classes))


def _of_coco(bag: Bag, coco: dict[str, Any]) -> list[_Entry]:
    of_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in coco["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    return [
        _Entry(
            image["file_name"],
            tuple(_label(bag, each) for each in of_image[image["id"]] if not each.get("iscrowd")),
            (image, of_image[image["id"]]),
        )
        for image in coco["images"]
    ]


def _label(bag: Bag, annotation: dict[str, Any]) -> int:
    """A keypoint bag has one category, and the class beside it (`bag_files`)."""
    name = annotation.get("class")
    return bag.classes.index(name) if name is not None else int(annotation["category_id"]) - 1


def _written(bag: Bag, entries: Sequence[_Entry], name: str) -> BagSplit:
    source = bag.annotation_file("train")
    target = source.with_name(f"{name}{source.suffix}")
    if not target.exists():
        text = _coco_text(source, entries) if source.suffix == ".json" else _list_text(entries)
        with storage_errors(bag.folder):
            write_text(target, text)
    in_images = bag.task in (Task.CLASSIFICATION, Task.SEGMENTATION)
    counts = Counter(label for entry in entries for label in (set(entry.labels) if in_images else entry.labels))
    per_class = {name: counts[label] for label, name in enumerate(bag.classes)}
    return BagSplit(images=len(entries), annotations=target.name, per_class=per_class)


def _list_text(entries: Sequence[_Entry]) -> str:
    return "".join(f"{entry.content}\n" for entry in entries)


def _coco_text(source: Path, entries: Sequence[_Entry]) -> str:
    """Images and annotations numbered anew: those of two splits have the same numbers."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, entry in enumerate(entries, start=1):
        image, own = entry.content
        images.append({**image, "id": number})
        annotations += [{**each, "image_id": number, "id": len(annotations) + i} for i, each in enumerate(own, start=1)]
    categories = json.loads(source.read_text(encoding="utf-8"))["categories"]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})
