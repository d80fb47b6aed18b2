"""Reads a few images of a bag with their annotation, in the form that a bundle predicts.

Truth and prediction in one form are drawn by one function and compared by eye.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autommlab.data.records import Bag, Split
from autommlab.report.drawing import UNSURE_POINT
from autommlab.tasks import Task

#: An image and its annotation: `label`, `boxes`, `mask` or `instances` as in `drawing.draw_prediction`.
Truth = tuple[Path, dict[str, Any]]

#: COCO's visibility -> a score that is drawn the same way: hidden points as a ring, visible ones as a disc.
_SCORE_OF_SIGHT = {0: 0.0, 1: UNSURE_POINT, 2: 1.0}


def sample_truths(bag: Bag, split: Split, count: int, seed: int = 0) -> list[Truth]:
    """Up to `count` annotated images of a split, every class shown before one is shown twice.

    Args:
        bag: its canonical annotation files are read (formats in `data.records.BagSplit`).
        split: train, val or test.
        count: images wanted.
        seed: of the choice; the same seed gives the same images.
    """
    rng = random.Random(seed)
    file = bag.annotation_file(split)
    if bag.task is Task.CLASSIFICATION:
        return _classification(file, bag.classes, count, rng)
    if bag.task is Task.SEGMENTATION:
        return _segmentation(file, count, rng)
    return _coco(file, bag, count, rng)


def _classification(file: Path, classes: tuple[str, ...], count: int, rng: random.Random) -> list[Truth]:
    pairs = [line.rsplit(" ", 1) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    rng.shuffle(pairs)
    chosen = _spread(((path, {int(label)}) for path, label in pairs), count)
    labels = {path: int(label) for path, label in pairs}
    return [(Path(path), {"label": classes[labels[path]]}) for path in chosen]


def _segmentation(file: Path, count: int, rng: random.Random) -> list[Truth]:
    import numpy as np
    from PIL import Image

    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    truths: list[Truth] = []
    for line in rng.sample(lines, min(count, len(lines))):
        path, mask_path = line.split("\t")
        with Image.open(mask_path) as mask:
            truths.append((Path(path), {"mask": np.asarray(mask, dtype=np.uint8)}))
    return truths


def _coco(file: Path, bag: Bag, count: int, rng: random.Random) -> list[Truth]:
    content = json.loads(file.read_text(encoding="utf-8"))
    objects: dict[int, list[Mapping[str, Any]]] = {}
    for annotation in content["annotations"]:
        objects.setdefault(annotation["image_id"], []).append(annotation)
    paths = {image["id"]: Path(image["file_name"]) for image in content["images"] if image["id"] in objects}
    order = list(paths)
    rng.shuffle(order)
    chosen = _spread(((i, {o["category_id"] for o in objects[i]}) for i in order), count)
    if bag.task is Task.KEYPOINT:
        return [(paths[i], {"instances": [_being(o, bag.classes) for o in objects[i]]}) for i in chosen]
    return [(paths[i], {"boxes": [_object(o, bag.classes) for o in objects[i]]}) for i in chosen]


def _object(annotation: Mapping[str, Any], classes: tuple[str, ...]) -> dict[str, Any]:
    return {"label": classes[annotation["category_id"] - 1], "box": annotation["bbox"]}


def _being(annotation: Mapping[str, Any], classes: tuple[str, ...]) -> dict[str, Any]:
    flat = annotation["keypoints"]
    points = [[flat[i], flat[i + 1], _SCORE_OF_SIGHT[flat[i + 2]]] for i in range(0, len(flat), 3)]
    return _object(annotation, classes) | {"keypoints": points}


def _spread(candidates: Iterable[tuple[Any, set[int]]], count: int) -> list[Any]:
    """The first `count` candidates, those that show a class least shown so far first."""
    waiting, shown, chosen = list(candidates), dict[int, int](), list[Any]()
    while waiting and len(chosen) < count:
        rarest = min(range(len(waiting)), key=lambda i: min(shown.get(label, 0) for label in waiting[i][1]))
        name, labels = waiting.pop(rarest)
        chosen.append(name)
        for label in labels:
            shown[label] = shown.get(label, 0) + 1
    return chosen
