"""Keypoints in COCO's format: `annotations/person_keypoints_train2017.json` + `train2017/`, or
`annotations/{train,val,test}.json` + `{train,val,test}/` whose categories name keypoints.
"""

from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.readers import files
from autommlab.data.readers.coco_files import annotation_files, mentions
from autommlab.data.readers.coco_json import CocoFile, CocoSet
from autommlab.data.readers.reader import Reader
from autommlab.data.records import DatasetSpec, LoadedDataset
from autommlab.tasks import Task

_PREFIX = "person_keypoints"


def detect(root: Path) -> tuple[Task, ...]:
    """Keypoint where annotations name keypoints."""
    for file in annotation_files(root, _PREFIX):
        if file.path.stem.startswith(f"{_PREFIX}_") or mentions(file.path, "keypoints"):
            return (Task.KEYPOINT,)
    return ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """All annotation files; images without any labelled point are left out."""
    found = annotation_files(spec.root, _PREFIX)
    if not found:
        raise DataError(f"{spec.root}: no annotation file. Expected {READER.summary}.")
    return read_files(spec, found)


def read_files(spec: DatasetSpec, found: list[CocoFile]) -> LoadedDataset:
    """The keypoint set of these annotation files.

    Raises:
        DataError: a file is broken, or no category names its keypoints.
    """
    content = CocoSet(spec.root, with_keypoints=True, meta=files.read_meta(spec.root))
    content.read_all(found)
    if content.layout is None:
        raise DataError(
            f"{found[0].path}: no category has a list 'keypoints'. Add the points' names to a category, "
            "or give --task detection --layout coco-detection to use the boxes."
        )
    classes = tuple(content.classes)
    spec = spec.model_copy(update={"classes": classes})
    return LoadedDataset(spec, classes, content.samples, content.layout, content.problems)


READER = Reader(
    "coco-keypoints",
    (Task.KEYPOINT,),
    "annotations/person_keypoints_{train,val}2017.json with train2017/ and val2017/, or "
    "annotations/{train,val,test}.json with {train,val,test}/, categories naming keypoints",
    detect,
    read,
)
