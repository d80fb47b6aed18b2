"""Pascal VOC: `JPEGImages` with `Annotations/*.xml` (detection) or `SegmentationClass/*.png`.

Splits come from `ImageSets/Main` or `ImageSets/Segmentation`; VOC's `trainval` is read as train only
where no `train` is listed. Class names of a set of one's own: those in the XML; for masks a class list
or VOC's twenty.
"""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autommlab.common.errors import DataError
from autommlab.data.readers import boxes, files, images, mask_values
from autommlab.data.readers.fitting import Annotated, box_in_image, sizes_meant
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.masks import MASK_SUFFIXES
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.voc_xml import VocBox, XmlError, read_xml
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

#: What class-specific lists say beside a name: shown, difficult, not shown.
_PRESENCE = ("1", "0", "-1")

AnySplit = Split | Literal[""]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An image with its boxes; `size` is what the annotation says."""

    image: Path
    split: AnySplit
    size: tuple[int, int] | None
    boxes: list[VocBox]


def detect(root: Path) -> tuple[Task, ...]:
    """Detection where XML annotations lie, segmentation where class masks do; often both."""
    if not (root / "JPEGImages").is_dir():
        return ()
    tasks: list[Task] = []
    if files.listed(root / "Annotations", ".xml"):
        tasks.append(Task.DETECTION)
    if files.listed(root / "SegmentationClass", *MASK_SUFFIXES):
        tasks.append(Task.SEGMENTATION)
    return tuple(tasks)


def read(spec: DatasetSpec) -> LoadedDataset:
    """The set of the spec's task."""
    return _read_masks(spec) if spec.task is Task.SEGMENTATION else _read_boxes(spec)


def _members(root: Path, lists: str, annotated: dict[str, Path], problems: list[Problem]) -> list[tuple[str, AnySplit]]:
    """(name, split) of every listed image; all annotated ones without a split where no list lies.

    A listed split of which no image is annotated is left out with a note.
    """
    present = {path.stem: path for path in files.listed(root / "ImageSets" / lists, ".txt")}
    found: dict[str, Split] = {}
    for name, split in _LISTS.items():
        if name not in present or (name == "trainval" and "train" in present):
            continue
        where = files.shown(root, present[name])
        names = list(dict.fromkeys(_named(line, annotated) for line in files.read_lines(present[name])))
        if names and annotated and not annotated.keys() & set(names):
            problems.append(files.unlabelled(name, where, len(names), "have no annotation"))
            continue
        for each in names:
            if found.setdefault(each, split) != split:
                what = f"{each!r} is in {found[each]} too; it stays there"
                problems.append(Problem("shared-image", where, what, "list it once", "warning"))
    return list(found.items()) if found else [(name, "") for name in annotated]


def _named(line: str, annotated: dict[str, Path]) -> str:
    """The image that a line of a list names: "2007_000027", "field 3 (2)", "dog -1" or "JPEGImages/a.jpg"."""
    line = unicodedata.normalize("NFC", line)
    bare, _, last = line.rpartition(" ")
    options = [line, bare.rstrip()] if last in _PRESENCE and bare.strip() else [line]
    stems = [Path(option.replace("\\", "/")).name for option in options]
    stems += [Path(stem).stem for stem in stems]
    return next((option for option in [*options, *stems] if option in annotated), options[-1])


def _annotated(root: Path, folder: str, *suffixes: str) -> dict[str, Path]:
    """Name -> annotation file."""
    return {unicodedata.normalize("NFC", path.stem): path for path in files.listed(root / folder, *suffixes)}


def _image(finder: Finder, where: str, name: str, file_name: str = "") -> Path | Problem:
    """The image of an annotation; VOC's own are JPEG, other people's any kind."""
    suffixed = [name + suffix for suffix in (".jpg", *sorted(files.IMAGE_SUFFIXES - {".jpg"}))]
    return finder.find(where, *suffixed[:1], *([file_name] if file_name else []), name, *suffixed[1:])


def _read_boxes(spec: DatasetSpec) -> LoadedDataset:
    root, problems = spec.root, list[Problem]()
    annotated, finder = _annotated(root, "Annotations", ".xml"), Finder(root, [root / "JPEGImages"])
    entries: list[_Entry] = []
    for name, split in _members(root, "Main", annotated, problems):
        if files.inside(root, root / "Annotations", f"{name}.xml") is None:
            problems.append(files.escapes("ImageSets/Main", name))
            continue
        where = files.readable(f"Annotations/{name}.xml")
        try:
            read = read_xml(annotated.get(name, root / "Annotations" / f"{name}.xml"))
        except XmlError as error:
            problems.append(Problem("bad-annotation", where, f"{error}; image left out", "restore the annotation"))
            continue
        image = _image(finder, where, name, read.file_name)
        if isinstance(image, Problem):
            problems.append(image)
        else:
            entries.append(_Entry(image, split, read.size, read.boxes(where, problems)))
    if not entries:
        first = f" First problem: {problems[0].where}: {problems[0].what}." if problems else ""
        raise DataError(f"{root}: no annotation of ImageSets/Main could be read.{first} Expected {READER.summary}.")
    return _boxes_dataset(spec, entries, problems)


def _boxes_dataset(spec: DatasetSpec, entries: list[_Entry], problems: list[Problem]) -> LoadedDataset:
    root = spec.root
    found = {box.name for entry in entries for box in entry.boxes}
    listed = files.named_classes(root) or (CLASSES if found <= set(CLASSES) else ())
    classes = (*listed, *sorted(found - set(listed)))
    labels = {name: label for label, name in enumerate(classes)}
    fractions = boxes.are_fractions(number for entry in entries for box in entry.boxes for number in box.corners)
    if fractions:
        problems.append(boxes.fractions_note("Annotations"))
    unsized = [entry.image for entry in entries if entry.size is None]
    sizes = dict(zip(unsized, images.sizes(root, unsized, problems), strict=True))
    sized = [(entry, size) for entry in entries if (size := entry.size or sizes.get(entry.image))]
    annotated = [
        Annotated(entry.image, size, [box.bbox(size, fractions=fractions) for box in entry.boxes])
        for entry, size in sized
    ]
    samples: list[Sample] = []
    meant = sizes_meant(root, annotated, problems)
    for (entry, _), one, size in zip(sized, annotated, meant, strict=True):
        where = files.shown(root, entry.image)
        kept = [
            Instance(labels[box.name], bbox, is_crowd=box.difficult)
            for box, given in zip(entry.boxes, one.boxes, strict=True)
            if (bbox := box_in_image(given, size, where, f"{box.name}: ", problems))
        ]
        samples.append(Sample(entry.image, *size, split=entry.split, instances=tuple(kept)))
    spec = spec.model_copy(update={"classes": classes})
    return LoadedDataset(spec, classes, samples, unreadable=problems)


def _read_masks(spec: DatasetSpec) -> LoadedDataset:
    root, problems = spec.root, list[Problem]()
    annotated, finder = _annotated(root, "SegmentationClass", *MASK_SUFFIXES), Finder(root, [root / "JPEGImages"])
    found: list[tuple[Path, Path, AnySplit]] = []
    for name, split in _members(root, "Segmentation", annotated, problems):
        image = _image(finder, "ImageSets/Segmentation", name)
        if isinstance(image, Problem):
            problems.append(image)
        elif name not in annotated:
            what = f"no SegmentationClass/{files.readable(name)}.png; image left out"
            problems.append(Problem("missing-mask", files.shown(root, image), what, "add the mask"))
        else:
            found.append((image, annotated[name], split))
    if not found:
        raise DataError(f"{root}: no mask of ImageSets/Segmentation found. Expected {READER.summary}.")
    measured = images.sizes(root, [image for image, _, _ in found], problems)
    classes = files.named_classes(root) or ("background", *CLASSES)
    classes, mask_map = mask_values.named(classes, [mask for _, mask, _ in found])
    samples = [
        Sample(image, *size, split=split, mask=mask, mask_map=mask_map)
        for (image, mask, split), size in zip(found, measured, strict=True)
        if size
    ]
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
