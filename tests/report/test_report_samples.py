"""Pictures of training and test images, read from a bag's canonical annotation files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autommlab.bundle_runtime import Predictor
from autommlab.data.records import Bag, BagSplit, KeypointMeta
from autommlab.deployment.drawing import draw_prediction
from autommlab.report.samples import predicted_pictures, sample_truths, training_pictures
from autommlab.tasks import Task

SIZE = (80, 60)


def make_bag(folder: Path, task: Task, files: dict[str, str], classes: tuple[str, ...]) -> Bag:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    splits = {
        split: BagSplit(images=1, annotations=next(n for n in files if n.startswith(split)), per_class={})
        for split in ("train", "test")
    }
    points = KeypointMeta(names=("nose", "tail"), skeleton=((0, 1),)) if task is Task.KEYPOINT else None
    return Bag(
        task=task, folder=folder, classes=classes, sources={}, datasets=("d",), splits=splits, keypoints=points,
        median_size=SIZE, seed=0, digest="",
    )  # fmt: skip


def make_images(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"image {number}.png" for number in range(count)]
    for path in paths:
        Image.new("RGB", SIZE, (90, 90, 90)).save(path)
    return paths


def coco(paths: list[Path], labels: list[int]) -> str:
    images = [{"id": i, "file_name": str(path), "width": 80, "height": 60} for i, path in enumerate(paths)]
    thing = {"bbox": [20, 15, 30, 20], "keypoints": [25, 20, 2, 40, 30, 1]}
    annotations = [{"id": i, "image_id": i, "category_id": 1 + label, **thing} for i, label in enumerate(labels)]
    return json.dumps({"images": images, "annotations": annotations})


def bag_of(task: Task, folder: Path) -> Bag:
    paths = make_images(folder, 3)
    if task is Task.CLASSIFICATION:
        lines = "\n".join(f"{path} {number % 2}" for number, path in enumerate(paths))
        return make_bag(folder, task, {"train.txt": lines, "test.txt": lines}, ("cat", "dog"))
    if task is Task.SEGMENTATION:
        pixels = np.zeros(SIZE[::-1], np.uint8)
        pixels[20:40, 30:60] = 1
        Image.fromarray(pixels).save(folder / "mask.png")
        lines = "\n".join(f"{path}\t{folder / 'mask.png'}" for path in paths)
        return make_bag(folder, task, {"train.txt": lines, "test.txt": lines}, ("background", "dog"))
    text = coco(paths, [0, 1, 1])
    return make_bag(folder, task, {"train.json": text, "test.json": text}, ("cat", "dog"))


ANSWERS: dict[Task, dict[str, Any]] = {
    Task.CLASSIFICATION: {"label": "dog", "score": 0.8, "scores": {"cat": 0.2, "dog": 0.8}},
    Task.DETECTION: {"boxes": [{"label": "dog", "score": 0.8, "box": [5, 5, 20, 20]}]},
    Task.SEGMENTATION: {"mask": [[1] * 80 for _ in range(60)], "classes": {"background": 0.0, "dog": 1.0}},
    Task.KEYPOINT: {
        "instances": [{"label": "dog", "score": 0.8, "box": [5, 5, 20, 20], "keypoints": [[6, 6, 0.9], [20, 20, 0.1]]}]
    },
}  # fmt: skip


class Scripted(Predictor):
    """Stands for the bundle's runtime: one answer for every image; keeps the boxes that it was asked about."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[object] = []

    def __call__(
        self, image: object, threshold: float = 0.0, boxes: Sequence[Sequence[float]] | None = None
    ) -> dict[str, Any]:
        self.asked.append(boxes)
        return self.answer


@pytest.mark.parametrize("task", list(Task))
def test_training_pictures_show_the_annotation(task: Task, tmp_path: Path) -> None:
    pictures = training_pictures(bag_of(task, tmp_path), count=3)
    assert len(pictures) == 3
    for picture in pictures:
        assert picture.image.size == (320, 240)
        pixels = np.asarray(picture.image, int)
        assert np.abs(pixels - 90).max() > 50, "nothing was drawn"


@pytest.mark.parametrize("task", list(Task))
def test_predicted_pictures_show_truth_and_answer(task: Task, tmp_path: Path) -> None:
    predictor = Scripted(ANSWERS[task])
    pictures = predicted_pictures(bag_of(task, tmp_path), predictor, count=2)
    assert len(pictures) == 2
    if task is Task.CLASSIFICATION:
        assert {picture.right for picture in pictures} == {True, False}
        assert {picture.caption for picture in pictures} == {"annotated: cat", "annotated: dog"}
    else:
        assert pictures[0].image.size == (320 + 8 + 320, 240)
        left = np.asarray(pictures[0].image.crop((0, 0, 320, 240)), int)
        right = np.asarray(pictures[0].image.crop((328, 0, 648, 240)), int)
        assert np.abs(left - right).max() > 50
    assert predictor.asked[0] == ([[20, 15, 30, 20]] if task is Task.KEYPOINT else None)


def test_each_class_is_shown_before_one_is_repeated(tmp_path: Path) -> None:
    paths = make_images(tmp_path, 40)
    lines = "\n".join(f"{path} {0 if number < 38 else number - 37}" for number, path in enumerate(paths))
    bag = make_bag(tmp_path, Task.CLASSIFICATION, {"train.txt": lines, "test.txt": lines}, ("a", "b", "c"))
    shown = [truth["label"] for _, truth in sample_truths(bag, "train", 3)]
    assert sorted(shown) == ["a", "b", "c"]


def test_more_pictures_than_images(tmp_path: Path) -> None:
    bag = bag_of(Task.SEGMENTATION, tmp_path)
    assert len(sample_truths(bag, "train", 50)) == 3
    assert sample_truths(bag, "train", 2)[0][0] == sample_truths(bag, "train", 2)[0][0]


@pytest.mark.parametrize("task", list(Task))
def test_an_image_that_broke_since_is_left_out(task: Task, tmp_path: Path) -> None:
    bag = bag_of(task, tmp_path)
    path = training_pictures(bag, count=9)[0].path
    whole = len(training_pictures(bag, count=9))
    path.write_bytes(b"no picture")
    assert len(training_pictures(bag, count=9)) == whole - 1
    shown = predicted_pictures(bag, Scripted(ANSWERS[task]), count=9)
    assert path not in [picture.path for picture in shown]


def test_images_without_annotation_are_not_shown(tmp_path: Path) -> None:
    text = coco(make_images(tmp_path, 3), [0, 1])
    bag = make_bag(tmp_path, Task.DETECTION, {"train.json": text, "test.json": text}, ("cat", "dog"))
    assert {path.name for path, _ in sample_truths(bag, "train", 5)} == {"image 0.png", "image 1.png"}


def test_large_images_keep_their_size() -> None:
    drawn = draw_prediction(Image.new("RGB", (500, 400)), ANSWERS[Task.DETECTION], {"classes": ["cat", "dog"]})
    assert drawn.size == (500, 400)


def test_unsure_points_are_rings_and_lost_ones_are_not_drawn() -> None:
    points = [[100, 100, 0.9], [200, 200, 0.1], [300, 300, 0.01]]
    image = Image.new("RGB", (400, 400))
    drawn = np.asarray(draw_prediction(image, {"instances": [{"keypoints": points}]}, {}), int).max(axis=2)
    assert drawn[100, 100] > 100, "a disc"
    assert drawn[200, 200] == 0, "a ring is empty inside"
    assert drawn[190:210, 190:210].max() > 100
    assert drawn[290:310, 290:310].max() == 0


def test_unknown_form_of_answer() -> None:
    with pytest.raises(ValueError, match="one of the keys label, boxes, mask, instances; got"):
        draw_prediction(Image.new("RGB", (9, 9)), {"depth": 1}, {})
