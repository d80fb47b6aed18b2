"""How many of each class a data set holds, per split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autommlab.data.at_work import on_threads
from autommlab.data.records import SPLITS, DatasetSpec, LoadedDataset, Sample
from autommlab.tasks import Task

_THREADS = 8


@dataclass(frozen=True, slots=True)
class Counts:
    """Sizes of a set; a split is "" where the layout names none.

    Attributes:
        images: split -> images.
        per_class: class -> split -> images (classification; segmentation: those showing the class) or
            instances (detection, keypoint).
        unreadable_masks: masks that could not be counted.
    """

    images: dict[str, int]
    per_class: dict[str, dict[str, int]]
    unreadable_masks: int = 0


def count_samples(dataset: LoadedDataset) -> Counts:
    """Count a set. Segmentation reads every mask; the others read no file."""
    images: Counter[str] = Counter(sample.split for sample in dataset.samples)
    tallies: dict[str, Counter[str]] = {name: Counter() for name in dataset.classes}
    unreadable = 0
    for sample, labels in _labels(dataset):
        if labels is None:
            unreadable += 1
            continue
        for label in labels:
            if 0 <= label < len(dataset.classes):
                tallies[dataset.classes[label]][sample.split] += 1
    per_class = {name: dict(tally) for name, tally in tallies.items()}
    return Counts(dict(images), per_class, unreadable)


def planned(spec: DatasetSpec) -> Counts:
    """What an embedded set draws, without drawing it: images made for each class (scenes show others too).

    Raises:
        DataError: no such embedded set.
    """
    from autommlab.data.embedded import sets

    entry = sets.find_embedded(spec.name)
    each: dict[str, int] = dict(zip(SPLITS, entry.counts, strict=True))
    images = {split: number * len(entry.blocks) for split, number in each.items()}
    return Counts(images, {name: dict(each) for name in entry.blocks})


def _labels(dataset: LoadedDataset) -> list[tuple[Sample, list[int] | None]]:
    if dataset.spec.task is not Task.SEGMENTATION:
        return [(s, [s.label] if s.label is not None else [i.label for i in s.instances]) for s in dataset.samples]
    return list(zip(dataset.samples, mask_labels(dataset.samples), strict=True))


def mask_labels(samples: Sequence[Sample]) -> list[list[int] | None]:
    """The class indexes that the mask of each sample shows, ascending; None where it cannot be read."""
    return on_threads(_mask_labels, samples, "masks read", _THREADS)


def _mask_labels(sample: Sample) -> list[int] | None:
    from autommlab.bundle_runtime.pictures import PictureError
    from autommlab.common.errors import DataError
    from autommlab.data.readers.masks import mapped_values, present, raw_mask

    try:
        return mapped_values(present(raw_mask(sample.mask)), sample.mask_map) if sample.mask else None
    except (DataError, PictureError):
        return None
