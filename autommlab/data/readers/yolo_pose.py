"""YOLO-pose: YOLO's labels with keypoints after each box, their number in `kpt_shape` of `data.yaml`."""

from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.readers import files
from autommlab.data.readers.keypoint_layouts import COCO_POINTS, build_layout
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.shape_sets import shape_set
from autommlab.data.readers.yolo import described, pictures_of
from autommlab.data.readers.yolo_files import YoloSet, has_points
from autommlab.data.records import DatasetSpec, KeypointLayout, LoadedDataset, Problem
from autommlab.tasks import Task

#: `flip_idx` of COCO's persons, as in Ultralytics' coco-pose.yaml; it tells their 17 points from AP-10K's.
_COCO_FLIP = (0, *(number for pair in range(1, 17, 2) for number in (pair + 1, pair)))


def detect(root: Path) -> tuple[Task, ...]:
    """Keypoint where the settings have `kpt_shape`."""
    return (Task.KEYPOINT,) if has_points(root) else ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """All images; those without any labelled point are left out."""
    problems: list[Problem] = []
    found = described(spec.root, problems)
    if found.points is None:
        raise DataError(
            f"{found.source}: no kpt_shape such as [17, 3]. Add it, or give --task detection --layout yolo."
        )
    layout = _layout(spec.root, found, found.points[0], problems)
    return shape_set(spec, pictures_of(spec.root, found, problems), found.names, problems, layout)


def _layout(root: Path, found: YoloSet, count: int, problems: list[Problem]) -> KeypointLayout:
    meta = files.read_meta(root)
    listed = meta.get("keypoints")
    if isinstance(listed, list) and len(listed) == count and all(isinstance(name, str) for name in listed):
        names = tuple(listed)
    elif len(found.point_names) == count:
        names = found.point_names
    else:
        names = COCO_POINTS if found.flip == _COCO_FLIP and count == len(COCO_POINTS) else ()
        names = names or tuple(f"point{number}" for number in range(count))
    flip = found.flip
    if flip and (sorted(flip) != list(range(count)) or any(flip[flip[at]] != at for at in flip)):
        what = f"flip_idx {list(flip)[:20]} does not pair the {count} points; taken as not given"
        problems.append(Problem("bad-annotation", files.shown(root, found.source), what, "correct it", "warning"))
        flip = ()
    pairs = {"flip_pairs": [[at, to] for at, to in enumerate(flip) if at < to]} if flip else {}
    return build_layout(names, None, pairs | meta)


READER = Reader(
    "yolo-pose",
    (Task.KEYPOINT,),
    "as yolo, with kpt_shape (and flip_idx) in data.yaml",
    detect,
    read,
)
