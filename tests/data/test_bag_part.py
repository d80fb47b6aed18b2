"""A split cut to fewer images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autommlab.data.bag_part import with_part
from autommlab.data.mask_lists import read_pairs
from autommlab.tasks import Task
from tests.helpers.tiny_trials import COUNTS, make_bag


@pytest.mark.parametrize("task", list(Task))
def test_a_part_lists_whole_annotations_of_fewer_images(tmp_path: Path, task: Task) -> None:
    bag = make_bag(task, tmp_path)
    part = with_part(bag, "val", 3)
    assert part.splits["val"].images == 3
    assert part.splits["train"] == bag.splits["train"]
    text = part.annotation_file("val").read_text()
    if task in (Task.DETECTION, Task.KEYPOINT):
        coco = json.loads(text)
        assert len(coco["images"]) == 3
        assert {a["image_id"] for a in coco["annotations"]} == {image["id"] for image in coco["images"]}
        assert coco["categories"]
    else:
        whole = bag.annotation_file("val").read_text().splitlines()
        assert [line for line in whole if line in text.splitlines()] == text.splitlines()
    if task is Task.SEGMENTATION:
        assert all(Path(mask).is_file() for _, mask in read_pairs(part.annotation_file("val")))


def test_enough_room_changes_nothing(tmp_path: Path) -> None:
    bag = make_bag(Task.CLASSIFICATION, tmp_path)
    assert with_part(bag, "val", None) is bag
    assert with_part(bag, "val", COUNTS["val"]) is bag
