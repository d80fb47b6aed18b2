"""Cityscapes: `leftImg8bit/{train,val}/<city>/*_leftImg8bit.png` + `gtFine/.../*_gtFine_labelIds.png`.

The 19 evaluated classes in their order of training ids; all other label ids are unlabelled.
Ready-made `_labelTrainIds.png` are preferred where they lie.
"""

from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.readers import files, images
from autommlab.data.readers.masks import UNLABELLED, class_mask
from autommlab.data.readers.reader import Reader
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem, Sample, Split
from autommlab.tasks import Task

#: Class -> label id; the position is the training id.
_LABEL_IDS = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
CLASSES = tuple(_LABEL_IDS)
_TRAIN_ID = {label: index for index, label in enumerate(_LABEL_IDS.values())}
# 0 to 33 are all label ids there are; any other value in a mask is a mistake that `data check` reports.
_MASK_MAP = tuple((label, _TRAIN_ID.get(label, UNLABELLED)) for label in range(34))
_IMAGE_END = "_leftImg8bit.png"
_MASK_ENDS = ("_gtFine_labelTrainIds.png", "_gtFine_labelIds.png")


def detect(root: Path) -> tuple[Task, ...]:
    """Segmentation where both of the data set's folders lie."""
    return (Task.SEGMENTATION,) if (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir() else ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """All splits whose masks hold labels."""
    top = spec.root / "leftImg8bit"
    splits = files.split_folders(top)
    if not splits:
        raise DataError(f"{top}: no folder train or val. Expected {READER.summary}.")
    problems: list[Problem] = []
    samples: list[Sample] = []
    for folder, split in splits.items():
        found = _read_split(spec.root, folder, split, problems)
        # The official test masks are dummies without a label: a split nobody can score.
        if split == "test" and found and not _has_label(found[0]):
            note = files.unlabelled(split, files.shown(spec.root, folder), len(found), "have masks without a label")
            problems.append(note)
        else:
            samples += found
    spec = spec.model_copy(update={"classes": CLASSES})
    return LoadedDataset(spec, CLASSES, samples, unreadable=problems)


def _read_split(root: Path, folder: Path, split: Split, problems: list[Problem]) -> list[Sample]:
    paths = [path for path in files.walk(folder) if path.name.endswith(_IMAGE_END)]
    if paths and not any(path.name.endswith(_MASK_ENDS) for path in files.walk(root / "gtFine" / folder.name)):
        problems.append(files.unlabelled(split, files.shown(root, folder), len(paths), "have no mask in gtFine"))
        return []
    pairs: list[tuple[Path, Path, bool]] = []
    for path in paths:
        stem = path.name.removesuffix(_IMAGE_END)
        city = root / "gtFine" / folder.name / path.parent.relative_to(folder)
        train_ids, label_ids = (city / f"{stem}_gtFine_{kind}.png" for kind in ("labelTrainIds", "labelIds"))
        if not files.is_regular(train_ids) and not files.is_regular(label_ids):
            what = f"no {label_ids.name} for this image; left out"
            problems.append(
                Problem("missing-mask", files.shown(root, path), what, f"put it into {files.shown(root, city)}")
            )
            continue
        ready = files.is_regular(train_ids)
        pairs.append((path, train_ids if ready else label_ids, ready))
    measured = images.sizes(root, [path for path, _, _ in pairs], problems)
    return [
        Sample(path, *size, split=split, mask=mask, mask_map=() if ready else _MASK_MAP)
        for (path, mask, ready), size in zip(pairs, measured, strict=True)
        if size
    ]


def _has_label(sample: Sample) -> bool:
    try:
        return bool((class_mask(sample) != UNLABELLED).any())
    except (DataError, *images.BROKEN_IMAGE):
        return True


READER = Reader(
    "cityscapes",
    (Task.SEGMENTATION,),
    "leftImg8bit/{train,val}/<city>/*_leftImg8bit.png with gtFine/{train,val}/<city>/*_gtFine_labelIds.png",
    detect,
    read,
)
