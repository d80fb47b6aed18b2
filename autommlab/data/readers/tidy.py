"""What holds for a data set of any layout once its files are read: names, repeated images, splits without labels.

Each step leaves out or mends a kind of fault and records what it did.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autommlab.data.names import clean_name, plain_name
from autommlab.data.readers import files
from autommlab.data.records import Instance, LoadedDataset, Problem, Sample, Severity
from autommlab.tasks import Task

_WITH_OBJECTS = (Task.DETECTION, Task.KEYPOINT)


def tidied(loaded: LoadedDataset) -> LoadedDataset:
    """The data set as check, preview, statistics and training see it."""
    for step in (_names_on_one_line, _without_unwritable_paths, _merged_repeats, _labelled_splits, _one_spelling):
        loaded = step(loaded)
    return loaded


def _names_on_one_line(loaded: LoadedDataset) -> LoadedDataset:
    names: list[str] = []
    for index, name in enumerate(loaded.classes):
        clean = clean_name(name) or f"class{index}"
        names.append(clean if clean not in names else f"{clean} ({index})")
    return _with_classes(loaded, tuple(names)) if tuple(names) != loaded.classes else loaded


def _with_classes(loaded: LoadedDataset, names: tuple[str, ...]) -> LoadedDataset:
    """The same set under other names of its classes, in the same order."""
    new = dict(zip(loaded.classes, names, strict=True))
    aliases = {new.get(name, name): others for name, others in loaded.spec.aliases.items()}
    spec = loaded.spec.model_copy(update={"classes": names, "aliases": aliases})
    return replace(loaded, spec=spec, classes=names)


def _without_unwritable_paths(loaded: LoadedDataset) -> LoadedDataset:
    def fits(sample: Sample) -> bool:
        return all(files.is_writable_name(str(path)) for path in (sample.image, sample.mask) if path)

    bad = [sample.image for sample in loaded.samples if not fits(sample)]
    for folder, count in Counter(image.parent for image in bad).items():
        only = next(image for image in bad if image.parent == folder)
        where = files.shown(loaded.spec.root, only if count == 1 else folder)
        loaded.unreadable.append(files.unwritable(where, count))
    return replace(loaded, samples=[sample for sample in loaded.samples if fits(sample)]) if bad else loaded


def _merged_repeats(loaded: LoadedDataset) -> LoadedDataset:
    """One sample for each image of a split: two entries would each call the other's objects background."""
    entries: dict[tuple[Path, str], list[Sample]] = defaultdict(list)
    for sample in loaded.samples:
        entries[sample.image, sample.split].append(sample)
    if len(entries) == len(loaded.samples):
        return loaded
    samples: list[Sample] = []
    for found in entries.values():
        if len(found) == 1:
            samples += found
            continue
        merged, what, severity = _merged(found, loaded.classes)
        where = files.shown(loaded.spec.root, found[0].image)
        loaded.unreadable.append(
            Problem("duplicate-image", where, f"is listed {len(found)} times{what}", "list it once", severity)
        )
        samples += [merged] if merged else []
    return replace(loaded, samples=samples)


def _merged(found: Sequence[Sample], classes: Sequence[str]) -> tuple[Sample | None, str, Severity]:
    """(the one sample or None, what is told, severity)."""
    first = found[0]
    labels = sorted({classes[s.label] for s in found if s.label is not None and 0 <= s.label < len(classes)})
    if len(labels) > 1:
        return None, f", as {' and '.join(map(repr, labels))}; left out", "error"
    masks = {sample.mask for sample in found}
    if len(masks) > 1:
        return first, " with different masks; the first is used", "error"
    instances = tuple(dict.fromkeys(item for sample in found for item in sample.instances))
    return replace(first, instances=instances), "; the entries are merged", "warning"


def _labelled_splits(loaded: LoadedDataset) -> LoadedDataset:
    """Without the splits in which no image has an object, while others have; for keypoints no image without one."""
    if loaded.spec.task not in _WITH_OBJECTS:
        return loaded
    images = Counter(sample.split for sample in loaded.samples)
    shown = Counter(sample.split for sample in loaded.samples if sample.instances)
    empty = [split for split in images if not shown[split]] if shown else []
    for split in empty:
        where = files.readable(str(loaded.spec.root))
        loaded.unreadable.append(files.unlabelled(split, where, images[split], "have no annotation"))
    needed = loaded.spec.task is Task.KEYPOINT
    samples = [s for s in loaded.samples if s.split not in empty and (s.instances or not needed)]
    return replace(loaded, samples=samples)


def _one_spelling(loaded: LoadedDataset) -> LoadedDataset:
    """Classes that differ in case or signs only: one where no split has both spellings, else told."""
    groups: dict[str, list[int]] = defaultdict(list)
    for label, name in enumerate(loaded.classes):
        groups[_spelling(name)].append(label)
    twins = [labels for labels in groups.values() if len(labels) > 1]
    if not twins:
        return loaded
    splits = _splits_of_labels(loaded)
    merged: dict[int, int] = {}
    for labels in twins:
        names = " and ".join(repr(loaded.classes[label]) for label in labels)
        used = [split for label in labels for split in splits[label]]
        apart = bool(used) and len(used) == len(set(used)) and len({bool(splits[label]) for label in labels}) == 1
        what = f"the classes {names} differ in case or signs only"
        remedy = "give them one name" if not apart else "nothing needs doing, or give them one name"
        what += "; taken as one, as no split has both" if apart else "; they are taken as different classes"
        where = files.readable(str(loaded.spec.root))
        loaded.unreadable.append(Problem("similar-classes", where, what, remedy, "warning"))
        merged |= dict.fromkeys(labels[1:], labels[0]) if apart else {}
    return _with_merged(loaded, merged) if merged else loaded


def _spelling(name: str) -> str:
    # "C++" and "C#" differ in more than the signs that tools put between words; so do "-1" and "1".
    return name if re.fullmatch(r"\W*\d+(\W\d+)*\W*", name) else plain_name(name).replace(" ", "")


def _splits_of_labels(loaded: LoadedDataset) -> dict[int, set[str]]:
    splits: dict[int, set[str]] = defaultdict(set)
    for sample in loaded.samples:
        labels = [item.label for item in sample.instances] if sample.label is None else [sample.label]
        for label in labels:
            splits[label].add(sample.split)
    return splits


def _with_merged(loaded: LoadedDataset, merged: dict[int, int]) -> LoadedDataset:
    """The set with some labels taken as others; the left-over numbers move up."""
    kept = [label for label in range(len(loaded.classes)) if label not in merged]
    number = {label: kept.index(merged.get(label, label)) for label in range(len(loaded.classes))}

    def renumbered(item: Instance) -> Instance:
        return replace(item, label=number[item.label])

    samples = [
        replace(
            sample,
            label=None if sample.label is None else number[sample.label],
            instances=tuple(map(renumbered, sample.instances)),
        )
        for sample in loaded.samples
    ]
    classes = tuple(loaded.classes[label] for label in kept)
    aliases = {name: others for name, others in loaded.spec.aliases.items() if name in classes}
    spec = loaded.spec.model_copy(update={"classes": classes, "aliases": aliases})
    return replace(loaded, spec=spec, classes=classes, samples=samples)
