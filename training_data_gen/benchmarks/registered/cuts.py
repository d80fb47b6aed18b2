"""The part of a set of photos that a task takes: some of the photos, a half of each, labels made from other labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autommlab.data.embedded.compose import tight_box
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.readers.masks import class_mask
from autommlab.data.records import Instance, KeypointLayout, LoadedDataset, Sample, Split

Half = Literal["", "left", "right"]
#: boxes: of connected pixels of class 1; extremes: the outermost points of the largest object; front, rear: of a bee.
Labels = Literal["", "boxes", "extremes", "front", "rear"]
#: Of an object's box that must lie in the half, and pixels of an object made from a mask.
_VISIBLE, _FEWEST_PIXELS = 0.5, 16
#: Pixels around the points of a part of an animal.
_MARGIN = 24
EXTREMES = KeypointLayout(names=("top", "left", "bottom", "right"), flip_pairs=((1, 3),), sigmas=(0.05,) * 4)
_FRONT = ("head", "front")


class Cut(NamedTuple):
    """Which part of a set.

    Attributes:
        half: of each photo; "" = the whole.
        share: (k, n) = the k-th of n disjoint parts of the photos; None = all photos.
        labels: made from the set's own.
    """

    half: Half = ""
    share: tuple[int, int] | None = None
    labels: Labels = ""


def points_of(cut: Cut, own: KeypointLayout | None) -> KeypointLayout | None:
    """The keypoints of the part, None if it has none."""
    if cut.labels == "extremes":
        return EXTREMES
    if own is None or cut.labels not in ("front", "rear"):
        return own
    kept = _points_kept(cut, own)
    place = {old: new for new, old in enumerate(kept)}

    def both(pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        return tuple((place[a], place[b]) for a, b in pairs if a in place and b in place)

    return KeypointLayout(
        names=tuple(own.names[n] for n in kept),
        flip_pairs=both(own.flip_pairs),
        skeleton=both(own.skeleton),
        sigmas=tuple(own.sigmas[n] for n in kept) if own.sigmas else (),
    )


def _points_kept(cut: Cut, own: KeypointLayout) -> list[int]:
    return [n for n, name in enumerate(own.names) if any(w in name for w in _FRONT) == (cut.labels == "front")]


def taken(loaded: LoadedDataset, cut: Cut) -> Iterator[Drawn]:
    """The pictures of the part with their labels, in the order of the set; a picture without any label is left out."""
    for sample in loaded.samples:
        if not sample.split or (cut.share and _share(sample, cut.share[1]) != cut.share[0]):
            continue
        with Image.open(sample.image) as opened:
            image = opened.convert("RGB")
        drawn = _labelled(sample, cut, image, loaded.keypoints)
        if drawn is not None:
            yield _halved(drawn, cut.half)


def _share(sample: Sample, count: int) -> int:
    return int(hashlib.sha256(sample.image.name.encode()).hexdigest(), 16) % count


def _labelled(sample: Sample, cut: Cut, image: Image.Image, points: KeypointLayout | None) -> Drawn | None:
    split = cast("Split", sample.split)
    if cut.labels in ("front", "rear") and points is not None:
        return _animal_part(Drawn(image, split, instances=sample.instances), _points_kept(cut, points))
    if sample.mask is None:
        return Drawn(image, split, label=sample.label, instances=sample.instances)
    mask = class_mask(sample)
    if not cut.labels:
        return Drawn(image, split, mask=Image.fromarray(mask.astype(np.uint8), "L"))
    found = _objects(mask)
    if cut.labels == "extremes":
        return Drawn(image, split, instances=(extreme_points(max(found, key=np.count_nonzero)),)) if found else None
    boxes = [Instance(0, tight_box(one), area=float(one.sum())) for one in found]
    return Drawn(image, split, instances=tuple(boxes)) if boxes else None


def _objects(mask: NDArray[np.integer]) -> list[NDArray[np.bool_]]:
    """Connected pixels of any class but the background, as (height, width) masks."""
    from scipy.ndimage import label

    numbered, count = label((mask > 0) & (mask < 255))
    found = [numbered == number for number in range(1, count + 1)]
    return [one for one in found if one.sum() >= _FEWEST_PIXELS]


def extreme_points(mask: NDArray[np.bool_], label: int = 0) -> Instance:
    """An object with its outermost points: top, left, bottom, right (x, y of the middle one where several tie)."""
    rows, columns = np.nonzero(mask)

    def middle(which: NDArray[np.bool_]) -> tuple[float, float, int]:
        return float(np.median(columns[which])), float(np.median(rows[which])), 2

    points = (
        middle(rows == rows.min()),
        middle(columns == columns.min()),
        middle(rows == rows.max()),
        middle(columns == columns.max()),
    )
    return Instance(label, tight_box(mask), points, area=float(mask.sum()))


def _animal_part(drawn: Drawn, kept: Sequence[int]) -> Drawn | None:
    """The picture around some points of its only animal."""
    instance = drawn.instances[0]
    points = [instance.keypoints[n] for n in kept]
    seen = [(x, y) for x, y, v in points if v > 0]
    if len(drawn.instances) != 1 or len(seen) < 2:
        return None
    (left, top), (right, bottom) = np.min(seen, axis=0), np.max(seen, axis=0)
    box = (
        max(0, int(left) - _MARGIN),
        max(0, int(top) - _MARGIN),
        min(drawn.image.width, int(right) + _MARGIN),
        min(drawn.image.height, int(bottom) + _MARGIN),
    )
    moved = tuple((x - box[0], y - box[1], v) if v > 0 else (0.0, 0.0, 0) for x, y, v in points)
    around = (left - box[0], top - box[1], right - left, bottom - top)
    part = Instance(instance.label, tuple(float(n) for n in around), moved)  # type: ignore[arg-type] # four numbers
    return Drawn(drawn.image.crop(box), drawn.split, instances=(part,))


def _halved(drawn: Drawn, half: Half) -> Drawn:
    if not half:
        return drawn
    middle, (width, height) = drawn.image.width // 2, drawn.image.size
    left, right = (0, middle) if half == "left" else (middle, width)
    box = (left, 0, right, height)
    return replace(
        drawn,
        image=drawn.image.crop(box),
        mask=drawn.mask.crop(box) if drawn.mask else None,
        instances=tuple(cut for one in drawn.instances if (cut := _clipped(one, left, right)) is not None),
    )


def _clipped(instance: Instance, left: int, right: int) -> Instance | None:
    x, y, w, h = instance.bbox
    first, last = max(x, left), min(x + w, right)
    if w <= 0 or last - first < _VISIBLE * w:
        return None
    return Instance(instance.label, (first - left, y, last - first, h), is_crowd=instance.is_crowd)
