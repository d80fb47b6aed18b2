"""Pascal VOC: `JPEGImages` with `Annotations/*.xml` (detection) or `SegmentationClass/*.png`.

Splits come from `ImageSets/Main` or `ImageSets/Segmentation`; VOC's `trainval` is read as train only
where no `train` is listed. Class names of a set of one's own: those in the XML; for masks a class list
or VOC's twenty.
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Literal

from autommlab.common.errors import DataError
from autommlab.data.readers import files, images
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.voc_xml import VocBox, read_xml
from autommlab.data.records import DatasetSpec, Instance, LoadedDataset, Problem, Sample, Split
from autommlab.tasks import Task

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
_LISTS: dict[str, Split] = {"train": "train", "trainval": "train", "val": "val", "test": "test"}

Named = tuple[str, Split | Literal[""]]


def detect(root: Path) -> tuple[Task, ...]:
    """Detection where XML annotations lie, segmentation where class masks do; often both."""
    if not (root / "JPEGImages").is_dir():
        return ()
    tasks: list[Task] = []
    if any((root / "Annotations").glob("*.xml")):
        tasks.append(Task.DETECTION)
    if any((root / "SegmentationClass").glob("*.png")):
        tasks.append(Task.SEGMENTATION)
    return tuple(tasks)


def read(spec: DatasetSpec) -> LoadedDataset:
    """The set of the spec's task."""
    return _read_masks(spec) if spec.task is Task.SEGMENTATION else _read_boxes(spec)


def _members(root: Path, lists: str, folder: str, suffix: str) -> list[Named]:
    """(image name, split) of every listed image; all annotated ones without a split where no list lies."""
    found: dict[str, Split] = {}
    present = {path.stem: path for path in (root / "ImageSets" / lists).glob("*.txt")}
    for name, split in _LISTS.items():
        if name not in present or (name == "trainval" and "train" in present):
            continue
        for line in files.read_lines(present[name]):
            found.setdefault(line.split()[0], split)
    if found:
        return list(found.items())
    return [(path.stem, "") for path in sorted((root / folder).glob(f"*{suffix}"))]


def _image(root: Path, name: str, file_name: str = "") -> Path | None:
    """The image of an annotation; VOC's own are JPEG, other people's any kind. None outside the set."""
    names = [f"{name}.jpg", file_name or name, *(name + suffix for suffix in sorted(files.IMAGE_SUFFIXES))]
    paths = [files.inside(root, root / "JPEGImages", each) for each in names]
    return next((path for path in paths if path is not None and path.is_file()), paths[0])


def _read_boxes(spec: DatasetSpec) -> LoadedDataset:
    root, problems = spec.root, list[Problem]()
    entries: list[tuple[Path, Split | Literal[""], tuple[int, int] | None, list[VocBox]]] = []
    for name, split in _members(root, "Main", "Annotations", ".xml"):
        xml, where = files.inside(root, root / "Annotations", f"{name}.xml"), f"Annotations/{name}.xml"
        if xml is None:
            problems.append(files.escapes("ImageSets/Main", name))
            continue
        try:
            read = read_xml(xml)
        except (OSError, ET.ParseError) as error:
            what = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
            problems.append(Problem("bad-annotation", where, f"{what}; image left out", "restore the annotation"))
            continue
        if image := _image(root, name, read.file_name):
            entries.append((image, split, read.size, read.boxes(where, problems)))
    if not entries:
        raise DataError(f"{root}: no annotation of ImageSets/Main could be read. Expected {READER.summary}.")
    return _boxes_dataset(spec, entries, problems)


def _boxes_dataset(
    spec: DatasetSpec,
    entries: list[tuple[Path, Split | Literal[""], tuple[int, int] | None, list[VocBox]]],
    problems: list[Problem],
) -> LoadedDataset:
    found = {box.name for *_, boxes in entries for box in boxes}
    listed = files.named_classes(spec.root) or (CLASSES if found <= set(CLASSES) else ())
    classes = (*listed, *sorted(found - set(listed)))
    labels = {name: label for label, name in enumerate(classes)}
    unsized = [image for image, _, size, _ in entries if size is None]
    sizes = dict(zip(unsized, images.sizes(spec.root, unsized, problems), strict=True))
    samples: list[Sample] = []
    for image, split, stated, boxes in entries:
        size = stated or sizes[image]
        if size is None:
            continue
        kept = [
            Instance(labels[box.name], box.bbox, is_crowd=box.difficult)
            for box in boxes
            if box.fits(files.shown(spec.root, image), size, problems)
        ]
        samples.append(Sample(image, *size, split=split, instances=tuple(kept)))
    spec = spec.model_copy(update={"classes": classes})
    return LoadedDataset(spec, classes, samples, unreadable=problems)


def _read_masks(spec: DatasetSpec) -> LoadedDataset:
    root, problems = spec.root, list[Problem]()
    found: list[tuple[Path, Path, Split | Literal[""]]] = []
    for name, split in _members(root, "Segmentation", "SegmentationClass", ".png"):
        mask, image = files.inside(root, root / "SegmentationClass", f"{name}.png"), _image(root, name)
        if mask is None or image is None:
            problems.append(files.escapes("ImageSets/Segmentation", name))
        elif not mask.is_file():
            what = f"no SegmentationClass/{name}.png; image left out"
            problems.append(Problem("missing-mask", files.shown(root, image), what, "add the mask"))
        else:
            found.append((image, mask, split))
    if not found:
        raise DataError(f"{root}: no mask of ImageSets/Segmentation found. Expected {READER.summary}.")
    measured = images.sizes(root, [image for image, _, _ in found], problems)
    samples = [
        Sample(image, *size, split=split, mask=mask)
        for (image, mask, split), size in zip(found, measured, strict=True)
        if size
    ]
    classes = files.named_classes(root) or ("background", *CLASSES)
    spec = spec.model_copy(update={"classes": classes})
    return LoadedDataset(spec, classes, samples, unreadable=problems)


READER = Reader(
    "pascal-voc",
    (Task.DETECTION, Task.SEGMENTATION),
    "JPEGImages/*.jpg with Annotations/*.xml and ImageSets/Main/{train,val}.txt, or with "
    "SegmentationClass/*.png and ImageSets/Segmentation/{train,val}.txt",
    detect,
    read,
)
