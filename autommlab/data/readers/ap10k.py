"""AP-10K, animal pose: `annotations/ap10k-{train,val,test}-split1.json` + `data/`.

The benchmark has three splits into train, val and test; split 1 is what published figures use.
Classes are species; all share 17 points.
"""

from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.readers import files
from autommlab.data.readers.coco_json import CocoFile
from autommlab.data.readers.coco_keypoints import read_files
from autommlab.data.readers.reader import Reader
from autommlab.data.records import SPLITS, DatasetSpec, LoadedDataset
from autommlab.tasks import Task


def _files(root: Path) -> list[CocoFile]:
    paths = {split: root / "annotations" / f"ap10k-{split}-split1.json" for split in SPLITS}
    return [CocoFile(path, split, [root / "data"]) for split, path in paths.items() if files.is_regular(path)]


def detect(root: Path) -> tuple[Task, ...]:
    """Keypoint where a split-1 annotation of AP-10K lies."""
    return (Task.KEYPOINT,) if _files(root) else ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """Train, val and test of split 1."""
    found = _files(spec.root)
    if not found:
        raise DataError(f"{spec.root}: no annotation of AP-10K. Expected {READER.summary}.")
    return read_files(spec, found)


READER = Reader(
    "ap-10k",
    (Task.KEYPOINT,),
    "annotations/ap10k-{train,val,test}-split1.json with the images in data/",
    detect,
    read,
)
