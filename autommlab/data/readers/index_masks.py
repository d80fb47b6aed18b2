"""Segmentation: images and index masks of the same names in two folders, or in the same subfolders of both.

`img_dir/{train,val,test}` + `ann_dir/{train,val,test}` as mmsegmentation has it, or `images` + `masks`
(also `annotations`, `labels`), with or without split folders. A mask's pixel is the class index, 255
unlabelled; in masks of 0 and 255 alone, 255 is the object. Names come from `meta.json` (`classes`;
`reduce_zero_label`) or `classes.txt`.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from autommlab.common.errors import DataError
from autommlab.data.readers import files, images, mask_values
from autommlab.data.readers.masks import MASK_SUFFIXES, UNLABELLED
from autommlab.data.readers.reader import Reader
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem, Sample, Split
from autommlab.tasks import Task

_PAIRS = tuple(
    (picture, mask)
    for picture in ("img_dir", "images", "imgs", "img")
    for mask in ("ann_dir", "masks", "mask", "annotations", "labels")
)
_MASK_ENDS = ("", "_mask", "_label", "_seg", "_labelTrainIds", "_gt")

_NOWHERE = Path()

Part = tuple[Path, Path, Split | Literal[""]]


def _parts(root: Path) -> list[Part]:
    """(image folder, mask folder, split) of the first pair of folders that holds both."""
    for picture, mask in _PAIRS:
        tops = files.split_folders(root / picture)
        parts: list[Part] = [(top, root / mask / top.name, split) for top, split in tops.items()]
        parts = parts or [(root / picture, root / mask, "")]
        if any(any(map(files.is_image, files.walk(a))) and any(map(_is_mask, files.walk(b))) for a, b, _ in parts):
            return parts
    return []


def _is_mask(path: Path) -> bool:
    return path.suffix.lower() in MASK_SUFFIXES


def detect(root: Path) -> tuple[Task, ...]:
    """Segmentation where a folder of images has a folder of masks beside it."""
    return (Task.SEGMENTATION,) if _parts(root) else ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """Every image that has a mask."""
    parts = _parts(spec.root)
    if not parts:
        raise DataError(f"{spec.root}: no folder of images with a folder of masks. Expected {READER.summary}.")
    problems: list[Problem] = []
    found = [pair for part in parts for pair in _pair(spec.root, part, problems)]
    for parent in dict.fromkeys(top.parent for top, _, split in parts if split):
        problems += files.beside_splits(spec.root, parent, [top for top, *_ in parts])
    classes, mask_map = _classes(spec.root, [mask for _, mask, _ in found])
    measured = images.sizes(spec.root, [image for image, _, _ in found], problems)
    samples = [
        Sample(image, *size, split=split, mask=mask, mask_map=mask_map)
        for (image, mask, split), size in zip(found, measured, strict=True)
        if size
    ]
    spec = spec.model_copy(update={"classes": classes})
    return LoadedDataset(spec, classes, samples, unreadable=problems)


def _pair(root: Path, part: Part, problems: list[Problem]) -> list[Part]:
    pictures, masks, split = part
    unpaired = {_name(p, masks): p for p in files.walk(masks) if _is_mask(p)}
    by_stem = _alone(unpaired)
    pairs: list[Part] = []
    lying = list(files.walk(pictures))
    problems += images.foreign(root, pictures, lying)
    shown = list(filter(files.is_image, lying))
    if shown and not unpaired:
        what = f"have no mask in {files.shown(root, masks)}"
        problems.append(files.unlabelled(split, files.shown(root, pictures), len(shown), what))
        return []
    alone = _alone(_name(image, pictures) for image in shown)
    for image in shown:
        named = _name(image, pictures)
        below, stem = named.parent, named.name
        names = [stem + end for end in _MASK_ENDS] + [stem + image.suffix]
        # The same folder below both; a name that occurs once in each may lie anywhere.
        options = [below / name for name in names]
        options += [by_stem[name] for name in names if name in by_stem and stem in alone]
        mask = unpaired.pop(next((option for option in options if option in unpaired), _NOWHERE), None)
        if mask is None:
            what = f"no mask {image.stem}.png in {files.shown(root, masks)}; image left out"
            problems.append(Problem("missing-mask", files.shown(root, image), what, "add the mask or delete the image"))
        else:
            pairs.append((image, mask, split))
    for mask in unpaired.values():
        what = f"no image of this name in {files.shown(root, pictures)}; mask left out"
        problems.append(Problem("missing-image", files.shown(root, mask), what, "add the image or delete the mask"))
    return pairs


def _name(path: Path, top: Path) -> Path:
    """Where a file lies below `top`, without its suffix and however its accents are written."""
    return Path(unicodedata.normalize("NFC", str(path.relative_to(top).with_suffix(""))))


def _alone(paths: Iterable[Path]) -> dict[str, Path]:
    """Name -> path, of the names that occur once among the paths."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        found[path.name].append(path)
    return {name: same[0] for name, same in found.items() if len(same) == 1}


def _classes(root: Path, masks: list[Path]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Names in index order, and the map of raw values where they are not the index themselves."""
    if names := files.named_classes(root):
        if files.read_meta(root).get("reduce_zero_label") is True:
            mask_values.require_few(names)
            return names, ((0, UNLABELLED), *((i + 1, i) for i in range(len(names))))
        return mask_values.named(names, masks)
    values = mask_values.values_of(masks)
    if values and values <= {0, UNLABELLED}:
        return ("background", "class1"), ((0, 0), (UNLABELLED, 1))
    highest = max((value for value in values if value < UNLABELLED), default=-1)
    if highest < 0:
        raise DataError(f"{root}: no mask could be read, so classes are unknown. List them in classes.txt, one a line.")
    return ("background", *(f"class{i}" for i in range(1, highest + 1))), ()


READER = Reader(
    "index-masks",
    (Task.SEGMENTATION,),
    "img_dir/{train,val,test}/*.jpg with ann_dir/{train,val,test}/*.png (pixel = class index), "
    "classes in meta.json or classes.txt",
    detect,
    read,
)
