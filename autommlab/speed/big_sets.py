"""Large data sets made in seconds: many tiny pictures, each of other content, under annotations of real size.

No picture is looked at by a model; what costs is their number, the length of the annotations and the pixels of masks.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from autommlab.tasks import Task

#: Pictures of each task's set at scale 1; ten times as many are the sizes of COCO, ImageNet's val and Cityscapes.
IMAGES: dict[Task, int] = {
    Task.DETECTION: 12_300,
    Task.CLASSIFICATION: 10_000,
    Task.SEGMENTATION: 300,
    Task.KEYPOINT: 6_000,
}
CLASSES = 80
_MASK_CLASSES = 19
_POINTS = 17
_TRAIN_SHARE = 0.9
#: Objects a picture, and points of each object's outline: COCO has 7 and about 22.
_OBJECTS, _OUTLINE = 7, 22
_SIZE = (640, 480)
_MASK_SIZE = (2048, 1024)
#: Different masks; the others are links to these.
_MASKS = 6
_SIDE = 64


def make_set(root: Path, task: Task, images: int, mask_size: tuple[int, int] = _MASK_SIZE) -> None:
    """Write a data set.

    Detection and keypoint: COCO JSON with outlines. Classification: class folders. Segmentation: index masks.

    Args:
        root: its folder; must not exist.
        images: pictures, nine tenths of them in train.
        mask_size: (width, height) in pixels, of masks and their pictures.
    """
    root.mkdir(parents=True)
    train = max(1, min(images - 1, round(_TRAIN_SHARE * images)))
    ranges = {"train": range(train), "val": range(train, images)}
    for split, numbers in ranges.items():
        if task is Task.CLASSIFICATION:
            _class_folders(root / split, numbers)
        elif task is Task.SEGMENTATION:
            _masks(root, split, numbers, mask_size)
        else:
            _coco(root, split, numbers, keypoints=task is Task.KEYPOINT)
    if task is Task.SEGMENTATION:
        names = "".join(f"class {label}\n" for label in range(_MASK_CLASSES))
        (root / "classes.txt").write_text(names, encoding="utf-8")


def _class_folders(top: Path, numbers: range) -> None:
    folders = [top / f"class{label:02}" for label in range(CLASSES)]
    for folder in folders:
        folder.mkdir(parents=True)
    picture = _picture((_SIDE, _SIDE))
    for number in numbers:
        (folders[number % CLASSES] / f"{number:06}.jpg").write_bytes(_other_content(picture, number))


def _masks(root: Path, split: str, numbers: range, size: tuple[int, int]) -> None:
    pictures, masks = root / "img_dir" / split, root / "ann_dir" / split
    pictures.mkdir(parents=True)
    masks.mkdir(parents=True)
    picture = _picture(size)
    for at, number in enumerate(numbers):
        (pictures / f"{number:06}.jpg").write_bytes(_other_content(picture, number))
        mask = masks / f"{number:06}.png"
        if at < _MASKS:
            _mask(size, number).save(mask)
        else:
            os.link(masks / f"{numbers[at % _MASKS]:06}.png", mask)


def _coco(root: Path, split: str, numbers: range, *, keypoints: bool) -> None:
    name = "person_keypoints" if keypoints else "instances"
    folder, annotations = root / f"{split}2017", root / "annotations"
    folder.mkdir()
    annotations.mkdir(exist_ok=True)
    picture = _picture(_SIZE)
    for number in numbers:
        (folder / _file(number)).write_bytes(_other_content(picture, number))
    with (annotations / f"{name}_{split}2017.json").open("w", encoding="utf-8") as file:
        file.write('{"info": {"year": 2017}, "licenses": [], "images": [')
        _write_list(file, map(_image, numbers))
        file.write('], "annotations": [')
        _write_list(file, (entry for number in numbers for entry in _objects(number, keypoints)))
        file.write(f'], "categories": {json.dumps(_categories(keypoints))}}}')


def _write_list(file: io.TextIOBase, entries: Iterator[dict[str, Any]]) -> None:
    for at, entry in enumerate(entries):
        file.write((", " if at else "") + json.dumps(entry))


def _file(number: int) -> str:
    return f"{number:012}.jpg"


def _image(number: int) -> dict[str, Any]:
    return {
        "license": 3,
        "file_name": _file(number),
        "coco_url": f"http://images.example/train2017/{_file(number)}",
        "height": _SIZE[1],
        "width": _SIZE[0],
        "date_captured": "2013-11-14 11:18:45",
        "flickr_url": f"http://photos.example/6116/{number:010}_{number:x}_z.jpg",
        "id": number + 1,
    }


def _objects(number: int, keypoints: bool) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(number)
    corners = rng.uniform((0, 0, 5, 5), (300, 200, 300, 200), (_OBJECTS, 4)).round(2).tolist()
    outlines = rng.uniform(0, 480, (_OBJECTS, 2 * _OUTLINE)).round(2).tolist()
    points = rng.integers(1, 470, (_OBJECTS, _POINTS, 3)).tolist() if keypoints else []
    for at, (box, outline) in enumerate(zip(corners, outlines, strict=True)):
        entry = {
            "segmentation": [outline],
            "area": round(box[2] * box[3] / 2, 4),
            "iscrowd": 0,
            "image_id": number + 1,
            "bbox": box,
            "category_id": 1 if keypoints else 1 + (number + at) % CLASSES,
            "id": number * _OBJECTS + at + 1,
        }
        if keypoints:
            entry["keypoints"] = [value for x, y, v in points[at] for value in (x, y, 1 + v % 2)]
            entry["num_keypoints"] = _POINTS
        yield entry


def _categories(keypoints: bool) -> list[dict[str, Any]]:
    if keypoints:
        return [{"id": 1, "name": "person", "keypoints": [f"point {at}" for at in range(_POINTS)], "skeleton": []}]
    return [{"supercategory": "thing", "id": label + 1, "name": f"class{label:02}"} for label in range(CLASSES)]


def _picture(size: tuple[int, int]) -> bytes:
    """A JPEG of smooth colours."""
    small = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BILINEAR).save(file, "JPEG", quality=70)
    return file.getvalue()


def _other_content(picture: bytes, number: int) -> bytes:
    """The same pixels in a file of its own content: two equal files would count as one picture in two splits."""
    return picture + number.to_bytes(8, "big")


def _mask(size: tuple[int, int], number: int) -> Image.Image:
    """Regions with curved outlines, which compress as those of street scenes do."""
    coarse = np.random.default_rng(number).uniform(0, 1, (_MASK_CLASSES, 24, 48)).astype(np.float32)
    best, mask = np.zeros(size[::-1], np.float32), np.zeros(size[::-1], np.uint8)
    for label, heights in enumerate(coarse):
        smooth = np.asarray(Image.fromarray(heights).resize(size, Image.Resampling.BICUBIC))
        mask[smooth > best] = label
        best = np.maximum(best, smooth)
    return Image.fromarray(mask)
