"""A contact sheet: a sample of a data set on one picture, annotations drawn."""

from __future__ import annotations

import random
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from autommlab.bundle_runtime import pictures
from autommlab.bundle_runtime.pictures import Depth, Facts, PictureError
from autommlab.common.errors import DataError, StorageError, unknown
from autommlab.data import counts, draw
from autommlab.data.readers.fitting import resized
from autommlab.data.readers.masks import class_mask, fitted, misfit
from autommlab.data.records import SPLITS, LoadedDataset, Sample
from autommlab.tasks import Task

if TYPE_CHECKING:
    import numpy as np

_TILE = 256
_GAP = 12
_CAPTION = 34
_TITLE = 44
_COLUMNS = 6
_PAPER, _INK, _GREY, _EMPTY = "#ffffff", "#1f2328", "#6e7781", "#eaeef2"
#: Images whose masks are read to find those that show the wanted classes.
_MASKS_LOOKED_AT = 400


def contact_sheet(
    dataset: LoadedDataset,
    out: Path,
    classes: Collection[str] | None = None,
    split: str | None = None,
    count: int = 24,
    seed: int = 0,
) -> Path:
    """Draw a sample of a data set, its classes taken in turn, and write it as PNG.

    Args:
        dataset: of any task.
        out: file to write; its folder is made.
        classes: only images that show one of these.
        split: train, val or test.
        count: most images shown.
        seed: same seed, same sheet.

    Returns:
        `out`.

    Raises:
        DataError: an unknown class or split, or nothing matches.
        StorageError: `out` cannot be written.
    """
    wanted = list(dataset.classes if classes is None else classes)
    for name in wanted:
        if name not in dataset.classes:
            raise DataError(unknown("class", name, list(dataset.classes)))
    pool = [sample for sample in dataset.samples if split in (None, sample.split)]
    if not pool:
        present = sorted({sample.split for sample in dataset.samples} - {""})
        known = " and ".join(present) or "no named split"
        raise DataError(f"data set {dataset.spec.name!r} has no split {split!r}. It has {known}.")
    chosen = _choose(dataset, pool, wanted, count, seed, only_wanted=classes is not None)
    if not chosen:
        raise DataError(
            f"no image of data set {dataset.spec.name!r} shows {', '.join(wanted)}"
            f"{f' in {split}' if split else ''}. Ask for other classes or another split."
        )
    sheet = _sheet(dataset, chosen, _title(dataset, pool, split, len(chosen)))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, format="PNG")
    except OSError as error:
        raise StorageError(f"{out}: cannot be written ({error.strerror or error}). Choose another --out.") from error
    return out


def _choose(
    dataset: LoadedDataset, pool: list[Sample], wanted: list[str], count: int, seed: int, only_wanted: bool
) -> list[Sample]:
    """Up to `count` samples, one class after the other so that rare ones show too."""
    shuffled = random.Random(seed).sample(pool, len(pool))  # noqa: S311 - draws samples of a preview, not secrets
    if dataset.spec.task is Task.SEGMENTATION:
        shuffled = shuffled[:_MASKS_LOOKED_AT]
    queues = [iter(queue) for queue in _queues(dataset, shuffled, wanted)]
    chosen: dict[int, Sample] = {}
    while queues and len(chosen) < count:
        for queue in list(queues):
            fresh = next((sample for sample in queue if id(sample) not in chosen), None)
            if fresh is None:
                queues.remove(queue)
            elif len(chosen) < count:
                chosen[id(fresh)] = fresh
    if not only_wanted:
        for sample in shuffled:
            if len(chosen) >= count:
                break
            chosen[id(sample)] = sample
    order = (*SPLITS, "")
    return sorted(chosen.values(), key=lambda s: order.index(s.split))


def _queues(dataset: LoadedDataset, samples: list[Sample], wanted: list[str]) -> list[list[Sample]]:
    """For each wanted class the samples that show it, in their order."""
    found: dict[str, list[Sample]] = {name: [] for name in wanted}
    for sample, names in zip(samples, _shown(dataset, samples), strict=True):
        for name in names:
            if name in found:
                found[name].append(sample)
    return [found[name] for name in wanted]


def _shown(dataset: LoadedDataset, samples: list[Sample]) -> list[list[str]]:
    """Names of the classes that each sample shows, most frequent first for objects."""
    masks = dataset.spec.task is Task.SEGMENTATION
    labels = counts.mask_labels(samples) if masks else map(_labels, samples)
    return [_names(dataset, each or []) for each in labels]


def _labels(sample: Sample) -> list[int]:
    return [sample.label] if sample.label is not None else [item.label for item in sample.instances]


def _names(dataset: LoadedDataset, labels: list[int]) -> list[str]:
    return [dataset.classes[label] for label in dict.fromkeys(labels) if 0 <= label < len(dataset.classes)]


def _mask(sample: Sample) -> np.ndarray | None:
    try:
        return class_mask(sample)
    except (DataError, PictureError):
        return None


def _title(dataset: LoadedDataset, pool: list[Sample], split: str | None, shown: int) -> str:
    where = f"split {split}" if split else "all splits"
    return f"{dataset.spec.name}  ·  {dataset.spec.task}  ·  {shown} of {len(pool)} images, {where}"


def _sheet(dataset: LoadedDataset, chosen: list[Sample], title: str) -> Image.Image:
    columns = min(_COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    legend = _legend(dataset, max(columns, 3) * (_TILE + _GAP) - _GAP)
    width = max(columns, 3) * (_TILE + _GAP) + _GAP
    height = _TITLE + legend.height + rows * (_TILE + _CAPTION) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    looked_at = [_look(sample) for sample in chosen]
    depth = pictures.depth_of(facts for facts in looked_at if facts)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, 12), _fit(title, width - 2 * _GAP, 18, bold=True), font=draw.font(18, bold=True), fill=_INK)
    sheet.paste(legend, (_GAP, _TITLE))
    for position, (sample, facts) in enumerate(zip(chosen, looked_at, strict=True)):
        x = _GAP + position % columns * (_TILE + _GAP)
        y = _TITLE + legend.height + position // columns * (_TILE + _CAPTION)
        sheet.paste(_tile(dataset, sample, facts, depth), (x, y))
        pen.text((x, y + _TILE + 4), _fit(_caption(dataset, sample), _TILE, 13), font=draw.font(13), fill=_INK)
        pen.text((x, y + _TILE + 19), _fit(_source(sample), _TILE, 10), font=draw.font(10), fill=_GREY)
    return sheet


def _caption(dataset: LoadedDataset, sample: Sample) -> str:
    masks = dataset.spec.task is Task.SEGMENTATION
    names = [name for name in _shown(dataset, [sample])[0] if not (masks and draw.is_background(name))]
    if not sample.instances:
        return ", ".join(names) or "no label"
    labels = [dataset.classes[i.label] for i in sample.instances if 0 <= i.label < len(dataset.classes)]
    return ", ".join(f"{labels.count(name)} {name}" if labels.count(name) > 1 else name for name in names)


def _source(sample: Sample) -> str:
    return f"{sample.split}/{sample.image.name}" if sample.split else sample.image.name


def _look(sample: Sample) -> Facts | None:
    try:
        return pictures.look(sample.image)
    except PictureError:
        return None


def _tile(dataset: LoadedDataset, sample: Sample, facts: Facts | None, depth: Depth) -> Image.Image:
    tile = Image.new("RGB", (_TILE, _TILE), _EMPTY)
    if facts is None:
        ImageDraw.Draw(tile).text((16, _TILE // 2 - 10), "cannot be read", font=draw.font(14), fill=_INK)
        return tile
    image = pictures.read(sample.image, *depth)
    scale = _TILE / max(image.size)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    image = _annotated(dataset, sample, image, facts)
    tile.paste(image, ((_TILE - image.width) // 2, (_TILE - image.height) // 2))
    return tile


def _annotated(dataset: LoadedDataset, sample: Sample, image: Image.Image, facts: Facts) -> Image.Image:
    """The annotation drawn on the image, which may be scaled."""
    if dataset.spec.task is Task.SEGMENTATION:
        mask = _mask(sample)
        if mask is None or ((wrong := misfit(mask.shape[::-1], facts)) and not wrong.mended):
            return image
        return draw.draw_mask(image, fitted(mask, facts), dataset.classes)
    sample = resized(sample, facts.size) or sample
    across, down = image.width / sample.width, image.height / sample.height
    colours = draw.class_colours(dataset.classes)
    if dataset.keypoints is None:
        boxes = [(x * across, y * down, w * across, h * down) for x, y, w, h in (i.bbox for i in sample.instances)]
        names = [dataset.classes[i.label] if i.label < len(dataset.classes) else "?" for i in sample.instances]
        return draw.draw_boxes(image, boxes, names, colours=colours)
    for item in sample.instances:
        points = [(x * across, y * down, v) for x, y, v in item.keypoints]
        image = draw.draw_keypoints(image, points, dataset.keypoints.skeleton)
    return image


def _legend(dataset: LoadedDataset, width: int) -> Image.Image:
    """Colour swatches with class names, for the tasks whose tiles name no class."""
    if dataset.spec.task is not Task.SEGMENTATION:
        return Image.new("RGB", (width, 1), _PAPER)
    letters, places = draw.font(13), list[tuple[int, int, int]]()
    names = [draw.drawable(name) for name in dataset.classes]
    x = y = 0
    for index, name in enumerate(names):
        if draw.is_background(name):
            continue
        step = round(letters.getlength(name)) + 34
        if x and x + step > width:
            x, y = 0, y + 22
        places.append((x, y, index))
        x += step
    legend = Image.new("RGB", (width, y + 30), _PAPER)
    pen = ImageDraw.Draw(legend)
    for left, top, index in places:
        pen.rectangle((left, top + 1, left + 14, top + 15), fill=draw.colour(index), outline=_GREY)
        pen.text((left + 20, top), names[index], font=letters, fill=_INK)
    return legend


def _fit(text: str, width: int, size: int, bold: bool = False) -> str:
    """`text` cut to `width` pixels, with an ellipsis."""
    letters, text = draw.font(size, bold), draw.drawable(text, bold)
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
