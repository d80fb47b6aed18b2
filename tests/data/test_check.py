"""`data check`: each kind of fault planted in a sound set is found, and only it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autommlab.data import readers
from autommlab.data.check import check_dataset
from autommlab.data.recognise import recognise
from autommlab.data.records import Instance, LoadedDataset, Problem, Sample
from autommlab.tasks import Task
from tests.helpers import layouts

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def load(root: Path, task: Task | None = None) -> LoadedDataset:
    spec = recognise(root, None, task)
    return readers.get(spec.layout).read(spec)


def only(problems: list[Problem], kind: str) -> Problem:
    assert [problem.kind for problem in problems] == [kind]
    assert problems[0].remedy
    return problems[0]


@pytest.mark.parametrize("layout", sorted(set(layouts.BUILDERS) - {"cityscapes", "pascal-voc"}))
def test_sound_set_has_no_problem(layout: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path)
    for task in readers.READERS[layout].tasks:
        assert check_dataset(load(root, task)) == []


@pytest.mark.parametrize(("layout", "task"), [("cityscapes", None), ("pascal-voc", Task.SEGMENTATION)])
def test_fixed_class_lists_miss_only_examples(layout: str, task: Task | None, tmp_path: Path) -> None:
    problems = check_dataset(load(layouts.BUILDERS[layout](tmp_path), task))
    # The set of the test has no labels for its test images, and too few others to make a test split of.
    expected = {("unlabelled-split", "warning"), ("of-no-use", "error")}
    assert {(p.kind, p.severity) for p in problems} - expected == {("empty-class", "warning")}
    assert any("has no example" in p.what for p in problems)


def test_missing_image(tmp_path: Path) -> None:
    dataset = load(layouts.coco_detection(tmp_path))
    (tmp_path / "train2017" / "000001.jpg").unlink()
    problem = only(check_dataset(dataset), "missing-image")
    assert (problem.where, problem.severity) == ("train2017/000001.jpg", "error")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_truncated_image(suffix: str, tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path)
    path = layouts.image(root / "train" / "cat" / f"cut.{suffix}", (200, 200))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    problem = only(check_dataset(load(root)), "corrupt-image")
    assert problem.where == f"train/cat/cut.{suffix}"
    assert "cannot be decoded" in problem.what


def test_size_mismatch(tmp_path: Path) -> None:
    dataset = load(layouts.coco_detection(tmp_path))
    layouts.image(tmp_path / "train2017" / "000001.jpg", (80, 60))
    problem = only(check_dataset(dataset), "size-mismatch")
    assert "the annotation says 40x30 pixels, the file has 80x60" in problem.what


def test_size_mismatch_by_rotation_names_the_flag(tmp_path: Path) -> None:
    dataset = load(layouts.coco_detection(tmp_path))
    path, exif = tmp_path / "train2017" / "000001.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.open(path).copy().save(path, exif=exif)
    problem = only(check_dataset(dataset), "size-mismatch")
    assert "has 30x40 after its EXIF rotation" in problem.what
    assert "EXIF" in problem.remedy


def edited(dataset: LoadedDataset, change: Callable[[Sample], Sample]) -> LoadedDataset:
    dataset.samples[0] = change(dataset.samples[0])
    return dataset


@pytest.mark.parametrize(
    ("bbox", "kind", "severity"),
    [
        ((1.0, 1.0, 0.0, 4.0), "box-empty", "error"),
        ((50.0, 1.0, 4.0, 4.0), "box-outside", "error"),
        ((30.0, 1.0, 20.0, 4.0), "box-outside", "warning"),
    ],
)
def test_boxes(bbox: tuple[float, float, float, float], kind: str, severity: str, tmp_path: Path) -> None:
    dataset = load(layouts.coco_detection(tmp_path))
    bad = Instance(1, bbox)
    problems = check_dataset(edited(dataset, lambda s: replace(s, instances=(*s.instances, bad))))
    problem = only(problems, kind)
    assert problem.severity == severity
    assert problem.where == "train2017/000000.jpg, object 2 (dog)"


def test_label_without_a_class(tmp_path: Path) -> None:
    dataset = load(layouts.image_folders(tmp_path))
    problem = only(check_dataset(edited(dataset, lambda s: replace(s, label=9))), "unknown-class")
    assert "class index 9 does not exist; the set has 2 classes" in problem.what


def test_object_of_an_unknown_class(tmp_path: Path) -> None:
    dataset = load(layouts.coco_detection(tmp_path))
    bad = Instance(7, (1, 1, 4, 4))
    problem = only(check_dataset(edited(dataset, lambda s: replace(s, instances=(*s.instances, bad)))), "unknown-class")
    assert "train2017/000000.jpg" in problem.where


def test_keypoint_count(tmp_path: Path) -> None:
    dataset = load(layouts.coco_keypoints(tmp_path))

    def shorten(sample: Sample) -> Sample:
        item = sample.instances[0]
        return replace(sample, instances=(replace(item, keypoints=item.keypoints[:5]),))

    assert "5 keypoints, the set has 17" in only(check_dataset(edited(dataset, shorten)), "keypoint-count").what


def test_what_the_reader_stepped_over_is_told(tmp_path: Path) -> None:
    root = layouts.coco_detection(tmp_path)
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["category_id"] = 99
    path.write_text(json.dumps(content))
    assert "category_id 99" in only(check_dataset(load(root)), "unknown-class").what


def test_class_without_example_and_class_missing_in_train(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path)
    (root / "train" / "owl").mkdir()
    layouts.image(root / "val" / "fox" / "0.jpg")
    problems = check_dataset(load(root))
    assert [problem.kind for problem in problems] == ["empty-class"] * 2
    assert "class 'fox' occurs in val but never in train" in problems[0].what
    assert "class 'owl' has no example" in problems[1].what


def test_same_picture_in_two_splits(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path)
    shutil.copy(root / "train" / "cat" / "0.jpg", root / "test" / "cat" / "leak.jpg")
    problem = only(check_dataset(load(root)), "shared-image")
    assert problem.severity == "warning"
    assert "test and train share it" in problem.what
    assert {"train/cat/0.jpg", "test/cat/leak.jpg"} == {problem.where, problem.what.split()[4].strip(":,")}


def test_same_picture_under_two_classes(tmp_path: Path) -> None:
    root = layouts.image_folders_unsplit(tmp_path)
    shutil.copy(root / "cat" / "0.png", root / "dog" / "copy.png")
    assert "but of another class" in only(check_dataset(load(root)), "shared-image").what


def test_image_with_two_entries(tmp_path: Path) -> None:
    dataset = load(layouts.coco_detection(tmp_path))
    dataset.samples.append(dataset.samples[0])
    assert only(check_dataset(dataset), "duplicate-image").where == "train2017/000000.jpg"


@pytest.mark.parametrize(
    ("plant", "kind", "what"),
    [
        (
            lambda path: layouts.mask(path, [0, 1, 2], (20, 20)),
            "bad-mask",
            "the mask has 20x20 pixels, its",
        ),
        (lambda path: layouts.mask(path, [0, 1, 7, 9]), "bad-mask", "pixel values without a class: 7, 9"),
        (layouts.image, "bad-mask", "a colour picture with 3 channels"),
        (lambda path: path.write_bytes(b"x"), "bad-mask", "is not an image"),
        (lambda path: path.unlink(), "missing-mask", "does not exist"),
    ],
)
def test_masks(plant: Callable[[Path], object], kind: str, what: str, tmp_path: Path) -> None:
    dataset = load(layouts.index_masks(tmp_path))
    plant(tmp_path / "ann_dir" / "train" / "0.png")
    problem = only(check_dataset(dataset), kind)
    assert problem.where == "ann_dir/train/0.png"
    assert what in problem.what


def test_segmentation_sample_without_a_mask(tmp_path: Path) -> None:
    dataset = edited(load(layouts.index_masks(tmp_path)), lambda sample: replace(sample, mask=None))
    assert only(check_dataset(dataset), "missing-mask").what == "the image has no mask"


def test_label_ids_that_cityscapes_does_not_have(tmp_path: Path) -> None:
    root = layouts.cityscapes(tmp_path)
    path = next((root / "gtFine" / "train" / "aachen").glob("*.png"))
    layouts.mask(path, [7, 77])
    problem = next(problem for problem in check_dataset(load(root)) if problem.kind == "bad-mask")
    assert "pixel values without a class: 77" in problem.what


def test_sixteen_bit_masks(tmp_path: Path) -> None:
    dataset = load(layouts.index_masks(tmp_path))
    deep = np.zeros((layouts.HEIGHT, layouts.WIDTH), np.uint16)
    deep[0, 0] = 300
    Image.fromarray(deep).save(tmp_path / "ann_dir" / "train" / "0.png")
    assert "without a class: 300" in only(check_dataset(dataset), "bad-mask").what


def test_errors_come_before_warnings(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path)
    (root / "train" / "owl").mkdir()
    (root / "val" / "cat" / "0.jpg").write_bytes(b"")
    assert [problem.severity for problem in check_dataset(load(root))] == ["error", "warning"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real sets of ../shared/data are not here")
@pytest.mark.parametrize(
    ("name", "images", "classes"),
    [
        ("classification_signdigits", 600, 10),
        ("detection_bccd", 364, 3),
        ("segmentation_nuclei", 538, 2),
        ("keypoint_bees", 204, 1),
    ],
)
def test_real_sets_are_sound(name: str, images: int, classes: int) -> None:
    dataset = load(SHARED / name)
    assert (len(dataset.samples), len(dataset.classes)) == (images, classes)
    assert {sample.split for sample in dataset.samples} == {"train", "val", "test"}
    assert check_dataset(dataset) == []
