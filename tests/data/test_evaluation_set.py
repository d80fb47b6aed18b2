"""A data set read as the classes of a finished bundle: which class is which, which split, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autommlab.common.errors import DataError
from autommlab.data.evaluation_set import EvaluationSet, evaluation_set, labels_for
from autommlab.data.records import DatasetSpec
from autommlab.data.truths import annotated_pictures
from autommlab.tasks import Task
from tests.helpers.bag_sets import LAYOUT, Zoo, boxed, classified, masked, only_these


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> Zoo:
    return only_these(monkeypatch)


def info(task: Task, *classes: str, **more: Any) -> dict[str, Any]:
    return {"task": task.value, "classes": list(classes), "input": {"depth": {"bits": 12, "white": 1.0}}, **more}


def read(data: str, described: dict[str, Any], folder: Path, **options: Any) -> EvaluationSet:
    return evaluation_set(data, described, folder / "read", **{"images": 100, **options})


def names(found: EvaluationSet) -> list[str]:
    return [picture.path.name for picture in annotated_pictures(found.bag, found.split)]


def spec(*classes: str, task: Task = Task.CLASSIFICATION) -> DatasetSpec:
    return DatasetSpec(name="pictures", task=task, layout="test", root=Path("/x"), classes=classes)


def test_classes_are_matched_by_name_synonym_and_kind() -> None:
    assert labels_for(("dog", "cat"), spec("cat", "dog", "tree")) == {"cat": 1, "dog": 0}
    assert labels_for(("bicycle", "bird"), spec("bike", "parrot", "owl")) == {"bike": 0, "parrot": 1, "owl": 1}
    assert labels_for(("cat", "other"), spec("cat", "dog", "tree")) == {"cat": 0, "dog": 1, "tree": 1}
    with pytest.raises(DataError, match="has none of the bundle's classes cat, dog; it has tree"):
        labels_for(("cat", "dog"), spec("tree"))


def test_labels_are_in_the_order_of_the_bundle(zoo: Zoo, tmp_path: Path) -> None:
    zoo(classified(tmp_path, [("cat", "test"), ("dog", "test"), ("tree", "test"), ("dog", "train"), ("cat", "val")]))
    found = read("pictures", info(Task.CLASSIFICATION, "dog", "cat", "cow"), tmp_path)
    assert (found.name, found.split) == ("test", "test")
    assert [picture.label for picture in annotated_pictures(found.bag, "test")] == [1, 0]
    assert found.bag.classes == ("dog", "cat", "cow")
    assert found.notes == ("pictures shows none of: cow.",)
    assert found.bag.depth.bits == 12
    assert names(read("pictures", info(Task.CLASSIFICATION, "dog"), tmp_path, split="train")) == ["003.png"]
    assert len(names(read("pictures", info(Task.CLASSIFICATION, "dog", "cat"), tmp_path, split="all"))) == 4
    assert len(names(read("pictures", info(Task.CLASSIFICATION, "dog", "cat"), tmp_path, split="all", images=2))) == 2


@pytest.mark.parametrize(
    ("given", "chosen"), [(("val", "train"), "val"), (("train", "train"), "all"), (("", ""), "all")]
)
def test_the_split_that_is_taken_is_said(zoo: Zoo, tmp_path: Path, given: tuple[str, str], chosen: str) -> None:
    zoo(classified(tmp_path, [("cat", given[0]), ("dog", given[1])]))
    found = read("pictures", info(Task.CLASSIFICATION, "dog", "cat"), tmp_path)
    assert found.name == chosen
    assert any("the figures are too high" in note for note in found.notes) == (chosen == "all")
    with pytest.raises(DataError, match=r"no test pictures with these classes; it has .*--split"):
        read("pictures", info(Task.CLASSIFICATION, "dog", "cat"), tmp_path, split="test")


def test_boxes_of_other_classes_go_and_their_pictures_stay(zoo: Zoo, tmp_path: Path) -> None:
    zoo(boxed(tmp_path, [([0, 1], "test"), ([1], "test"), ([0], "train")], ("cat", "tree")))
    found = read("scenes", info(Task.DETECTION, "cat"), tmp_path)
    assert [len(picture.objects) for picture in annotated_pictures(found.bag, "test")] == [1, 0]


def test_masks_have_the_values_of_the_bundle(zoo: Zoo, tmp_path: Path) -> None:
    zoo(masked(tmp_path, [([0, 1, 2], "test")], ("background", "cat", "tree")))
    for classes, values in ((("background", "tree"), {0, 1}), (("tree", "cat"), {0, 1, 255})):
        found = read("masks", info(Task.SEGMENTATION, *classes), tmp_path)
        (picture,) = annotated_pictures(found.bag, "test")
        with Image.open(picture.mask) as mask:
            assert set(np.unique(np.asarray(mask)).tolist()) == values


def test_keypoints_must_be_those_of_the_bundle(zoo: Zoo, tmp_path: Path) -> None:
    zoo(boxed(tmp_path, [([0], "test")], ("mouse",), keypoints=True))
    found = read("scenes", info(Task.KEYPOINT, "mouse", keypoints={"names": list(LAYOUT.names)}), tmp_path)
    assert found.bag.keypoints is not None
    assert json.loads(found.bag.annotation_file("test").read_text())["annotations"][0]["num_keypoints"] == 2
    with pytest.raises(DataError, match="the bundle finds the keypoints nose; scenes has head, left, right"):
        read("scenes", info(Task.KEYPOINT, "mouse", keypoints={"names": ["nose"]}), tmp_path)


def test_what_cannot_be_judged_is_named(zoo: Zoo, tmp_path: Path) -> None:
    loaded = classified(tmp_path, [("cat", "test")])
    zoo(loaded)
    with pytest.raises(DataError, match="is for classification, the bundle for detection"):
        read("pictures", info(Task.DETECTION, "cat"), tmp_path)
    loaded.samples[0].image.write_bytes(b"no picture")
    with pytest.raises(DataError, match="no usable picture of pictures is left"):
        read("pictures", info(Task.CLASSIFICATION, "cat"), tmp_path)
