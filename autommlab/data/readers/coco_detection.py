"""Detection in COCO's format: `annotations/instances_train2017.json` + `train2017/`, or
`annotations/{train,val,test}.json` + `{train,val,test}/`, or the JSON beside the images.

Segmentation where it is asked for: the polygons and run lengths of the objects are drawn as masks.
"""

from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.readers.coco_files import annotation_files, mentions
from autommlab.data.readers.coco_json import CocoSet
from autommlab.data.readers.coco_masks import MaskSet
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.shape_sets import shape_set
from autommlab.data.records import DatasetSpec, LoadedDataset
from autommlab.tasks import Task

_PREFIX = "instances"


def detect(root: Path) -> tuple[Task, ...]:
    """Detection where annotations have boxes or outlines and no keypoints."""
    for file in annotation_files(root, _PREFIX):
        named = file.path.stem.startswith(f"{_PREFIX}_")
        outlined = mentions(file.path, "bbox") or mentions(file.path, "segmentation")
        if named or (outlined and not mentions(file.path, "keypoints")):
            return (Task.DETECTION,)
    return ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """All annotation files; images without objects are kept as background."""
    found = annotation_files(spec.root, _PREFIX)
    if not found:
        raise DataError(f"{spec.root}: no annotation file. Expected {READER.summary}.")
    if spec.task is Task.SEGMENTATION:
        outlined = MaskSet(spec.root, with_keypoints=False)
        outlined.read_all(found)
        return shape_set(spec, outlined.pictures, outlined.classes, outlined.problems)
    content = CocoSet(spec.root, with_keypoints=False)
    content.read_all(found)
    classes = tuple(content.classes)
    spec = spec.model_copy(update={"classes": classes})
    return LoadedDataset(spec, classes, content.samples, unreadable=content.problems)


READER = Reader(
    "coco-detection",
    (Task.DETECTION, Task.SEGMENTATION),
    "annotations/instances_{train,val}2017.json with train2017/ and val2017/, or "
    "annotations/{train,val,test}.json with {train,val,test}/, "
    "or {train,valid,test}/_annotations.coco.json (Roboflow); "
    "with --task segmentation its polygons and run lengths become masks",
    detect,
    read,
)
