"""The files of a bag: one annotation file per split, remapped masks, `bag.json`, and the digest.

A keypoint bag has one layout of points, and mmpose's CocoDataset and CocoMetric compare
all instances under one category. So its COCO JSON has the single category 1 (named
after the first class) and keeps the class of each instance in "class".
"""

import hashlib
import json
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from autommlab.common.errors import DataError, StorageError
from autommlab.common.files import write_text
from autommlab.common.run_path import within
from autommlab.data.at_work import on_threads
from autommlab.data.bag_inspect import remapped_mask, threads
from autommlab.data.bag_items import Item
from autommlab.data.bag_split import Splits
from autommlab.data.readers.files import is_writable_name
from autommlab.data.records import SPLITS, Bag, BagSplit, Instance, KeypointLayout, Split
from autommlab.tasks import Task

_BAG = "bag.json"
#: Decimals of coordinates in files and digest: a thousandth of a pixel.
_DECIMALS = 3
#: zlib's level for masks.
_COMPRESSION = 3


def write_splits(
    folder: Path, splits: Splits, task: Task, classes: tuple[str, ...], points: KeypointLayout | None
) -> tuple[dict[Split, BagSplit], str]:
    """Write the annotation files (and masks) of a bag.

    Returns:
        (the splits as recorded, SHA-256 over content, classes and split).

    Raises:
        StorageError: the folder cannot be written.
    """
    digest = hashlib.sha256(json.dumps([task, classes, points.names if points else None]).encode())
    written: dict[Split, BagSplit] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            items = splits[split]
            masks = _write_masks(folder / "masks" / split, items) if task is Task.SEGMENTATION else []
            paths = [path.relative_to(folder.resolve()) for path, _ in masks]  # the folder may be moved
            name, text = _annotations(split, items, task, classes, points, paths)
            write_text(folder / name, text)
            contents = [content for _, content in masks] or [""] * len(items)
            for line in sorted(_fingerprint(split, i, c) for i, c in zip(items, contents, strict=True)):
                digest.update(line.encode())
            written[split] = BagSplit(images=len(items), annotations=name, per_class=per_class(items, task, classes))
    except OSError as error:
        raise StorageError(
            f"{folder}: the bag cannot be written ({error.strerror}). Free space or permissions there, or choose "
            "another folder with --out."
        ) from error
    return written, digest.hexdigest()


def per_class(items: list[Item], task: Task, classes: tuple[str, ...]) -> dict[str, int]:
    """Class -> images (classification, segmentation) or instances without crowds (detection, keypoint)."""
    if task in (Task.DETECTION, Task.KEYPOINT):
        labels = Counter(i.label for item in items for i in item.sample.instances if not i.is_crowd)
    else:
        # Under segmentation an image without labels shows background only.
        labels = Counter(label for item in items for label in item.labels or (0,))
    return {name: labels[label] for label, name in enumerate(classes)}


def write_bag(bag: Bag) -> None:
    """Write `bag.json`; the last file of a bag, so that its presence means that the bag is whole."""
    write_text(bag.folder / _BAG, bag.model_dump_json(indent=1, context=within(bag.folder)))


def read_bag(folder: Path) -> Bag:
    """The bag in a folder.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / _BAG
    try:
        bag = Bag.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"no bag in {folder}: cannot read {path} ({error.strerror}).") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise DataError(f"{path} is damaged: {where}: {problem['msg']}. Delete the folder and select again.") from error
    return bag.model_copy(update={"folder": folder.resolve()})


def _annotations(
    split: Split,
    items: list[Item],
    task: Task,
    classes: tuple[str, ...],
    points: KeypointLayout | None,
    masks: list[Path],
) -> tuple[str, str]:
    if task is Task.CLASSIFICATION:
        return f"{split}.txt", _lines([(i.sample.image, str(i.sample.label)) for i in items], " ")
    if task is Task.SEGMENTATION:
        pairs = zip(items, masks, strict=True)
        return f"{split}.txt", _lines([(item.sample.image, str(mask)) for item, mask in pairs], "\t")
    return f"{split}.json", json.dumps(_coco(items, classes, points))


def _lines(rows: list[tuple[Path, str]], between: str) -> str:
    """A list of paths, one a line with what belongs to it; a path with a line break would add a line of its own."""
    for path, _ in rows:
        if not is_writable_name(str(path)):
            raise DataError(
                f"the path {str(path)!r} holds a control character or is no UTF-8. Rename the file or folder."
            )
    return "".join(f"{path}{between}{rest}\n" for path, rest in rows)


def _coco(items: list[Item], classes: tuple[str, ...], points: KeypointLayout | None) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, item in enumerate(items, start=1):
        sample = item.sample
        images.append({"id": image_id, "file_name": str(sample.image), "width": sample.width, "height": sample.height})
        for instance in sample.instances:
            annotation = {"id": len(annotations) + 1, "image_id": image_id, **_annotation(instance)}
            if points is not None:
                annotation |= {"category_id": 1, "class": classes[instance.label], **_points(instance)}
            annotations.append(annotation)
    if points is None:
        categories: list[dict[str, Any]] = [{"id": label, "name": name} for label, name in enumerate(classes, 1)]
    else:
        bones = [[a + 1, b + 1] for a, b in points.skeleton]
        categories = [{"id": 1, "name": classes[0], "keypoints": list(points.names), "skeleton": bones}]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotation(instance: Instance) -> dict[str, Any]:
    box = [round(float(value), _DECIMALS) for value in instance.bbox]
    return {
        "category_id": instance.label + 1,
        "bbox": box,
        "area": round(float(instance.area), _DECIMALS) or round(box[2] * box[3], _DECIMALS),
        "iscrowd": int(instance.is_crowd),
    }


def _points(instance: Instance) -> dict[str, Any]:
    flat = [n for x, y, v in instance.keypoints for n in (round(float(x), _DECIMALS), round(float(y), _DECIMALS), v)]
    return {"keypoints": flat, "num_keypoints": sum(v > 0 for _, _, v in instance.keypoints)}


def _fingerprint(split: Split, item: Item, mask: str) -> str:
    instances = [[*_annotation(i).values(), *_points(i).values()] for i in item.sample.instances]
    return json.dumps([split, item.digest, item.sample.label, instances, mask])


def _write_masks(folder: Path, items: list[Item]) -> list[tuple[Path, str]]:
    """Write the remapped masks as PNG of one byte a pixel; their paths and content hashes."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(numbered: tuple[int, Item]) -> tuple[Path, str]:
        number, item = numbered
        mask = remapped_mask(item)
        path = folder.resolve() / f"{number:06d}.png"
        path.write_bytes(grey_png(mask))
        return path, hashlib.sha256(mask.tobytes()).hexdigest()

    return on_threads(write, list(enumerate(items)), f"masks of {folder.name} written", threads())


def grey_png(mask: NDArray[np.uint8]) -> bytes:
    """A PNG of one byte a pixel whose rows are compressed as they are.

    Pillow tries five filters on each row of a grey picture, which takes three to six times as long (102 ms for a street
    scene of 2048x1024, 47 at this level, 17 so) and saves no byte where regions have one value.
    """
    height, width = mask.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with the number of its filter, 0 = none
    rows[:, 1:] = mask
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),  # 8 bits, grey
        (b"IDAT", zlib.compress(rows.tobytes(), _COMPRESSION)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
        for kind, content in chunks
    )
