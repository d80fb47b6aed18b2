"""What the analysis of each task finds, on bundles whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autommlab.analysis.analyse import analyse, split_to_judge
from autommlab.analysis.findings import Reliability, most_confused, stored_curve
from autommlab.analysis.limits import MOST_PICTURES, affordable_pictures, reserved_seconds
from autommlab.analysis.records import Analysis
from autommlab.bundle_runtime import Predictor
from autommlab.common.errors import DataError
from autommlab.data.records import Bag
from autommlab.tasks import Task
from tests.helpers.tiny_bundles import CLASSES, make_bundle
from tests.helpers.tiny_trials import make_bag

#: What the tiny detector sees in every picture of 64 pixels: red 0.9 and blue 0.8, one inside the other.
RED, BLUE = [8, 8, 40, 40], [16, 16, 24, 24]


def bag_of(folder: Path, task: Task) -> Bag:
    return make_bag(task, folder / "bag").model_copy(update={"classes": CLASSES})


def judged(folder: Path, bag: Bag, kind: str, **options: Any) -> Analysis:
    return analyse(bag, Predictor(make_bundle(folder / "bundle", kind)), **options)


def boxes(bag: Bag, *pictures: list[tuple[int, list[int]]]) -> None:
    """Annotate the first test pictures with (class, box); the others go."""
    file = bag.annotation_file("test")
    coco = json.loads(file.read_text())
    coco["images"] = coco["images"][: len(pictures)]
    coco["annotations"] = [
        {"id": 1, "image_id": 1 + at, "category_id": 1 + label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for at, things in enumerate(pictures)
        for label, box in things
    ]
    for number, one in enumerate(coco["annotations"], start=1):
        one["id"] = number
    file.write_text(json.dumps(coco))


def test_boxes_are_right_of_another_class_in_excess_or_missing(tmp_path: Path) -> None:
    bag = bag_of(tmp_path, Task.DETECTION)
    boxes(bag, [(0, RED), (2, BLUE)], [(1, RED), (2, BLUE)], [(0, RED)], [(0, RED), (2, BLUE), (1, [50, 50, 9, 9])], [])
    found = judged(tmp_path, bag, "detection")
    assert found.confusion is not None
    assert found.confusion.answers == (*CLASSES, "nothing")
    assert found.confusion.counts == ((3, 0, 0, 0), (1, 0, 0, 1), (0, 0, 3, 0), (1, 0, 2, 0))
    assert [(one.truth, one.answer, one.count) for one in found.confused] == [
        ("nothing", "blue", 2), ("green", "red", 1), ("green", "nothing", 1), ("nothing", "red", 1),
    ]  # fmt: skip
    assert {one.name: one.count for one in found.classes} == {"red": 3, "green": 2, "blue": 3}
    assert found.classes[1].figures["AP50"] == 0
    agreement = {one.path.name: one.agreement for one in found.judged}
    assert agreement == {
        "test0.png": 1.0, "test1.png": 0.5, "test2.png": pytest.approx(2 / 3, abs=1e-4), "test3.png": 0.8,
        "test4.png": 0.0,
    }  # fmt: skip
    first, *_, last = found.judged
    assert (first.path.name, first.mistake) == ("test1.png", "red 90%, annotated as green (0%)")
    assert first.suspicion == 1
    assert (last.path.name, last.mistake) == ("test0.png", "")
    assert [one.path.name for one in found.worst(2)] == ["test4.png", "test1.png"]
    assert [size.count for size in found.sizes] == [4, 4, 0]


def test_a_detector_that_finds_nothing(tmp_path: Path) -> None:
    bag = bag_of(tmp_path, Task.DETECTION)
    bundle = make_bundle(tmp_path / "bundle", "detection")
    predictor = Predictor(bundle)
    predictor.info["output"]["kind"] = "raw-boxes"
    predictor.info["output"] |= {"scores_shape": [3, 3], "nms": {"score": 2, "iou": 0.5, "per_class": 9, "in_all": 9}}
    predictor.session = lambda _: [np.zeros((1, 3, 4), np.float32), np.zeros((1, 3, 3), np.float32)]
    found = analyse(bag, predictor)
    assert found.figures["mAP"] == 0
    assert found.calibration is None
    assert all(one.answer == "nothing" and "is not found" in one.mistake for one in found.judged)
    Analysis.model_validate_json(found.model_dump_json())


def test_figures_of_keypoints(tmp_path: Path) -> None:
    """The bundle puts both points into the middle of the box."""
    bag = make_bag(Task.KEYPOINT, tmp_path / "bag")
    file = bag.annotation_file("test")
    coco = json.loads(file.read_text())
    for one in coco["annotations"]:
        x, y, side, _ = one["bbox"]
        middle = [x + side / 2, y + side / 2]
        one["keypoints"] = [*middle, 2, x, y, 1]
    coco["annotations"][0]["keypoints"][-1] = 0
    file.write_text(json.dumps(coco))
    points = bag.keypoints.model_copy(update={"names": ("a", "b"), "sigmas": (0.05, 0.05)}) if bag.keypoints else None
    found = judged(tmp_path, bag.model_copy(update={"keypoints": points}), "keypoint-regression")
    near, far = found.points
    assert (near.name, near.count, far.count) == ("a", 8, 7)
    assert near.correct == 1
    assert near.error_px == pytest.approx(0, abs=0.1)
    assert (far.correct, far.swapped) == (0, 1)
    assert far.error == pytest.approx(2**0.5 / 2, abs=0.01)
    assert found.figures["PCK"] == pytest.approx(8 / 15)
    first = found.judged[0]
    assert (first.mistake, first.agreement) == ("elsewhere than annotated: b", 0.5)
    assert found.judged[-1].mistake == ""


def test_masks_are_judged_by_pixels_and_ignored_ones_do_not_count(tmp_path: Path) -> None:
    from PIL import Image

    bag = bag_of(tmp_path, Task.SEGMENTATION)
    image, mask = tmp_path / "one.png", tmp_path / "bag" / "one-mask.png"
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4, 0], pixels[:, 4:, 1] = 255, 255  # the bundle calls the left red and the right green
    Image.fromarray(pixels).save(image)
    values = np.full((8, 8), 255, np.uint8)
    values[:4, :4], values[:4, 4:], values[4:6] = 0, 1, 2
    Image.fromarray(values).save(mask)
    bag.annotation_file("test").write_text(f"{image}\t{mask.name}\n")
    found = judged(tmp_path, bag, "segmentation")
    assert found.confusion is not None
    assert found.confusion.counts == ((16, 0, 0), (0, 16, 0), (8, 8, 0))
    assert [one.figures["IoU"] for one in found.classes] == [pytest.approx(16 / 24)] * 2 + [0]
    assert found.figures["pixel accuracy"] == pytest.approx(32 / 48)
    assert found.judged[0].agreement == pytest.approx(4 / 9, abs=1e-4)
    assert found.judged[0].mistake.endswith("annotated as blue")


def test_pictures_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    bag = bag_of(tmp_path, Task.CLASSIFICATION)
    (tmp_path / "bag" / "images" / "test0.png").write_bytes(b"no picture")
    found = judged(tmp_path, bag, "classification", images=4)
    assert (found.pictures, found.unreadable, found.listed) == (3, 1, 8)
    with pytest.raises(DataError, match="none of the 1 test pictures can be judged"):
        judged(tmp_path, bag, "classification", images=1)


def test_val_is_judged_where_there_is_no_test(tmp_path: Path) -> None:
    bag = bag_of(tmp_path, Task.CLASSIFICATION)
    assert split_to_judge(bag) == "test"
    bag = bag.model_copy(update={"splits": {split: part for split, part in bag.splits.items() if split != "test"}})
    assert judged(tmp_path, bag, "classification").split == "val"


def test_calibration_is_that_of_scikit_learn() -> None:
    from sklearn.calibration import calibration_curve

    random = np.random.default_rng(0)
    scores = np.concatenate([random.random(500), np.linspace(0, 1, 11)])
    right = random.random(len(scores)) < scores
    collected = Reliability("pictures")
    for part in np.array_split(np.arange(len(scores)), 7):
        collected.add(scores[part], right[part])
    found = collected.calibration()
    assert found is not None
    expected_right, expected_score = calibration_curve(right, scores, n_bins=10)
    assert [one.right for one in found.bins] == pytest.approx(expected_right.tolist())
    assert [one.confidence for one in found.bins] == pytest.approx(expected_score.tolist())
    assert sum(one.count for one in found.bins) == len(scores)


def test_records_stay_small() -> None:
    many = np.ones((300, 300), np.int64)
    assert len(most_confused(many, [str(n) for n in range(300)])) == 50
    curve = stored_curve(np.linspace(0, 1, 5000), np.linspace(1, 0, 5000))
    assert (len(curve.recall), curve.recall[0], curve.recall[-1]) == (101, 0, 1)


def test_time_bounds_the_pictures() -> None:
    assert affordable_pictures(0.001) == MOST_PICTURES
    assert affordable_pictures(0.1) == 200
    assert affordable_pictures(60) == 50
    assert reserved_seconds(200, 0.01) == pytest.approx(reserved_seconds(0, 0.01) + 2)
