"""A task's pictures as a folder in one of the layouts that every user's set may have."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from autommlab.common.files import storage_errors, write_text
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.records import SPLITS, Instance, KeypointLayout
from autommlab.tasks import Task

_BACKGROUND = "background"


def write_folder(
    folder: Path, task: Task, classes: tuple[str, ...], points: KeypointLayout | None, pictures: Iterable[Drawn]
) -> None:
    """Write a set as a whole or not at all; nothing is done where it is there.

    Args:
        folder: made.
        task: decides the layout.
        classes: in label order, without a background.
        points: of keypoints.
        pictures: labels are indices into `classes`; in a mask 0 is the background.

    Raises:
        StorageError: it cannot be written.
    """
    if folder.is_dir():
        return
    draft = folder.with_name(f".{folder.name}.draft")
    with storage_errors(folder):
        shutil.rmtree(draft, ignore_errors=True)
        _written(draft, task, classes, points, pictures)
        draft.rename(folder)


def _written(
    draft: Path, task: Task, classes: tuple[str, ...], points: KeypointLayout | None, pictures: Iterable[Drawn]
) -> None:
    numbers: dict[str, int] = defaultdict(int)
    files: dict[str, list[tuple[str, Drawn]]] = {split: [] for split in SPLITS}
    for drawn in pictures:
        name = f"{numbers[drawn.split]:04d}.png"
        numbers[drawn.split] += 1
        target = draft / _place(task, drawn, classes) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        drawn.image.save(target)
        if drawn.mask is not None:
            mask = draft / "ann_dir" / drawn.split / name
            mask.parent.mkdir(parents=True, exist_ok=True)
            drawn.mask.save(mask)
        files[drawn.split].append((name, drawn))
    if task is Task.SEGMENTATION:
        write_text(draft / "meta.json", json.dumps({"classes": [_BACKGROUND, *classes]}))
    elif task is not Task.CLASSIFICATION:
        for split, found in files.items():
            content = _coco(found, classes, points)
            write_text(draft / "annotations" / f"{split}.json", json.dumps(content))
        if points:
            meta = {"keypoints": points.names, "flip_pairs": points.flip_pairs, "sigmas": points.sigmas}
            write_text(draft / "meta.json", json.dumps(meta))


def _place(task: Task, drawn: Drawn, classes: tuple[str, ...]) -> Path:
    if task is Task.CLASSIFICATION:
        return Path(drawn.split, classes[drawn.label or 0])
    return Path("img_dir", drawn.split) if task is Task.SEGMENTATION else Path(drawn.split)


def _coco(found: list[tuple[str, Drawn]], classes: tuple[str, ...], points: KeypointLayout | None) -> dict[str, Any]:
    named = {"keypoints": points.names, "skeleton": [[a + 1, b + 1] for a, b in points.skeleton]} if points else {}
    content: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": n + 1, "name": name, **named} for n, name in enumerate(classes)],
    }
    for number, (name, drawn) in enumerate(found, start=1):
        width, height = drawn.image.size
        content["images"].append({"id": number, "file_name": name, "width": width, "height": height})
        for one in drawn.instances:
            entry = {"id": len(content["annotations"]) + 1, "image_id": number, **_annotation(one)}
            content["annotations"].append(entry)
    return content


def _annotation(one: Instance) -> dict[str, Any]:
    box = [float(value) for value in one.bbox]
    entry: dict[str, Any] = {"category_id": one.label + 1, "bbox": box, "iscrowd": int(one.is_crowd)}
    entry["area"] = float(one.area or box[2] * box[3])
    if one.keypoints:
        entry["keypoints"] = [number for x, y, v in one.keypoints for number in (float(x), float(y), v)]
        entry["num_keypoints"] = sum(v > 0 for *_, v in one.keypoints)
    return entry


def picture_digests(paths: Iterable[Path]) -> set[str]:
    """SHA-256 of size and RGB pixels of each picture, so that another encoding of the same picture is the same."""
    found = set()
    for path in paths:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        found.add(hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()[:24])
    return found


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a written set, masks left out."""
    return sorted(path for path in folder.rglob("*.png") if "ann_dir" not in path.relative_to(folder).parts)
