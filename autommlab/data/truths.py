"""The annotated pictures of a split, read from the files of a bag (formats in `data.records.BagSplit`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autommlab.data.mask_lists import read_pairs
from autommlab.data.records import Bag, Split
from autommlab.tasks import Task


@dataclass(frozen=True, slots=True)
class Annotated:
    """One picture with its annotation.

    Attributes:
        label: class index (classification).
        mask: file of the index mask, "" for other tasks.
        objects: COCO's annotations (detection, keypoints); category ids are 1 + class index.
    """

    path: Path
    label: int | None = None
    mask: str = ""
    objects: tuple[Mapping[str, Any], ...] = ()

    @property
    def labels(self) -> set[int]:
        """Classes that are annotated; empty for masks, which nobody has opened yet."""
        return {self.label} if self.label is not None else {o["category_id"] - 1 for o in self.objects}


def annotated_pictures(bag: Bag, split: Split) -> list[Annotated]:
    """All pictures of a split in the order of its list, those without an object too."""
    file = bag.annotation_file(split)
    match bag.task:
        case Task.CLASSIFICATION:
            lines = [line.rsplit(" ", 1) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
            return [Annotated(Path(path), label=int(label)) for path, label in lines]
        case Task.SEGMENTATION:
            return [Annotated(Path(path), mask=mask) for path, mask in read_pairs(file)]
        case _:
            return _with_objects(json.loads(file.read_text(encoding="utf-8")))


def _with_objects(coco: Mapping[str, Any]) -> list[Annotated]:
    objects: dict[int, list[Mapping[str, Any]]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        objects[annotation["image_id"]].append(annotation)
    return [Annotated(Path(image["file_name"]), objects=tuple(objects[image["id"]])) for image in coco["images"]]
