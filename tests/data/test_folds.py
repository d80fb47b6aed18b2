"""Train and val divided otherwise: disjoint folds that cover both, and never a picture of test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autommlab.data.folds import with_folds, with_val_in_train
from autommlab.data.mask_lists import read_pairs
from autommlab.data.records import Bag, Split
from autommlab.tasks import Task
from tests.helpers.tiny_trials import COUNTS, make_bag

BOTH = COUNTS["train"] + COUNTS["val"]


def pictures(bag: Bag, split: Split) -> list[str]:
    file = bag.annotation_file(split)
    if file.suffix == ".json":
        return [image["file_name"] for image in json.loads(file.read_text())["images"]]
    between = " " if bag.task is Task.CLASSIFICATION else "\t"
    return [line.split(between)[0] for line in file.read_text().splitlines()]


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("task", list(Task))
def test_folds_are_disjoint_and_cover_train_and_val_and_leave_test_alone(
    tmp_path: Path, task: Task, count: int
) -> None:
    bag = make_bag(task, tmp_path)
    folds = with_folds(bag, count)
    every = sorted([*pictures(bag, "train"), *pictures(bag, "val")])
    validated = [picture for fold in folds for picture in pictures(fold, "val")]
    assert sorted(validated) == every, "each picture is in the val of one fold"
    for fold in folds:
        assert sorted([*pictures(fold, "train"), *pictures(fold, "val")]) == every
        assert not set(pictures(fold, "train")) & set(pictures(bag, "test"))
        assert fold.splits["test"] == bag.splits["test"]
        assert [fold.splits[split].images for split in ("train", "val")] == [
            len(pictures(fold, split)) for split in ("train", "val")
        ]
    sizes = [fold.splits["val"].images for fold in folds]
    assert max(sizes) - min(sizes) <= 1


def test_each_fold_has_its_part_of_each_class(tmp_path: Path) -> None:
    bag = make_bag(Task.CLASSIFICATION, tmp_path)
    rare = bag.annotation_file("train")
    lines = rare.read_text().splitlines()
    rare.write_text("".join(f"{line.rpartition(' ')[0]} {int(i < 5)}\n" for i, line in enumerate(lines)))
    file = bag.annotation_file("val")
    file.write_text("".join(f"{line.rpartition(' ')[0]} 0\n" for line in file.read_text().splitlines()))
    for fold in with_folds(bag, 5):
        assert fold.splits["val"].per_class["green"] == 1
        assert fold.splits["train"].per_class["green"] == 4


def test_copies_of_a_picture_are_in_one_fold(tmp_path: Path) -> None:
    bag = make_bag(Task.CLASSIFICATION, tmp_path)
    train, val = pictures(bag, "train"), pictures(bag, "val")
    for copy in (*train[2:8:2], val[0]):  # all of them red
        shutil.copyfile(train[0], copy)
    same = {train[0], *train[2:8:2], val[0]}
    folds = with_folds(bag, 4)
    assert sum(bool(same & set(pictures(fold, "val"))) for fold in folds) == 1


@pytest.mark.parametrize("task", [Task.DETECTION, Task.KEYPOINT])
def test_annotations_go_with_their_picture(tmp_path: Path, task: Task) -> None:
    bag = make_bag(task, tmp_path)

    def boxes(one: Bag, split: Split) -> dict[str, list]:
        coco = json.loads(one.annotation_file(split).read_text())
        assert len({a["id"] for a in coco["annotations"]}) == len(coco["annotations"])
        assert coco["categories"]
        named = {image["id"]: image["file_name"] for image in coco["images"]}
        return {named[a["image_id"]]: a["bbox"] for a in coco["annotations"]}

    before = boxes(bag, "train") | boxes(bag, "val")
    for fold in with_folds(bag, 3):
        assert boxes(fold, "train") | boxes(fold, "val") == before
    assert boxes(with_val_in_train(bag), "train") == before


@pytest.mark.parametrize("task", list(Task))
def test_val_joins_train_and_test_does_not(tmp_path: Path, task: Task) -> None:
    bag = make_bag(task, tmp_path)
    joined = with_val_in_train(bag)
    assert joined.splits["train"].images == BOTH
    assert pictures(joined, "train") == [*pictures(bag, "train"), *pictures(bag, "val")]
    assert joined.splits["test"] == bag.splits["test"]
    assert sum(joined.splits["train"].per_class.values()) >= BOTH
    if task is Task.SEGMENTATION:
        assert all(Path(mask).is_file() for _, mask in read_pairs(joined.annotation_file("train")))


def test_the_same_bag_gives_the_same_folds(tmp_path: Path) -> None:
    bag = make_bag(Task.CLASSIFICATION, tmp_path)
    first = with_folds(bag, 3)
    listed = [fold.annotation_file("val").read_text() for fold in first]
    for fold in first:
        fold.annotation_file("val").unlink()
    assert with_folds(bag, 3) == first
    assert [fold.annotation_file("val").read_text() for fold in first] == listed
    assert with_folds(bag, 1) == (bag,)
