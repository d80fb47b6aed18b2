"""Typed records of the data stage: what a reader yields and what a bag is.

Readers of every layout yield `LoadedDataset`; the bag builder turns one (or
several) of them into a `Bag`, the only form of data that training sees.
All boxes are (x, y, width, height) in pixels of the original image.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from autommlab.common.run_path import InnerName, PossiblePath, RunPath
from autommlab.data.drawn_masks import DrawnMask
from autommlab.tasks import Task

Split = Literal["train", "val", "test"]
Severity = Literal["error", "warning"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class KeypointLayout:
    """The points of one kind of being: names, left-right pairs, bones, fall-off of each point.

    Attributes:
        names: one per point.
        flip_pairs: index pairs that swap under a horizontal flip.
        skeleton: index pairs joined by a line when drawn.
        sigmas: COCO's fall-off of each point (object keypoint similarity).
    """

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Instance:
    """One object in an image.

    Attributes:
        label: index into the classes of its data set.
        bbox: (x, y, width, height) in pixels.
        keypoints: (x, y, v) per point; v is COCO's 0 unlabelled, 1 hidden, 2 visible.
        is_crowd: COCO's flag for a group; ignored in evaluation.
        area: of the object in square pixels; 0 = take the box.
    """

    label: int
    bbox: tuple[float, float, float, float]
    keypoints: tuple[tuple[float, float, int], ...] = ()
    is_crowd: bool = False
    area: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its annotation.

    Attributes:
        image: absolute path.
        width, height: pixels, as annotated or read from the file's header.
        split: "" where the layout does not assign one.
        label: class index for classification.
        instances: for detection and keypoints.
        mask: index mask for segmentation: pixel = class index, 255 = unlabelled; a file, or drawn from outlines.
        mask_map: raw pixel value of `mask` -> class index (empty: value is the index).
    """

    image: Path
    width: int
    height: int
    split: Split | Literal[""] = ""
    label: int | None = None
    instances: tuple[Instance, ...] = ()
    mask: Path | DrawnMask | None = None
    mask_map: tuple[tuple[int, int], ...] = ()


class DatasetSpec(BaseModel):
    """One line of the registry: how a data set is found and read.

    Attributes:
        name: unique, as people write it in a request ("COCO", "openmoji-scenes").
        layout: name of a reader ("image-folders", "coco-detection", ...) or of an embedded generator.
        root: absolute folder of the data (for an embedded set: its cache folder).
        embedded: generated from installed packages, no download.
        uri: of the storage that `root` was fetched from; "" for a folder of this machine.
        classes: may be empty until the set is read.
        aliases: class -> other names of it that a request may use.
        description, licence: shown to people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    task: Task
    layout: str
    root: PossiblePath
    embedded: bool = False
    uri: str = ""
    classes: tuple[str, ...] = ()
    aliases: dict[str, tuple[str, ...]] = {}
    description: str = ""
    licence: str = ""


@dataclass(slots=True)
class LoadedDataset:
    """A data set as its reader found it.

    Attributes:
        unreadable: problems met while reading that the reader stepped over (file, what, remedy).
    """

    spec: DatasetSpec
    classes: tuple[str, ...]
    samples: list[Sample]
    keypoints: KeypointLayout | None = None
    unreadable: list["Problem"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a data set, for `data check`.

    Attributes:
        kind: short stable name: missing-image, corrupt-image, box-outside, unknown-class,
            duplicate-id, empty-class, bad-annotation, bad-mask, size-mismatch ...
        where: file (and annotation id) concerned.
        what: what is wrong, with the offending value.
        remedy: what to do.
        severity: "error" breaks training, "warning" does not.
    """

    kind: str
    where: str
    what: str
    remedy: str
    severity: Severity = "error"


class KeypointMeta(BaseModel):
    """`KeypointLayout` as it is stored in a bag and a bundle."""

    model_config = ConfigDict(frozen=True)

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()


class PictureDepth(BaseModel):
    """How the pictures of more than 8 bits of a bag become 8 bits: `bundle_runtime.pictures.Depth`, as it is stored."""

    model_config = ConfigDict(frozen=True)

    bits: int = 16
    white: float = 1.0


class BagSplit(BaseModel):
    """One split of a bag.

    Attributes:
        images: number of images.
        annotations: path relative to the bag's folder. classification: text lines
            "ABSOLUTE_IMAGE_PATH<space>LABEL"; detection and keypoint: COCO JSON whose file_name is
            absolute and whose category ids are 1 + label; segmentation: text lines
            "ABSOLUTE_IMAGE_PATH<tab>MASK_PATH", the mask relative to the bag's folder.
        per_class: class -> images (classification, segmentation) or instances (detection, keypoint).
    """

    model_config = ConfigDict(frozen=True)

    images: int
    annotations: InnerName
    per_class: dict[str, int]


class Bag(BaseModel):
    """Train, val and test of the asked-for classes: all that training sees of the data.

    The three splits never share an image. The paper (arXiv 2402.15351, section 3) calls the
    data selected for one request a bag.

    Attributes:
        folder: absolute folder that holds the annotation files, the remapped masks and `bag.json`.
        classes: target classes in label order. Segmentation: index 0 is "background" where the
            source has one; value 255 is ignored.
        sources: target class -> "DATASET/CLASS" merged into it.
        datasets: names of the data sets used.
        median_size: median (width, height) of the training images in pixels.
        digest: SHA-256 over the annotation content, classes and split; names the bag.
        depth: of pictures with more than 8 bits a channel.
        notes: sentences for the report (merges, made splits, caps).
        fetched: URI -> absolute folder of the data sets that came from a storage; every node gets them there.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    folder: RunPath
    classes: tuple[str, ...]
    sources: dict[str, tuple[str, ...]]
    datasets: tuple[str, ...]
    splits: dict[Split, BagSplit]
    keypoints: KeypointMeta | None = None
    median_size: tuple[int, int]
    seed: int
    digest: str
    depth: PictureDepth = PictureDepth()
    notes: tuple[str, ...] = ()
    fetched: dict[str, PossiblePath] = {}

    def annotation_file(self, split: Split) -> Path:
        """Absolute path of a split's annotation file."""
        return self.folder / self.splits[split].annotations

    def summary(self) -> str:
        """One line: data sets, classes, sizes of the splits."""
        sizes = "/".join(str(self.splits[split].images) for split in SPLITS)
        return f"{', '.join(self.datasets)}: {len(self.classes)} classes, {sizes} images (train/val/test)"
