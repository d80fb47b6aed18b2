"""One module per data layout found in the wild, and the table of them all."""

from pathlib import Path

from autommlab.common.errors import DataError, unknown
from autommlab.data.readers import (
    ap10k,
    cityscapes,
    coco_detection,
    coco_keypoints,
    cvat,
    hf_imagefolder,
    image_folders,
    imagenet_lists,
    index_masks,
    label_studio,
    labelme,
    pascal_voc,
    yolo,
    yolo_pose,
)
from autommlab.data.readers.reader import Reader
from autommlab.tasks import Task

#: Layout -> reader, in the order of `--help`. A new layout is a module with a READER and a line here.
READERS: dict[str, Reader] = {
    reader.layout: reader
    for reader in (
        image_folders.READER,
        imagenet_lists.READER,
        coco_detection.READER,
        coco_keypoints.READER,
        ap10k.READER,
        cityscapes.READER,
        pascal_voc.READER,
        index_masks.READER,
        yolo.READER,
        yolo_pose.READER,
        labelme.READER,
        cvat.READER,
        label_studio.READER,
        hf_imagefolder.READER,
    )
}


def get(layout: str) -> Reader:
    """The reader of a layout.

    Raises:
        DataError: no such layout.
    """
    if layout not in READERS:
        raise DataError(unknown("layout", layout, list(READERS)))
    return READERS[layout]


def candidates(root: Path) -> list[tuple[Reader, Task]]:
    """Every reading of a folder: (reader, task).

    Class folders are what any folder of folders looks like, so they count only where nothing else fits.
    """
    found = [(reader, task) for reader in READERS.values() for task in reader.detect(root)]
    specific = [pair for pair in found if pair[0] is not image_folders.READER]
    return specific or found
