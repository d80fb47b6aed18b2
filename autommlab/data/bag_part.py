"""A dataset of which one split is cut to fewer images: for validation that would take more time than training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

from autommlab.common.files import write_text
from autommlab.data.records import Bag, Split

Item = TypeVar("Item")


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, spread evenly over all of them, in their order."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def with_part(bag: Bag, split: Split, images: int | None) -> Bag:
    """The dataset with at most so many images in one split, spread evenly over its list.

    The shorter list is written beside the whole one, once.

    Args:
        bag: of a run.
        split: the one to cut.
        images: most images; None = all.

    Raises:
        StorageError: the list cannot be written.
    """
    whole = bag.splits[split]
    if images is None or images >= whole.images:
        return bag
    source = bag.annotation_file(split)
    target = source.with_name(f"{split}-{images}{source.suffix}")
    if not target.exists():
        text = source.read_text(encoding="utf-8")
        write_text(target, _part_of_coco(text, images) if source.suffix == ".json" else _part_of_list(text, images))
    part = whole.model_copy(update={"images": images, "annotations": target.name})
    return bag.model_copy(update={"splits": {**bag.splits, split: part}})


def part_of_coco(coco: dict, images: Sequence[dict]) -> dict:
    """COCO annotations with these of its images only."""
    kept = {image["id"] for image in images}
    annotations = [a for a in coco["annotations"] if a["image_id"] in kept]
    return {**coco, "images": list(images), "annotations": annotations}


def _part_of_coco(text: str, images: int) -> str:
    coco = json.loads(text)
    return json.dumps(part_of_coco(coco, evenly(coco["images"], images)))


def _part_of_list(text: str, images: int) -> str:
    return "".join(f"{line}\n" for line in evenly([line for line in text.split("\n") if line], images))
