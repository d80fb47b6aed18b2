"""The 40 registered tasks, one table; nothing of it may change once something was trained on one of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import DataError
from autommlab.data.recognise import recognise
from autommlab.data.registry import load_dataset
from autommlab.models import zoo
from autommlab.tasks import Task
from training_data_gen.benchmarks.registered.cuts import Cut, points_of, taken
from training_data_gen.benchmarks.registered.scenes import FIRST_VERSION, POINTS, drawn_pictures
from training_data_gen.benchmarks.registered.writing import write_folder
from training_data_gen.trials.planned import PlannedBag

#: Folder of the sets of photos; the default lies beside a checkout.
DATA_VARIABLE = "AUTOMMLAB_REGISTERED_DATA"
_BESIDE = Path("../shared/data")

Backbone = Literal["lite0", "lite1", "lite2", "mobilenetv2"]
#: Of which no trial of the history was.
UNSEEN_FAMILY = "MobileNetV2"


class Shape(NamedTuple):
    """How a model is trained by default: input (width, height) in pixels, iterations, batch size."""

    input_size: tuple[int, int]
    iterations: int
    batch_size: int


class RegisteredTask(BaseModel):
    """A dataset and the model that is trained on it.

    Attributes:
        id: unique; the folder's name, which searchers see as the dataset's.
        source: folder of a set of photos in the data folder, or an embedded set that draws.
        is_real: the pictures are photos.
        classes: of the source; () = all. Photos of others are left out, other things drawn are background.
        cut: the part of the photos.
        counts: drawn pictures of each class in (train, val, test).
        version: seeds what is drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    task: Task
    source: str
    is_real: bool
    backbone: Backbone
    classes: tuple[str, ...] = ()
    cut: Cut = Cut()
    counts: tuple[int, int, int] = (0, 0, 0)
    version: int = 0

    @property
    def model(self) -> str:
        """The zoo entry's name."""
        head = {Task.CLASSIFICATION: "", Task.DETECTION: "fcos_", Task.SEGMENTATION: "fpn_", Task.KEYPOINT: "heatmap_"}
        name = self.backbone if self.backbone == "mobilenetv2" else f"efficientnet-{self.backbone}"
        return f"{head[self.task]}{name}_packaged"

    @property
    def shape(self) -> Shape:
        """Of a default training, about 20 s on one core."""
        return _SHAPES[self.task][self.backbone == "mobilenetv2"]

    def planned(self, folder: Path) -> PlannedBag:
        """The task as the benchmark's machinery takes it; the bounds are those of the six-dimensional space."""
        shape = self.shape
        return PlannedBag(
            id=self.id,
            task=self.task,
            dataset=str(folder),
            classes=(),
            model=self.model,
            input_size=shape.input_size,
            images=_MOST_IMAGES,
            iterations=(max(1, shape.iterations // 3), shape.iterations),
            batch_size=(max(2, shape.batch_size // 4), shape.batch_size),
            reports=2,
            held_out=True,
        )


#: Of train, val and test.
_MOST_IMAGES = (480, 160, 160)
#: For EfficientNet-Lite and for MobileNetV2.
_SHAPES: dict[Task, tuple[Shape, Shape]] = {
    Task.CLASSIFICATION: (Shape((96, 96), 90, 16), Shape((96, 96), 110, 16)),
    Task.DETECTION: (Shape((128, 128), 100, 6), Shape((128, 128), 120, 6)),
    Task.SEGMENTATION: (Shape((128, 128), 90, 6), Shape((128, 128), 110, 6)),
    Task.KEYPOINT: (Shape((96, 96), 110, 8), Shape((96, 96), 130, 8)),
}


def _photos(name: str, source: str, backbone: Backbone, classes: str = "", cut: Cut = Cut()) -> RegisteredTask:  # noqa: B008
    kind = Task(source.partition("_")[0] if not cut.labels else _KINDS[cut.labels])
    return RegisteredTask(
        id=name, task=kind, source=source, is_real=True, backbone=backbone, classes=_names(classes), cut=cut
    )


_KINDS = {"boxes": "detection", "extremes": "keypoint", "front": "keypoint", "rear": "keypoint"}


def _drawn(number: int, name: str, task: Task, source: str, backbone: Backbone, classes: str) -> RegisteredTask:
    names = _names(classes)
    total = (400, 150, 150) if task is Task.CLASSIFICATION else (240, 80, 80)
    counts = (total[0] // len(names), total[1] // len(names), total[2] // len(names))
    return RegisteredTask(
        id=name, task=task, source=source, is_real=False, backbone=backbone, classes=names, counts=counts,
        version=FIRST_VERSION + number,
    )  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_CLASSIFICATION = (
    _photos("signdigits-0-4", "classification_signdigits", "lite0", "0,1,2,3,4"),
    _photos("signdigits-5-9", "classification_signdigits", "mobilenetv2", "5,6,7,8,9"),
    _drawn(1, "balls-and-boards", Task.CLASSIFICATION, "openmoji-objects", "lite1",
           "sports ball,skateboard,tennis racket,frisbee,skis,kite"),
    _photos("clothing-above", "classification_clothing10", "lite2", "longsleeve,outwear,shirt,t-shirt,dress"),
    _photos("eurocoins", "classification_eurocoins", "mobilenetv2"),
    _drawn(2, "shoes", Task.CLASSIFICATION, "openmoji-objects", "mobilenetv2", "running shoe,boot,high heel"),
    _photos("clothing-below", "classification_clothing10", "lite0", "hat,pants,shoes,shorts,skirt"),
    _drawn(3, "worn-small-things", Task.CLASSIFICATION, "openmoji-objects", "lite0", "glasses,watch,tie,key,helmet"),
    _photos("coffeestress", "classification_coffeestress", "lite1"),
    _drawn(4, "furniture", Task.CLASSIFICATION, "openmoji-objects", "mobilenetv2",
           "chair,couch,bed,dining table,toilet"),
)  # fmt: skip
_DETECTION = (
    _photos("bloodcells-left", "detection_bccd", "lite0", cut=Cut(half="left")),
    _photos("bloodcells-right", "detection_bccd", "mobilenetv2", cut=Cut(half="right")),
    _drawn(11, "aircraft", Task.DETECTION, "openmoji-scenes", "lite0", "airplane,helicopter"),
    _photos("microcontrollers", "detection_microcontrollers", "lite1"),
    _photos("raccoons", "detection_raccoon", "mobilenetv2"),
    _drawn(12, "street-signs", Task.DETECTION, "openmoji-scenes", "mobilenetv2", "traffic light,stop sign"),
    _photos("nuclei-boxes", "segmentation_nuclei", "lite2", cut=Cut(share=(1, 2), labels="boxes")),
    _drawn(13, "sandwiches", Task.DETECTION, "openmoji-scenes", "lite2", "sandwich"),
    _drawn(14, "bath-and-desk", Task.DETECTION, "openmoji-scenes", "mobilenetv2", "toothbrush,mouse,vase"),
    _drawn(15, "toys", Task.DETECTION, "openmoji-scenes", "lite1", "teddy bear,kite"),
)  # fmt: skip
_SEGMENTATION = (
    _photos("nuclei", "segmentation_nuclei", "lite0", cut=Cut(share=(0, 2))),
    _photos("coffeeleaf-left", "segmentation_coffeeleaf", "lite1", cut=Cut(half="left", share=(0, 2))),
    _drawn(21, "boats-and-trains", Task.SEGMENTATION, "openmoji-masks", "lite0", "boat,train"),
    _photos("coffeeleaf-right", "segmentation_coffeeleaf", "mobilenetv2", cut=Cut(half="right", share=(0, 2))),
    _drawn(22, "plants-in-pots", Task.SEGMENTATION, "openmoji-masks", "mobilenetv2", "potted plant,vase"),
    _photos("roadcracks-left", "segmentation_roadcracks", "lite2", cut=Cut(half="left")),
    _photos("roadcracks-right", "segmentation_roadcracks", "mobilenetv2", cut=Cut(half="right")),
    _drawn(23, "fish", Task.SEGMENTATION, "openmoji-masks", "lite1", "fish"),
    _drawn(24, "seats", Task.SEGMENTATION, "openmoji-masks", "mobilenetv2", "chair,couch,toilet"),
    _drawn(25, "tractors", Task.SEGMENTATION, "openmoji-masks", "lite2", "tractor,fire extinguisher"),
)  # fmt: skip
_KEYPOINT = (
    _photos("gluetubes", "keypoint_gluetubes", "lite0"),
    _photos("bees-front", "keypoint_bees", "lite1", cut=Cut(labels="front")),
    _drawn(31, "bird-extremes", Task.KEYPOINT, "openmoji-extremes", "mobilenetv2", "bird"),
    _photos("bees-rear", "keypoint_bees", "mobilenetv2", cut=Cut(labels="rear")),
    _drawn(32, "boat-extremes", Task.KEYPOINT, "openmoji-extremes", "lite0", "boat"),
    _photos("openfieldmouse", "keypoint_openfieldmouse", "mobilenetv2"),
    _drawn(33, "boot-extremes", Task.KEYPOINT, "openmoji-extremes", "mobilenetv2", "boot,high heel"),
    _photos("leaf-extremes", "segmentation_coffeeleaf", "lite2", cut=Cut(share=(1, 2), labels="extremes")),
    _drawn(34, "helicopter-extremes", Task.KEYPOINT, "openmoji-extremes", "lite2", "helicopter"),
    _drawn(35, "chair-extremes", Task.KEYPOINT, "openmoji-extremes", "lite1", "chair"),
)  # fmt: skip

#: In the order of work: the four kinds in turn, so that a benchmark cut short is a balanced one.
TASKS: tuple[RegisteredTask, ...] = tuple(
    task for four in zip(_CLASSIFICATION, _DETECTION, _SEGMENTATION, _KEYPOINT, strict=True) for task in four
)


def data_folder(given: Path | None = None) -> Path:
    """Where the sets of photos lie: as given, else as the environment says, else beside the checkout."""
    return (given or Path(os.environ.get(DATA_VARIABLE) or _BESIDE)).expanduser().resolve()


def missing(task: RegisteredTask, data: Path) -> str:
    """Why a task cannot be had here; "" if it can."""
    if task.is_real and not (data / task.source).is_dir():
        return f"the set {task.source} is not in {data}"
    from autommlab.models.weights import resolve

    weights = resolve(zoo.entry(task.model, task.task), None)
    return weights.reason if weights.kind == "none" else ""


def make_pictures(task: RegisteredTask, folder: Path, data: Path) -> None:
    """Write the task's pictures and labels into `folder`, unless they are there.

    Args:
        task: one of `TASKS`.
        folder: made; its parent exists or is made.
        data: folder of the sets of photos.

    Raises:
        DataError: the set of photos is not there or has no such class.
        StorageError: `folder` cannot be written.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not task.is_real:
        pictures = drawn_pictures(task.source, task.classes, task.counts, task.version)
        write_folder(folder, task.task, task.classes, POINTS.get(task.source), pictures)
        return
    if why := missing(task, data):
        raise DataError(
            f"{task.id}: {why}. Name the folder of the sets of photos: --data-root FOLDER or {DATA_VARIABLE}"
        )
    loaded = load_dataset(recognise(data / task.source))
    own = tuple(name for name in loaded.classes if name != "background")
    classes = task.classes or ((task.id,) if task.cut.labels else own)
    if task.classes:
        wanted = {loaded.classes.index(name): place for place, name in enumerate(classes)}
        kept = [sample for sample in loaded.samples if sample.label in wanted]
        loaded.samples = [replace(sample, label=wanted[sample.label or 0]) for sample in kept]
    points = points_of(task.cut, loaded.keypoints) if task.task is Task.KEYPOINT else None
    write_folder(folder, task.task, classes, points, taken(loaded, task.cut))
