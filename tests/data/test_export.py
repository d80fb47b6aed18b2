"""Out and in again: the same objects, masks and points come back from COCO and YOLO, whatever layout they came from."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from autommlab.cli.data import data_app
from autommlab.common.errors import DataError, StorageError
from autommlab.data import readers
from autommlab.data.check import check_dataset
from autommlab.data.export import Format, export_dataset
from autommlab.data.readers.masks import class_mask
from autommlab.data.recognise import recognise
from autommlab.data.records import LoadedDataset
from autommlab.tasks import Task
from tests.helpers import layouts

#: Layout, task: what holds boxes, masks or points.
READINGS = [
    (layout, task)
    for layout in layouts.BUILDERS
    for task in readers.READERS[layout].tasks
    if task is not Task.CLASSIFICATION
]
PIXELS = ("cityscapes", "pascal-voc", "index-masks")


def load(root: Path, task: Task, layout: str | None = None) -> LoadedDataset:
    spec = recognise(root, None, task, layout)
    return readers.get(spec.layout).read(spec)


def items(dataset: LoadedDataset) -> Counter[Any]:
    """Split, classes and coordinates to a hundredth of a pixel of every picture; of masks the pixels of each class."""
    found: Counter[Any] = Counter()
    for sample in dataset.samples:
        objects = sorted(
            (dataset.classes[item.label], np.round(item.bbox, 2).tolist(), np.round(item.keypoints, 2).tolist())
            for item in sample.instances
        )
        shown = []
        if sample.mask is not None:
            mask = class_mask(sample)
            shown = [(name, (mask == at).tobytes()) for at, name in enumerate(dataset.classes) if (mask == at).any()]
        # Unlabelled pixels come back as background.
        shown = [(name, pixels) for name, pixels in shown if name != "background"]
        found[sample.split, str(objects), tuple(shown)] += 1
    return found


def in_yolo(dataset: LoadedDataset) -> LoadedDataset:
    """What YOLO holds of a set: no crowds; what has no split is train."""
    samples = [
        replace(s, split=s.split or "train", instances=tuple(item for item in s.instances if not item.is_crowd))
        for s in dataset.samples
    ]
    return replace(dataset, samples=samples)


@pytest.mark.parametrize("form", ["coco", "yolo"])
@pytest.mark.parametrize(("layout", "task"), READINGS)
def test_out_and_in_again_is_the_same(layout: str, task: Task, form: Format, tmp_path: Path) -> None:
    before = load(layouts.BUILDERS[layout](tmp_path / "set"), task, layout)
    if form == "yolo" and task is Task.SEGMENTATION and layout in PIXELS:
        with pytest.raises(
            DataError, match=r"its masks are pixels, YOLO has outlines only. Export it with --format coco"
        ):
            export_dataset(before, tmp_path / "out", form)
        return
    done = export_dataset(before, tmp_path / "out", form)
    after = load(tmp_path / "out", task)
    assert done.images == len(before.samples) == len(after.samples)
    assert after.unreadable == []
    assert items(after) == items(in_yolo(before) if form == "yolo" else before)
    if before.keypoints and after.keypoints:
        assert after.keypoints.names == before.keypoints.names
        assert set(after.keypoints.flip_pairs) == set(before.keypoints.flip_pairs)
    assert not [p for p in check_dataset(after) if p.severity == "error" and p.kind not in ("of-no-use", "empty-class")]


def test_what_a_format_does_not_hold_is_told(tmp_path: Path) -> None:
    done = export_dataset(load(layouts.pascal_voc(tmp_path / "voc"), Task.DETECTION), tmp_path / "out", "yolo")
    assert done.notes == ["6 crowd(s) or difficult object(s), which YOLO does not hold; left out"]
    masks = export_dataset(load(layouts.index_masks(tmp_path / "masks"), Task.SEGMENTATION), tmp_path / "coco", "coco")
    assert masks.notes == ["8 picture(s) have unlabelled pixels, which COCO does not hold; they become background"]
    folders = load(layouts.image_folders(tmp_path / "folders"), Task.CLASSIFICATION)
    with pytest.raises(DataError, match="a classification set has no boxes"):
        export_dataset(folders, tmp_path / "none", "coco")


def test_pictures_of_one_name_and_odd_class_names_stay_apart(tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    for number in range(3):
        layouts.image(root / "images" / "train" / str(number) / "same.jpg")
    (root / "data.yaml").write_text('train: images/train\nval: images/val\nnames: ["a: b # c", "yes \\" \\u732b"]\n')
    before = load(root, Task.DETECTION)
    export_dataset(before, tmp_path / "out", "yolo")
    after = load(tmp_path / "out", Task.DETECTION)
    assert after.classes == before.classes == ("a: b # c", 'yes " 猫')
    assert items(after) == items(before)


def test_export_as_a_person_types_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    root = layouts.coco_detection_plain(tmp_path / "yard")
    told = CliRunner().invoke(data_app, ["export", str(root), str(tmp_path / "out"), "--format", "yolo"])
    assert (told.exit_code, told.output) == (0, f"wrote 8 pictures with 16 objects to {tmp_path / 'out'}\n")
    again = CliRunner().invoke(data_app, ["export", str(root), str(tmp_path / "out")])
    assert isinstance(again.exception, StorageError) and "is not empty. Give a new folder" in str(again.exception)
    assert CliRunner().invoke(data_app, ["export", str(root), str(tmp_path / "x"), "--format", "voc"]).exit_code == 2


def test_exported_coco_is_what_pycocotools_reads(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    before = load(layouts.index_masks(tmp_path / "set"), Task.SEGMENTATION)
    export_dataset(before, tmp_path / "out", "coco")
    content = coco.COCO(str(tmp_path / "out" / "annotations" / "train.json"))
    entry = content.dataset["annotations"][0]
    assert content.annToMask(entry).sum() == entry["area"] == json.loads(json.dumps(entry))["area"]
