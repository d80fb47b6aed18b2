"""A name or an id that is written in another way means the same thing, in every layout; what means nothing is told."""

from __future__ import annotations

import codecs
import json
import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from autommlab.common.errors import DataError
from autommlab.data import readers
from autommlab.data.names import clean_name
from autommlab.data.readers import files
from autommlab.data.recognise import recognise
from autommlab.data.records import LoadedDataset
from autommlab.tasks import Task
from tests.helpers import layouts

WHOLE, PARTED = (unicodedata.normalize(form, "é-") for form in ("NFC", "NFD"))
NAMING = {
    "coco-detection": Task.DETECTION, "coco-keypoints": Task.KEYPOINT, "ap-10k": Task.KEYPOINT,
    "imagenet-lists": Task.CLASSIFICATION, "index-masks": Task.SEGMENTATION,
}  # fmt: skip
READINGS = [*NAMING.items(), ("pascal-voc", Task.DETECTION), ("pascal-voc", Task.SEGMENTATION)]
COCO = ["coco-detection", "coco-keypoints", "ap-10k"]
_BESIDE = ("ann_dir", "SegmentationClass", "Annotations")


def load(root: Path, task: Task | None = None) -> LoadedDataset:
    spec = recognise(root, None, task)
    return readers.get(spec.layout).read(spec)


def plain(dataset: LoadedDataset) -> list[tuple[Any, ...]]:
    """What was read, by the bare names of its images."""
    bare = [unicodedata.normalize("NFC", sample.image.name).removeprefix(WHOLE) for sample in dataset.samples]
    return sorted(
        (name, sample.split, sample.label or 0, sample.instances, sample.mask is not None)
        for name, sample in zip(bare, dataset.samples, strict=True)
    )


def rename(root: Path, images: str, beside: str) -> None:
    """Put one prefix before the names of all images, and another before those of masks and in all annotations."""
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        apart = set(_BESIDE) & set(path.parts)
        if apart or files.is_image(path):
            path.rename(path.with_name((beside if apart else images) + path.name))
    for path in (root / "annotations").glob("*.json"):
        tree = json.loads(path.read_text())
        for entry in tree["images"]:
            entry["file_name"] = beside + entry["file_name"]
        path.write_text(json.dumps(tree))
    for path in (root / "Annotations").glob("*.xml"):
        path.write_text(path.read_text().replace("<filename>", f"<filename>{beside}"))
    for path in (root / "ImageSets").glob("*/*.txt"):
        path.write_text("".join(f"{beside}{line}\n" for line in path.read_text().splitlines()))
    for path in [] if (root / "img_dir").exists() else (root / "meta").glob("*.txt"):
        lines = [Path(line) for line in path.read_text().splitlines()]
        path.write_text("".join(f"{line.with_name(beside + line.name)}\n" for line in lines))


@pytest.mark.parametrize(("images", "beside"), [(PARTED, WHOLE), (WHOLE, PARTED)], ids=["as a Mac", "as the others"])
@pytest.mark.parametrize(("layout", "task"), READINGS)
def test_an_accent_is_the_same_in_both_ways_to_write_it(
    layout: str, task: Task, images: str, beside: str, tmp_path: Path
) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root, task)
    rename(root, images, beside)
    after = load(root, task)
    assert plain(after) == plain(before)
    assert len(after.unreadable) == len(before.unreadable)


def test_class_folders_of_one_name_are_one_class(tmp_path: Path) -> None:
    for split, name in (("train", WHOLE), ("train", PARTED), ("val", PARTED), ("test", WHOLE)):
        layouts.image(tmp_path / split / name / f"{len(name)}.jpg")
        layouts.image(tmp_path / split / "other" / "0.jpg")
    dataset = load(tmp_path)
    assert dataset.classes == ("other", WHOLE)
    splits = sorted(sample.split for sample in dataset.samples if sample.label == 1)
    assert splits == ["test", "train", "train", "val"]


def test_class_names_have_whole_letters() -> None:
    assert clean_name(f" {PARTED}") == WHOLE


def _by(names: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], None]:
    def edit(tree: dict[str, Any]) -> None:
        called = {entry["id"]: names(entry) for entry in tree["images"]}
        for entry in tree["annotations"]:
            entry["image_id"] = called[entry["image_id"]]

    return edit


def _categories_by_name(tree: dict[str, Any]) -> None:
    called = {entry["id"]: entry["name"] for entry in tree.get("categories", ())}
    for entry in tree["annotations"]:
        entry["category_id"] = called[entry["category_id"]]


def _padded_images(tree: dict[str, Any]) -> None:
    for entry in tree["images"]:
        entry["id"] = f"{entry['id']:06d}"


WAYS: dict[str, Callable[[dict[str, Any]], None]] = {
    "file names": _by(lambda image: str(image["file_name"])),
    "paths": _by(lambda image: str(Path(image["file_name"]).stem)),
    "padded": _by(lambda image: f"{image['id']:012d}"),
    "padded in the table": _padded_images,
    "names of categories": _categories_by_name,
}


def in_each(root: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    for path in (root / "annotations").glob("*.json"):
        tree = json.loads(path.read_text())
        edit(tree)
        path.write_text(json.dumps(tree))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", COCO)
def test_a_name_or_a_padded_number_stands_for_an_id(layout: str, way: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root)
    in_each(root, WAYS[way])
    after = load(root)
    assert plain(after) == plain(before)
    assert after.unreadable == before.unreadable


def test_a_name_that_two_images_have_stands_for_none(tmp_path: Path) -> None:
    root = layouts.coco_detection_plain(tmp_path / "set")
    layouts.image(root / "train" / "deeper" / "000000.jpg")
    tree = json.loads((root / "annotations" / "train.json").read_text())
    tree["images"][0]["file_name"], tree["images"][1]["file_name"] = "./000000.jpg", "deeper/000000.jpg"
    tree["annotations"][0]["image_id"] = "000000.jpg"
    (root / "annotations" / "train.json").write_text(json.dumps(tree))
    assert any("image_id 000000.jpg names no readable image" in problem.what for problem in load(root).unreadable)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("layout", COCO)
def test_json_in_any_form_of_unicode(layout: str, codec: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root)
    for path in (root / "annotations").glob("*.json"):
        path.write_bytes(path.read_text().encode(codec))
    assert plain(load(root)) == plain(before)


MARKED = codecs.BOM_UTF8 + b"<?xml version='1.0' encoding='gbk'?>"


@pytest.mark.parametrize("head", [MARKED, b"\n  <?xml version='1.0'?>", b" <?xml version='1.0' encoding='UTF-8'?>"])
def test_what_stands_before_a_voc_annotation(head: bytes, tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set", masks=False)
    for path in (root / "Annotations").iterdir():
        path.write_bytes(head + path.read_bytes().replace(b"dog", "狗".encode()))
    dataset = load(root)
    assert "狗" in dataset.classes
    assert not dataset.unreadable


def test_a_set_of_which_no_annotation_can_be_read_says_why(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set", masks=False)
    for path in (root / "Annotations").iterdir():
        path.write_text("<annotation>&nbsp;</annotation>")
    with pytest.raises(DataError, match=r"First problem: Annotations/2007_000000\.xml: .*undefined entity"):
        load(root)


@pytest.mark.parametrize(("layout", "folder"), [("image-folders", ""), ("index-masks", "img_dir")])
def test_a_folder_beside_the_splits_is_told(layout: str, folder: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root)
    for number in range(3):
        layouts.image(root / folder / "holdout" / "cat" / f"{number}.jpg")
    after = load(root)
    assert plain(after) == plain(before)
    (told,) = set(after.unreadable) - set(before.unreadable)
    assert (told.kind, told.severity) == ("no-split", "warning")
    assert told.what.startswith("3 picture(s) of this folder")


@pytest.mark.parametrize("suffix", [".tga", ".mp4", ".npy", ".exr", ""])
def test_a_folder_without_any_image_tells_what_lies_there(suffix: str, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{number}{suffix}").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=f"No image .* only 6 file\\(s\\) of {suffix or 'no suffix'}; images end in"):
        load(tmp_path)


@pytest.mark.parametrize("layout", ["index-masks", "pascal-voc"])
@pytest.mark.parametrize("names", [256, 300])
def test_more_classes_than_a_mask_can_tell_are_refused(names: int, layout: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    write_classes(root, (f"class {number}" for number in range(names)))
    with pytest.raises(DataError, match=f"{names} classes are named; a mask tells 255 at most"):
        load(root, Task.SEGMENTATION)
    write_classes(root, (f"class {number}" for number in range(255)))
    assert len(load(root, Task.SEGMENTATION).classes) == 255


def write_classes(root: Path, names: Iterable[str]) -> None:
    (root / "meta.json").unlink(missing_ok=True)
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in names))


@pytest.mark.parametrize("codec", ["latin-1", "cp437"])
@pytest.mark.parametrize("layout", COCO)
def test_a_picture_out_of_an_old_archive_is_told_as_what_it_is(layout: str, codec: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    path = min(path for path in root.rglob("*.jpg"))
    path.rename(Path(os.fsdecode(os.fsencode(path.parent) + b"/" + "café.jpg".encode(codec))))
    for file in (root / "annotations").glob("*.json"):
        file.write_text(file.read_text().replace(path.name, "caf\\u00e9.jpg"))
    assert "bad-name" in {problem.kind for problem in load(root).unreadable}
