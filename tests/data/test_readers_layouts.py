"""Every layout: recognised, and read to the last number."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autommlab.common.errors import DataError
from autommlab.data import readers
from autommlab.data.readers.masks import class_mask
from autommlab.data.recognise import recognise
from autommlab.data.records import LoadedDataset
from autommlab.tasks import Task
from tests.helpers import layouts


def load(root: Path, task: Task | None = None, layout: str | None = None) -> LoadedDataset:
    spec = recognise(root, None, task, layout)
    return readers.get(spec.layout).read(spec)


def splits(dataset: LoadedDataset) -> dict[str, int]:
    return dict(Counter(sample.split for sample in dataset.samples))


def test_every_layout_has_a_builder() -> None:
    assert set(layouts.BUILDERS) == set(readers.READERS)


@pytest.mark.parametrize("layout", layouts.BUILDERS)
def test_layout_is_recognised_alone_and_read_without_problem(layout: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    found = readers.candidates(root)
    assert {reader.layout for reader, _ in found} == {layout}
    for _, task in found:
        dataset = load(root, task)
        # Cityscapes has no labels for its test images.
        assert {problem.kind for problem in dataset.unreadable} <= {"unlabelled-split"}
        assert dataset.classes == dataset.spec.classes
        assert dataset.samples
        assert all((s.width, s.height) == (layouts.WIDTH, layouts.HEIGHT) for s in dataset.samples)
        assert all(s.image.is_absolute() and s.image.is_file() for s in dataset.samples)


def test_image_folders(tmp_path: Path) -> None:
    dataset = load(layouts.image_folders(tmp_path))
    assert dataset.classes == ("cat", "dog")
    assert splits(dataset) == {"train": 6, "val": 2, "test": 2}
    assert all(dataset.classes[s.label or 0] == s.image.parent.name for s in dataset.samples)


def test_image_folders_without_splits_and_in_the_order_of_a_class_list(tmp_path: Path) -> None:
    root = layouts.image_folders_unsplit(tmp_path)
    (root / "classes.txt").write_text("dog\ncat\n")
    dataset = load(root)
    assert dataset.classes == ("dog", "cat")
    assert splits(dataset) == {"": 8}


def test_image_folders_tell_of_files_they_do_not_read(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path)
    (root / "train" / "cat" / "notes.doc").write_bytes(b"x")
    (problem,) = load(root).unreadable
    assert (problem.kind, problem.where, problem.severity) == ("not-an-image", "train/cat", "warning")


def test_folders_named_by_synset_get_words(tmp_path: Path) -> None:
    dataset = load(layouts.image_folders(tmp_path, ("n01440764", "n02102040")))
    assert dataset.classes == ("tench", "English springer")
    assert "Tinca tinca" in dataset.spec.aliases["tench"]
    assert "n01440764" in dataset.spec.aliases["tench"]


def test_imagenet_lists(tmp_path: Path) -> None:
    dataset = load(layouts.imagenet_lists(tmp_path))
    # ILSVRC has two cranes, the bird and the machine.
    assert dataset.classes == ("tench", "crane (n02012849)", "crane (n03126707)")
    assert splits(dataset) == {"train": 6, "val": 3}
    assert [s.label for s in dataset.samples if s.split == "val"] == [0, 1, 2]


def test_imagenet_train_folders_beside_a_validation_list_and_words(tmp_path: Path) -> None:
    root = layouts.imagenet_lists(tmp_path)
    (root / "meta" / "train.txt").unlink()
    (root / "meta" / "synset_words.txt").write_text("n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n")
    dataset = load(root)
    assert dataset.classes == ("tench", "crane (1)", "crane (2)")
    assert splits(dataset) == {"val": 3, "train": 6}
    assert {s.image.parent.name: s.label for s in dataset.samples if s.split == "train"}["n03126707"] == 2


def test_imagenet_lists_step_over_bad_lines(tmp_path: Path) -> None:
    root = layouts.imagenet_lists(tmp_path)
    (root / "meta" / "classes.txt").write_text("tench\nbird\nmachine\n")
    with (root / "meta" / "val.txt").open("a") as lines:
        lines.write("only-a-name.JPEG\n../../etc/passwd.JPEG 1\ngone.JPEG 1\nILSVRC2012_val_00000000.JPEG 7\n")
    dataset = load(root)
    kinds = Counter(problem.kind for problem in dataset.unreadable)
    assert kinds == {"bad-annotation": 1, "path-outside": 1, "missing-image": 1, "unknown-class": 1}
    assert splits(dataset) == {"train": 6, "val": 3}
    assert any("meta/val.txt, line 4" in problem.where for problem in dataset.unreadable)


@pytest.mark.parametrize("build", [layouts.coco_detection, layouts.coco_detection_plain])
def test_coco_detection(build: object, tmp_path: Path) -> None:
    dataset = load(build(tmp_path))  # type: ignore[operator]
    # By id, as mmdetection orders COCO.
    assert dataset.classes == ("person", "dog")
    assert splits(dataset)["train"] == 4
    first = dataset.samples[0]
    assert {(i.label, i.bbox, i.area) for i in first.instances} == {
        (1, (2, 3, 8.5, 20), 170.0),
        (0, (11, 3, 8.5, 20), 170.0),
    }


def test_coco_annotation_beside_the_images(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        content = layouts.coco(tmp_path / split, 2, layouts.DETECTION_CATEGORIES)
        layouts.write(tmp_path / split / "_annotations.coco.json", content)
    assert splits(load(tmp_path)) == {"train": 2, "val": 2}


def test_coco_sizes_come_from_the_files_where_not_annotated(tmp_path: Path) -> None:
    content = layouts.coco(tmp_path / "images", 2, layouts.DETECTION_CATEGORIES)
    for entry in content["images"]:
        del entry["width"], entry["height"]
    layouts.write(tmp_path / "labels.json", content)
    dataset = load(tmp_path)
    assert [(s.width, s.height) for s in dataset.samples] == [(layouts.WIDTH, layouts.HEIGHT)] * 2
    assert splits(dataset) == {"": 2}


def test_coco_keypoints(tmp_path: Path) -> None:
    dataset = load(layouts.coco_keypoints(tmp_path))
    assert dataset.spec.task is Task.KEYPOINT
    points = dataset.keypoints
    assert points is not None
    assert points.names == tuple(layouts.COCO_POINTS)
    assert points.skeleton == ((15, 13), (13, 11))
    assert points.flip_pairs == tuple((i, i + 1) for i in range(1, 17, 2))
    assert points.sigmas[:3] == (0.026, 0.025, 0.025)
    assert dataset.samples[0].instances[0].keypoints[1] == (4, 5, 2)


def test_keypoint_annotations_give_boxes_when_detection_is_asked_for(tmp_path: Path) -> None:
    content = layouts.coco(tmp_path / "train", 2, [{"id": 1, "name": "bee", "keypoints": ["a"]}], 1)
    layouts.write(tmp_path / "annotations" / "train.json", content)
    assert load(tmp_path).spec.task is Task.KEYPOINT
    dataset = load(tmp_path, Task.DETECTION, "coco-detection")
    assert dataset.spec.task is Task.DETECTION
    assert dataset.keypoints is None
    assert len(dataset.samples[0].instances) == 1


def test_ap10k(tmp_path: Path) -> None:
    dataset = load(layouts.ap10k(tmp_path))
    assert dataset.classes == ("antelope", "panda")
    assert splits(dataset) == {"train": 4, "val": 2, "test": 2}
    points = dataset.keypoints
    assert points is not None
    assert points.sigmas[2:5] == (0.026, 0.035, 0.035)
    assert (5, 8) in points.flip_pairs
    assert len(points.flip_pairs) == 7


def test_cityscapes_maps_label_ids_and_leaves_the_dummy_test_out(tmp_path: Path) -> None:
    dataset = load(layouts.cityscapes(tmp_path))
    assert len(dataset.classes) == 19
    assert splits(dataset) == {"train": 2, "val": 1}
    mask = class_mask(dataset.samples[0])
    assert [int(mask[0, x]) for x in (0, 20, 39)] == [0, dataset.classes.index("car"), 255]


def test_cityscapes_prefers_training_ids_and_keeps_a_labelled_test(tmp_path: Path) -> None:
    root = layouts.cityscapes(tmp_path)
    city = root / "gtFine" / "test" / "berlin"
    layouts.mask(city / "berlin_000000_000019_gtFine_labelTrainIds.png", [13, 255])
    dataset = load(root)
    assert splits(dataset) == {"train": 2, "val": 1, "test": 1}
    (sample,) = [s for s in dataset.samples if s.split == "test"]
    assert np.unique(class_mask(sample)).tolist() == [13, 255]


def test_cityscapes_image_without_mask_is_a_problem(tmp_path: Path) -> None:
    root = layouts.cityscapes(tmp_path)
    next((root / "gtFine" / "train" / "aachen").rglob("*.png")).unlink()
    (problem,) = [problem for problem in load(root).unreadable if problem.severity == "error"]
    assert problem.kind == "missing-mask"
    assert "aachen" in problem.where


def test_voc_detection(tmp_path: Path) -> None:
    dataset = load(layouts.pascal_voc(tmp_path), Task.DETECTION)
    assert len(dataset.classes) == 20
    assert splits(dataset) == {"train": 4, "val": 2}
    dog, person = dataset.samples[0].instances
    # VOC counts from 1 and includes both corners.
    assert (dataset.classes[dog.label], dog.bbox) == ("dog", (0, 0, 10, 12))
    assert (dataset.classes[person.label], person.bbox, person.is_crowd) == ("person", (14, 4, 26, 26), True)


def test_voc_segmentation(tmp_path: Path) -> None:
    dataset = load(layouts.pascal_voc(tmp_path), Task.SEGMENTATION)
    assert dataset.classes[0] == "background"
    assert len(dataset.classes) == 21
    assert [dataset.classes[v] for v in np.unique(class_mask(dataset.samples[0])) if v < 255][1:] == ["dog", "person"]


def test_voc_image_without_its_mask(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path)
    (root / "SegmentationClass" / "2007_000000.png").unlink()
    (problem,) = load(root, Task.SEGMENTATION).unreadable
    assert (problem.kind, problem.where) == ("missing-mask", "JPEGImages/2007_000000.jpg")


def test_voc_without_image_sets_and_with_other_classes(tmp_path: Path) -> None:
    layouts.image(tmp_path / "JPEGImages" / "a.png")
    layouts.voc_xml(tmp_path / "Annotations" / "a.xml", [("helmet", (1, 1, 5, 5))])
    dataset = load(tmp_path)
    assert dataset.classes == ("helmet",)
    assert splits(dataset) == {"": 1}
    assert dataset.samples[0].image.suffix == ".png"


def test_voc_broken_annotations_are_stepped_over(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path, masks=False)
    xml = root / "Annotations"
    (xml / "2007_000000.xml").write_text("<annotation><obj")
    (xml / "2007_000001.xml").unlink()
    layouts.voc_xml(xml / "2007_000002.xml", [("dog", (90, 90, 99, 99)), ("", (1, 1, 2, 2)), ("cat", (5, 5, 4, 9))])
    dataset = load(root)
    assert Counter(p.kind for p in dataset.unreadable) == {"bad-annotation": 3, "box-outside": 1, "box-empty": 1}
    assert splits(dataset) == {"train": 2, "val": 2}


def test_index_masks(tmp_path: Path) -> None:
    dataset = load(layouts.index_masks(tmp_path))
    assert dataset.classes == ("background", "nucleus", "wall")
    assert splits(dataset) == {"train": 4, "val": 2, "test": 2}
    assert all(isinstance(s.mask, Path) and s.mask.stem == s.image.stem for s in dataset.samples)


def test_index_masks_without_names_count_the_values(tmp_path: Path) -> None:
    root = layouts.index_masks(tmp_path)
    (root / "meta.json").unlink()
    assert load(root).classes == ("background", "class1", "class2")


def test_black_and_white_masks_are_two_classes(tmp_path: Path) -> None:
    layouts.image(tmp_path / "images" / "a.jpg")
    layouts.mask(tmp_path / "masks" / "a_mask.png", [0, 255])
    dataset = load(tmp_path)
    assert dataset.classes == ("background", "class1")
    assert np.unique(class_mask(dataset.samples[0])).tolist() == [0, 1]


def test_index_masks_whose_zero_is_unlabelled(tmp_path: Path) -> None:
    root = layouts.index_masks(tmp_path)
    layouts.write(root / "meta.json", {"classes": ["nucleus", "wall"], "reduce_zero_label": True})
    assert np.unique(class_mask(load(root).samples[0])).tolist() == [0, 1, 255]


def test_index_masks_report_what_has_no_partner(tmp_path: Path) -> None:
    root = layouts.index_masks(tmp_path)
    (root / "ann_dir" / "train" / "0.png").unlink()
    (root / "img_dir" / "val" / "1.jpg").unlink()
    dataset = load(root)
    found = {(p.kind, p.where) for p in dataset.unreadable}
    assert found == {("missing-mask", "img_dir/train/0.jpg"), ("missing-image", "ann_dir/val/1.png")}
    assert splits(dataset) == {"train": 3, "val": 1, "test": 2}


def test_rotated_photo_has_the_size_that_training_sees(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (50, 20)).save(root / "val" / "cat" / "0.jpg", exif=exif)
    (sample,) = [s for s in load(root).samples if s.split == "val" and s.label == 0]
    assert (sample.width, sample.height) == (20, 50)


def test_unknown_layout_names_the_near_one() -> None:
    with pytest.raises(DataError, match=r"unknown layout 'coco'.*coco-detection"):
        readers.get("coco")
