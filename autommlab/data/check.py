"""What is wrong with a data set: every file opened, every annotation looked at.

Adds to the problems its reader stepped over. Each image is read once: hashed, decoded, measured.
"""

import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autommlab.bundle_runtime import pictures
from autommlab.bundle_runtime.pictures import Facts, PictureError
from autommlab.common.errors import DataError
from autommlab.data.at_work import on_threads
from autommlab.data.bag_trial import try_bag
from autommlab.data.readers import boxes
from autommlab.data.readers.files import readable, shown
from autommlab.data.readers.fitting import resized, size_mismatch
from autommlab.data.readers.images import unreadable
from autommlab.data.readers.masks import UNLABELLED, mapped_values, mask_place, misfit, present, raw_mask
from autommlab.data.records import LoadedDataset, Problem, Sample
from autommlab.tasks import Task

_THREADS = min(16, (os.cpu_count() or 1) + 4)
_LISTED = 8


@dataclass(frozen=True, slots=True)
class _Finding:
    """One sample looked at: its problems, the hash of its file, the classes it shows."""

    problems: list[Problem]
    digest: str
    labels: list[int]


def check_dataset(dataset: LoadedDataset) -> list[Problem]:
    """Every problem of a data set, errors first; [] for a sound one.

    Decodes each image and mask once, on several threads.
    """
    root = dataset.spec.root
    findings = on_threads(lambda sample: _look(dataset, sample), dataset.samples, "pictures checked", _THREADS)
    problems = list(dataset.unreadable)
    problems += [problem for finding in findings for problem in finding.problems]
    problems += _repeated(root, dataset.samples)
    problems += _shared_between_splits(root, dataset.samples, findings)
    problems += _empty_classes(dataset, findings)
    if not dataset.spec.embedded:
        problems += _of_no_use(dataset, findings)
    return sorted(problems, key=lambda problem: problem.severity)


def _look(dataset: LoadedDataset, sample: Sample) -> _Finding:
    where = shown(dataset.spec.root, sample.image)
    problems, digest, facts = _image(dataset.spec.root, sample, where)
    problems += _annotation(dataset, (resized(sample, facts.size) if facts else None) or sample, where)
    labels = [sample.label] if sample.label is not None else _trained_on(sample)
    if dataset.spec.task is Task.SEGMENTATION:
        found, labels = _mask(dataset, sample, where, facts)
        problems += found
    return _Finding(problems, digest, labels)


def _trained_on(sample: Sample) -> list[int]:
    """Labels of the objects that training looks at: crowds and VOC's difficult ones are ignored."""
    return [item.label for item in sample.instances if not item.is_crowd]


def _image(root: Path, sample: Sample, where: str) -> tuple[list[Problem], str, Facts | None]:
    try:
        content = pictures.content(sample.image)
        facts = pictures.look(io.BytesIO(content))
    except PictureError as error:
        return [unreadable(root, sample.image, error)], "", None
    wrong = size_mismatch(sample, facts.size, where, turned=facts.stored_size == (sample.width, sample.height))
    return [wrong] if wrong else [], hashlib.blake2b(content, digest_size=16).hexdigest(), facts


def _annotation(dataset: LoadedDataset, sample: Sample, where: str) -> Iterable[Problem]:
    known = len(dataset.classes)
    points = len(dataset.keypoints.names) if dataset.keypoints else 0
    labels = [item.label for item in sample.instances]
    if dataset.spec.task is Task.CLASSIFICATION:
        labels = [-1 if sample.label is None else sample.label]
    for label in labels:
        if not 0 <= label < known:
            what = f"class index {label} does not exist; the set has {known} classes"
            yield Problem("unknown-class", where, what, "correct the label or add the class")
    for number, item in enumerate(sample.instances):
        wrong = boxes.fault(item.bbox, sample.width, sample.height)
        if wrong:
            name = dataset.classes[item.label] if 0 <= item.label < known else f"class {item.label}"
            yield Problem(wrong[0], f"{where}, object {number} ({name})", wrong[1], "correct the box", wrong[2])
        if dataset.spec.task is Task.KEYPOINT and len(item.keypoints) != points:
            what = f"{len(item.keypoints)} keypoints, the set has {points}"
            yield Problem("keypoint-count", f"{where}, object {number}", what, "list every point, 0 0 0 if unseen")


def _mask(dataset: LoadedDataset, sample: Sample, where: str, picture: Facts | None) -> tuple[list[Problem], list[int]]:
    if sample.mask is None:
        return [Problem("missing-mask", where, "the image has no mask", "add one or delete the image")], []
    place = mask_place(dataset.spec.root, sample.mask)
    try:
        raw = raw_mask(sample.mask)
    except DataError as error:
        return [Problem("bad-mask", place, str(error), "save one class index a pixel")], []
    except PictureError as error:
        kind = "missing-mask" if error.kind == "missing-image" else "bad-mask"
        return [Problem(kind, place, error.what, "export the mask again")], []
    problems: list[Problem] = []
    if picture is not None and (wrong := misfit((raw.shape[1], raw.shape[0]), picture)):
        done = "it is brought to the image" if wrong.mended else "the image is left out"
        remedy = "export the mask at the image's size, nearest neighbour"
        what = f"{wrong.what}; {done}"
        problems.append(Problem("bad-mask", place, what, remedy, "warning" if wrong.mended else "error"))
    allowed = {value for value, _ in sample.mask_map} or set(range(len(dataset.classes)))
    values = present(raw)
    if strange := sorted(set(values) - allowed - {UNLABELLED}):
        text = ", ".join(map(str, strange[:_LISTED])) + (" ..." if len(strange) > _LISTED else "")
        what = f"pixel values without a class: {text}; the set has {len(dataset.classes)} classes"
        problems.append(Problem("bad-mask", place, what, "add the classes, or set these pixels to 255 (unlabelled)"))
    return problems, mapped_values(values, sample.mask_map)


def _of_no_use(dataset: LoadedDataset, findings: list[_Finding]) -> Iterable[Problem]:
    """What a run with this data set would be refused for."""
    pairs = zip(dataset.samples, findings, strict=True)
    seen = {id(sample): (found.digest, tuple(found.labels)) for sample, found in pairs if found.digest}
    try:
        try_bag(dataset, seen)
    except DataError as error:
        reason = str(error).partition(" See")[0]
        remedy = "add images, or mend what is listed above"
        yield Problem("of-no-use", readable(str(dataset.spec.root)), f"no run: {reason}", remedy)


def _repeated(root: Path, samples: list[Sample]) -> Iterable[Problem]:
    seen: set[Path] = set()
    for sample in samples:
        if sample.image in seen:
            what = "the image has two entries in the annotation"
            yield Problem("duplicate-image", shown(root, sample.image), what, "merge the entries", "warning")
        seen.add(sample.image)


def _shared_between_splits(root: Path, samples: list[Sample], findings: list[_Finding]) -> Iterable[Problem]:
    """The same file content in two splits makes test figures too good."""
    first: dict[str, Sample] = {}
    for sample, finding in zip(samples, findings, strict=True):
        if not finding.digest:
            continue
        other = first.setdefault(finding.digest, sample)
        if other.split != sample.split:
            what = f"the same picture as {shown(root, other.image)}: {other.split} and {sample.split} share it"
            yield Problem("shared-image", shown(root, sample.image), what, "delete one of the two", "warning")
        elif other.label != sample.label and other.image != sample.image:
            what = f"the same picture as {shown(root, other.image)}, but of another class"
            yield Problem("shared-image", shown(root, sample.image), what, "keep the right one", "warning")


def _empty_classes(dataset: LoadedDataset, findings: list[_Finding]) -> Iterable[Problem]:
    splits: dict[int, set[str]] = defaultdict(set)
    for sample, finding in zip(dataset.samples, findings, strict=True):
        for label in finding.labels:
            splits[label].add(sample.split)
    where = readable(str(dataset.spec.root))
    has_train = any(sample.split == "train" for sample in dataset.samples)
    for label, name in enumerate(dataset.classes):
        if not splits[label]:
            ignored = any(item.label == label for sample in dataset.samples for item in sample.instances)
            found = "only crowds or difficult objects, which training ignores" if ignored else "no example"
            what = f"class {name!r} has {found}"
            yield Problem("empty-class", where, what, "add images of it or drop the class", "warning")
        elif has_train and "train" not in splits[label]:
            what = f"class {name!r} occurs in {' and '.join(sorted(splits[label]))} but never in train"
            yield Problem("empty-class", where, what, "move images of it to train", "warning")
