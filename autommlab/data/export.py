"""A data set written out as COCO or YOLO: pictures copied, annotations as every reader of these formats takes them."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autommlab.common.errors import DataError, StorageError
from autommlab.common.files import storage_errors, write_text
from autommlab.data.draw import is_background
from autommlab.data.drawn_masks import DrawnMask, Region, mask_box, packed_mask
from autommlab.data.readers import files, fitting, images
from autommlab.data.readers.masks import UNLABELLED, class_mask
from autommlab.data.records import Instance, KeypointLayout, LoadedDataset, Sample
from autommlab.tasks import Task

if TYPE_CHECKING:
    import numpy as np

#: Decimals of pixels in COCO, significant digits of fractions in YOLO: both finer than a thousandth of a pixel.
_DECIMALS, _DIGITS = 3, 9


Format = Literal["coco", "yolo"]


@dataclass(slots=True)
class Exported:
    """What was written.

    Attributes:
        images, objects: how many.
        notes: sentences on what the format cannot hold.
    """

    images: int = 0
    objects: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Item:
    """A picture on its way out: as the file has it, with the name that it gets."""

    sample: Sample
    name: str


def export_dataset(dataset: LoadedDataset, folder: Path, form: Format) -> Exported:
    """Write a set of boxes, masks or keypoints into a new folder.

    Args:
        dataset: as read.
        folder: made; must be empty if it is there.
        form: COCO has everything; YOLO has no crowds and no masks of pixels.

    Raises:
        DataError: the format cannot hold the set.
        StorageError: the folder cannot be written.
    """
    task = dataset.spec.task
    if task is Task.CLASSIFICATION:
        raise DataError(
            f"{dataset.spec.name}: a classification set has no boxes, masks or keypoints to export. Other tools take "
            "it as it is: a folder of pictures for each class."
        )
    if form == "yolo" and any(_has_pixels(sample) for sample in dataset.samples):
        raise DataError(
            f"{dataset.spec.name}: its masks are pixels, YOLO has outlines only. Export it with --format coco."
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise StorageError(f"{folder}: is not empty. Give a new folder.")
    done = Exported()
    with storage_errors(folder):
        items = _copied(dataset, folder, form, done)
        if form == "coco":
            _write_coco(dataset, folder, items, done)
        else:
            _write_yolo(dataset, folder, items, done)
    return done


def _has_pixels(sample: Sample) -> bool:
    mask = sample.mask
    return isinstance(mask, Path) or (mask is not None and any(region.runs for region in mask.regions))


def _copied(dataset: LoadedDataset, folder: Path, form: Format, done: Exported) -> dict[str, list[_Item]]:
    """The pictures of each split, copied; what cannot be opened is left out."""
    measured = images.sizes(dataset.spec.root, [sample.image for sample in dataset.samples], [])
    items: dict[str, list[_Item]] = defaultdict(list)
    taken: dict[str, set[str]] = defaultdict(set)
    for sample, size in zip(dataset.samples, measured, strict=True):
        fitted = fitting.resized(sample, size) if size and sample.mask is None else sample if size else None
        if fitted is None:
            continue
        split = sample.split or ("all" if form == "coco" else "train")
        name = _free_name(sample.image, taken[split])
        target = folder / split / name if form == "coco" else folder / "images" / split / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample.image, target)
        items[split].append(_Item(fitted, name))
        done.images += 1
    if left := len(dataset.samples) - done.images:
        done.notes.append(f"{left} picture(s) cannot be opened, or their boxes do not fit; left out")
    if form == "yolo" and any(not sample.split for sample in dataset.samples):
        done.notes.append("pictures without a split are written as train; YOLO's tools need a val of their own")
    return items


def _free_name(image: Path, taken: set[str]) -> str:
    """The name of a picture; with a number where another one has its stem, as labels are named by it."""
    stem, number = image.stem, 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{image.stem}-{number}"
    taken.add(stem.casefold())
    return stem + image.suffix


def _write_coco(dataset: LoadedDataset, folder: Path, items: dict[str, list[_Item]], done: Exported) -> None:
    first = 1 if dataset.spec.task is Task.SEGMENTATION and is_background(dataset.classes[0]) else 0
    points = dataset.keypoints
    named = (
        {"keypoints": list(points.names), "skeleton": [[a + 1, b + 1] for a, b in points.skeleton]} if points else {}
    )
    categories = [{"id": at + 1, "name": name, **named} for at, name in enumerate(dataset.classes) if at >= first]
    lost = 0
    for split, found in items.items():
        content: dict[str, Any] = {"images": [], "annotations": [], "categories": categories}
        for number, item in enumerate(found, start=1):
            sample = item.sample
            size = {"width": sample.width, "height": sample.height}
            content["images"].append({"id": number, "file_name": item.name, **size})
            entries = list(map(_coco_instance, sample.instances))
            if sample.mask is not None:
                entries, unlabelled = _coco_regions(sample, first)
                lost += unlabelled
            for entry in entries:
                entry |= {"id": len(content["annotations"]) + 1, "image_id": number}
                content["annotations"].append(entry)
        done.objects += len(content["annotations"])
        write_text(folder / "annotations" / f"{split}.json", json.dumps(content))
    if lost:
        done.notes.append(f"{lost} picture(s) have unlabelled pixels, which COCO does not hold; they become background")
    if points:
        write_text(folder / "meta.json", json.dumps(_points_meta(points)))


def _points_meta(points: KeypointLayout) -> dict[str, Any]:
    return {"keypoints": points.names, "flip_pairs": points.flip_pairs, "sigmas": points.sigmas}


def _rounded(numbers: Iterable[float]) -> list[float]:
    return [round(float(number), _DECIMALS) for number in numbers]


def _coco_instance(item: Instance) -> dict[str, Any]:
    box = _rounded(item.bbox)
    entry: dict[str, Any] = {"category_id": item.label + 1, "bbox": box, "iscrowd": int(item.is_crowd)}
    entry["area"] = round(item.area, _DECIMALS) or round(box[2] * box[3], _DECIMALS)
    if item.keypoints:
        entry["keypoints"] = [number for x, y, v in item.keypoints for number in (*_rounded((x, y)), v)]
        entry["num_keypoints"] = sum(v > 0 for *_, v in item.keypoints)
    return entry


def _coco_regions(sample: Sample, first: int) -> tuple[list[dict[str, Any]], bool]:
    """The entries of a mask, and whether it has unlabelled pixels: outlines as they are, pixels as run lengths."""
    import numpy as np

    mask = class_mask(sample)
    present = np.unique(mask).tolist()
    if isinstance(sample.mask, DrawnMask) and not _has_pixels(sample):
        regions = [region for region in sample.mask.regions if first <= region.value < UNLABELLED]
        entries = list(map(_outline_entry, regions))
    else:
        values = [value for value in present if first <= value < UNLABELLED]
        entries = [_pixel_entry(value, (mask == value).astype(np.uint8)) for value in values]
    return entries, UNLABELLED in present


def _outline_entry(region: Region) -> dict[str, Any]:
    import numpy as np

    polygons = list(map(_unpacked, region.polygons))
    points = np.concatenate(polygons)
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    entry = _entry(region.value, (left, top, right - left, bottom - top), (right - left) * (bottom - top))
    return entry | {"segmentation": [_rounded(polygon.ravel()) for polygon in polygons]}


def _pixel_entry(value: int, pixels: np.ndarray) -> dict[str, Any]:
    import numpy as np

    lengths = np.frombuffer(packed_mask(pixels), np.uint32).tolist()
    entry = _entry(value, mask_box(pixels), float(pixels.sum()))
    return entry | {"segmentation": {"size": list(pixels.shape), "counts": lengths}}


def _entry(value: int, box: Iterable[float], area: float) -> dict[str, Any]:
    return {"category_id": value + 1, "bbox": _rounded(box), "area": round(area, _DECIMALS), "iscrowd": 0}


def _unpacked(packed: bytes) -> np.ndarray:
    import numpy as np

    return np.frombuffer(packed, np.float32).reshape(-1, 2)


def _write_yolo(dataset: LoadedDataset, folder: Path, items: dict[str, list[_Item]], done: Exported) -> None:
    first = 1 if dataset.spec.task is Task.SEGMENTATION and is_background(dataset.classes[0]) else 0
    left_out: Counter[str] = Counter()
    for split, found in items.items():
        for item in found:
            lines = list(_yolo_lines(item.sample, first, left_out))
            label = (folder / "labels" / split / item.name).with_suffix(".txt")
            write_text(label, "".join(f"{line}\n" for line in lines))
            done.objects += len(lines)
    done.notes += [f"{count} {what}, which YOLO does not hold; left out" for what, count in left_out.items()]
    write_text(folder / "data.yaml", _yolo_settings(dataset.classes[first:], list(items), dataset.keypoints))


def _yolo_lines(sample: Sample, first: int, left_out: Counter[str]) -> Iterator[str]:
    for item in sample.instances:
        if item.is_crowd:
            left_out["crowd(s) or difficult object(s)"] += 1
            continue
        x, y, w, h = item.bbox
        numbers = _fractions([(x + w / 2, y + h / 2), (w, h)], sample)
        for at_x, at_y, v in item.keypoints:
            numbers += [*_fractions([(at_x, at_y)], sample), str(v)]
        yield " ".join([str(item.label), *numbers])
    for region in sample.mask.regions if isinstance(sample.mask, DrawnMask) else ():
        if not first <= region.value < UNLABELLED:
            left_out["region(s) without a class"] += 1
            continue
        # One line an outline: the parts of an object become objects, their pixels stay.
        yield from (_yolo_outline(region.value - first, packed, sample) for packed in region.polygons)


def _yolo_outline(label: int, packed: bytes, sample: Sample) -> str:
    return " ".join([str(label), *_fractions([(x, y) for x, y in _unpacked(packed).tolist()], sample)])


def _fractions(points: Sequence[tuple[float, float]], sample: Sample) -> list[str]:
    return [f"{n:.{_DIGITS}g}" for x, y in points for n in (x / sample.width, y / sample.height)]


def _yolo_settings(classes: Sequence[str], splits: list[str], points: KeypointLayout | None) -> str:
    """The text of data.yaml; what JSON quotes, YAML reads."""
    lines = ["path: ."] + [f"{split}: images/{split}" for split in ("train", "val", "test") if split in splits]
    if points:
        flip = list(range(len(points.names)))
        for one, other in points.flip_pairs:
            flip[one], flip[other] = other, one
        named = json.dumps(points.names, ensure_ascii=False)
        lines += [f"kpt_shape: [{len(flip)}, 3]", f"flip_idx: {flip}", "kpt_names:"]
        lines += [f"  {at}: {named}" for at in range(len(classes))]
    names = [f"  {at}: {json.dumps(files.readable(name), ensure_ascii=False)}" for at, name in enumerate(classes)]
    return "\n".join([*lines, "names:", *names]) + "\n"
