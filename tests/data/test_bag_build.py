"""Splits, caps, labels and files of bags."""

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from autommlab.common.errors import DataError, StorageError
from autommlab.data.bag import read_bag, select_bag
from autommlab.data.mask_lists import read_pairs
from autommlab.data.records import SPLITS, Bag, Problem
from autommlab.settings import TaskBudget
from autommlab.tasks import Task
from tests.helpers.bag_sets import Zoo, boxed, budget, classified, masked, only_these, picture, request

CLASSIFY, DETECT, SEGMENT, KEYPOINT = Task.CLASSIFICATION, Task.DETECTION, Task.SEGMENTATION, Task.KEYPOINT


@pytest.fixture(name="zoo")
def _zoo(monkeypatch: pytest.MonkeyPatch) -> Zoo:
    return only_these(monkeypatch)


def _select(folder: Path, task: Task, objects: list[str], caps: TaskBudget | None = None, seed: int = 0) -> Bag:
    return select_bag(request(task, objects), budget=caps or budget(), folder=folder / "bag", seed=seed)


def _lines(bag: Bag, split: str) -> list[tuple[str, int]]:
    rows = bag.annotation_file(split).read_text().splitlines()  # type: ignore[arg-type]
    return [(path, int(label)) for path, label in (row.rsplit(" ", 1) for row in rows)]


def _coco(bag: Bag, split: str) -> dict:
    return json.loads(bag.annotation_file(split).read_text())  # type: ignore[arg-type]


_SOURCE = st.lists(
    st.tuples(st.sampled_from(["cat", "dog", "owl"]), st.sampled_from(["", *SPLITS])), min_size=1, max_size=40
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=_SOURCE,
    copies=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=4),
    caps=st.tuples(st.integers(3, 20), st.integers(1, 8), st.integers(1, 8)),
    seed=st.integers(0, 5),
)
def test_any_source_gives_disjoint_capped_splits_or_a_clear_error(
    labels: list[tuple[str, str]], copies: list[tuple[int, int]], caps: tuple[int, int, int], seed: int, zoo: Zoo
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        bags = []
        for name in (one, two):
            root = Path(name)
            loaded = classified(root / "set", labels)
            for a, b in copies:
                if max(a, b) < len(labels):
                    (root / "set" / f"{b:03}.png").write_bytes((root / "set" / f"{a:03}.png").read_bytes())
            zoo(loaded)
            try:
                bags.append(_select(root, CLASSIFY, sorted({label for label, _ in labels}), budget(*caps), seed))
            except DataError as error:
                assert any(
                    w in str(error) for w in ("too few pictures", "no usable image", "no training image", "two classes")
                )
                return
        rows = {split: _lines(bags[0], split) for split in SPLITS}
        contents = {split: {Path(path).read_bytes() for path, _ in rows[split]} for split in SPLITS}
        assert not contents["train"] & (contents["val"] | contents["test"])
        assert not contents["val"] & contents["test"]
        for split, cap in zip(SPLITS, caps, strict=True):
            assert 1 <= len(rows[split]) == bags[0].splits[split].images <= cap
            assert all(0 <= label < len(bags[0].classes) for _, label in rows[split])
            assert all(Path(path).is_absolute() for path, _ in rows[split])
        assert set(range(len(bags[0].classes))) == {label for _, label in rows["train"]}
        assert bags[0].digest == bags[1].digest
        assert read_bag(bags[0].folder) == bags[0]


def test_seed_changes_made_splits_and_the_same_seed_does_not(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [(name, "") for name in ("cat", "dog") for _ in range(40)]))
    first, again, other = (
        _select(tmp_path / str(n), CLASSIFY, ["cat", "dog"], seed=s) for n, s in enumerate((1, 1, 2))
    )
    assert first.digest == again.digest != other.digest


def test_splits_made_from_nothing_are_stratified(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [("cat", "")] * 100 + [("dog", "")] * 20))
    bag = _select(tmp_path, CLASSIFY, ["cat", "dog"])
    assert {split: bag.splits[split].images for split in SPLITS} == {"train": 84, "val": 18, "test": 18}
    for split in ("val", "test"):
        assert bag.splits[split].per_class == {"cat": 15, "dog": 3}
    assert any("no train and no val and no test split" in note for note in bag.notes)


def test_missing_test_split_is_made_from_train_and_val_stays(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [(n, s) for n in ("cat", "dog") for s in ["train"] * 20 + ["val"] * 3]))
    bag = _select(tmp_path, CLASSIFY, ["cat", "dog"])
    assert {split: bag.splits[split].images for split in SPLITS} == {"train": 34, "val": 6, "test": 6}
    assert any(note.startswith("The source has no test split") for note in bag.notes)


def test_set_without_train_is_split_anew(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [(n, "val") for n in ("cat", "dog") for _ in range(10)]))
    bag = _select(tmp_path, CLASSIFY, ["cat", "dog"])
    assert bag.splits["train"].images == 14
    assert any("no train split; val is split anew" in note for note in bag.notes)


def test_a_leak_of_the_source_leaves_train_and_stays_in_test(tmp_path: Path, zoo: Zoo) -> None:
    loaded = classified(tmp_path / "set", [(n, s) for n in ("cat", "dog") for s in [*["train"] * 5, "val", "test"]])
    leaked, test = tmp_path / "set" / "000.png", tmp_path / "set" / "006.png"
    leaked.write_bytes(test.read_bytes())
    zoo(loaded)
    bag = _select(tmp_path, CLASSIFY, ["cat", "dog"])
    assert (str(test), 0) in _lines(bag, "test")
    assert str(leaked) not in {path for path, _ in _lines(bag, "train")}
    assert "1 pictures of the source are in both train and test: removed from train, kept in test." in bag.notes


def test_caps_are_balanced_over_classes_and_over_merged_sources(tmp_path: Path, zoo: Zoo) -> None:
    many = [("cat", "train")] * 40 + [("eagle", "train")] * 30 + [("owl", "train")] * 4
    zoo(classified(tmp_path / "set", [*many, *((n, s) for n in ("cat", "eagle") for s in ("val", "test"))]))
    bag = _select(tmp_path, CLASSIFY, ["cat", "bird"], budget(20, 1, 2))
    assert bag.splits["train"].per_class == {"cat": 10, "bird": 10}
    assert sum(70 <= int(Path(path).stem) < 74 for path, _ in _lines(bag, "train")) == 4
    assert any("caps train at 20 images, val at 1 images" in note for note in bag.notes)


def test_broken_and_missing_images_are_left_out_and_noted(tmp_path: Path, zoo: Zoo) -> None:
    loaded = classified(tmp_path / "set", [(n, s) for n in ("cat", "dog") for s in SPLITS for _ in range(3)])
    loaded.unreadable.append(Problem("missing-image", "list.txt:7", "no file x.jpg", "remove the line"))
    (tmp_path / "set" / "000.png").unlink()
    (tmp_path / "set" / "001.png").write_text("no picture")
    zoo(loaded)
    bag = _select(tmp_path, CLASSIFY, ["cat", "dog"])
    assert bag.splits["train"].per_class == {"cat": 1, "dog": 3}
    notes = " ".join(bag.notes)
    assert "000.png: the file does not exist" in notes
    assert "001.png: is not an image" in notes
    assert "list.txt:7: no file x.jpg" in notes
    assert "Fewer than 10 training images of: cat (1), dog (3)" in notes


def test_class_without_training_image_is_an_error(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [*[("cat", s) for s in SPLITS], *[("dog", s) for s in ("val", "test")]]))
    with pytest.raises(DataError, match=r"no training image of pictures shows 'dog'.*data check pictures"):
        _select(tmp_path, CLASSIFY, ["cat", "dog"])


def test_too_few_pictures_for_three_splits(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [("cat", ""), ("dog", "")]))
    with pytest.raises(DataError, match="too few pictures to make a val split: 2 different ones"):
        _select(tmp_path, CLASSIFY, ["cat", "dog"])


def test_detection_keeps_asked_boxes_and_few_negatives(tmp_path: Path, zoo: Zoo) -> None:
    images = [(labels, split) for split in SPLITS for labels in [*[[0, 1]] * 9, *[[2]] * 5, *[[1, 1]] * 9]]
    zoo(boxed(tmp_path / "set", images, ("cat", "owl", "fork")))
    bag = _select(tmp_path, DETECT, ["bird", "cat"])
    assert bag.classes == ("bird", "cat")
    content = _coco(bag, "train")
    assert content["categories"] == [{"id": 1, "name": "bird"}, {"id": 2, "name": "cat"}]
    assert bag.splits["train"].images == len(content["images"]) == 20
    assert Counter(a["category_id"] for a in content["annotations"]) == {1: 27, 2: 9}
    assert bag.splits["train"].per_class == {"bird": 27, "cat": 9}
    assert len({a["image_id"] for a in content["annotations"]}) == 18
    assert {a["area"] for a in content["annotations"]} == {48.0}
    assert all(Path(i["file_name"]).is_file() and (i["width"], i["height"]) == (24, 16) for i in content["images"])


def test_negatives_leave_room_for_what_is_asked_for(tmp_path: Path, zoo: Zoo) -> None:
    images = [(labels, split) for split in SPLITS for labels in [*[[1]] * 60, *[[0]] * 12]]
    zoo(boxed(tmp_path / "set", images, ("cat", "fork")))
    bag = _select(tmp_path, DETECT, ["cat"], budget(10, 10, 10))
    assert bag.splits["train"].images == 10
    assert bag.splits["train"].per_class == {"cat": 9}


def test_keypoints_have_one_category_and_only_labelled_beings(tmp_path: Path, zoo: Zoo) -> None:
    images = [(labels, split) for split in SPLITS for labels in [[0], [1], [2], [0, 2]]]
    zoo(boxed(tmp_path / "set", images, ("cat", "dog", "cow"), keypoints=True))
    bag = _select(tmp_path, KEYPOINT, ["dog", "cat"])
    content = _coco(bag, "val")
    assert bag.splits["val"].images == 3
    assert [(c["id"], c["name"], c["keypoints"]) for c in content["categories"]] == [
        (1, "dog", ["head", "left", "right"])
    ]
    assert content["categories"][0]["skeleton"] == [[1, 2], [1, 3]]
    assert {(a["category_id"], a["num_keypoints"], len(a["keypoints"])) for a in content["annotations"]} == {(1, 2, 9)}
    assert Counter(a["class"] for a in content["annotations"]) == {"cat": 2, "dog": 1}
    assert bag.splits["val"].per_class == {"dog": 1, "cat": 2}


def _mask_values(bag: Bag, split: str) -> list[list[int]]:
    rows = read_pairs(bag.annotation_file(split))  # type: ignore[arg-type]
    assert all(Path(image).is_file() for image, _ in rows)
    return [np.asarray(Image.open(mask))[0, [2, 8, 14, 20]].tolist() for _, mask in rows]


def test_masks_are_remapped_and_other_classes_become_background(tmp_path: Path, zoo: Zoo) -> None:
    zoo(masked(tmp_path / "set", [([0, 2, 1, 255], s) for s in SPLITS], ("background", "cat", "owl")))
    bag = _select(tmp_path, SEGMENT, ["bird"])
    assert bag.classes == ("background", "bird")
    assert _mask_values(bag, "train") == [[0, 1, 0, 255]]
    assert bag.splits["train"].per_class == {"background": 1, "bird": 1}
    assert any("1 other classes of masks count as background" in note for note in bag.notes)


def test_raw_mask_values_and_a_source_without_background(tmp_path: Path, zoo: Zoo) -> None:
    raw = ((7, 0), (8, 1), (9, 2))
    zoo(masked(tmp_path / "set", [([7, 8, 9, 3], s) for s in SPLITS], ("road", "car", "person"), mask_map=raw))
    bag = _select(tmp_path, SEGMENT, ["person", "road"])
    assert bag.classes == ("background", "person", "road")
    assert _mask_values(bag, "test") == [[2, 0, 1, 255]]
    everything = _select(tmp_path / "all", SEGMENT, ["person", "road", "car"])
    assert everything.classes == ("person", "road", "car")
    assert _mask_values(everything, "test") == [[1, 2, 0, 255]]


def test_broken_masks_and_images_with_background_only(tmp_path: Path, zoo: Zoo) -> None:
    loaded = masked(
        tmp_path / "set", [(v, s) for s in SPLITS for v in ([0, 1], [0, 1], [0], [0])], ("background", "cell")
    )
    (tmp_path / "set" / "000-mask.png").write_text("no mask")
    zoo(loaded)
    bag = _select(tmp_path, SEGMENT, ["cells"])
    assert {split: bag.splits[split].images for split in SPLITS} == {"train": 1, "val": 2, "test": 2}
    assert any("000-mask.png" in note for note in bag.notes)


def test_paths_with_spaces_survive(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "my set", [(n, s) for n in ("cat", "dog") for s in SPLITS]))
    bag = _select(tmp_path, CLASSIFY, ["cat", "dog"])
    assert all(Path(path).is_file() for path, _ in _lines(bag, "test"))


def test_bag_is_found_where_it_was_moved(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [(n, s) for n in ("cat", "dog") for s in SPLITS]))
    bag = _select(tmp_path, CLASSIFY, ["cat", "dog"])
    moved = bag.folder.rename(tmp_path / "moved")
    assert read_bag(moved) == bag.model_copy(update={"folder": moved})


def test_no_bag_and_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no bag in"):
        read_bag(tmp_path)
    (tmp_path / "bag.json").write_text('{"task": "classification"}')
    with pytest.raises(DataError, match=r"damaged: folder: Field required\. Delete"):
        read_bag(tmp_path)


def test_folder_that_cannot_be_written(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path / "set", [(n, s) for n in ("cat", "dog") for s in SPLITS]))
    (tmp_path / "bag").write_text("a file")
    with pytest.raises(StorageError, match="bag cannot be written"):
        _select(tmp_path, CLASSIFY, ["cat", "dog"])


def test_pictures_of_the_tests_differ(tmp_path: Path) -> None:
    assert picture(tmp_path / "a.png", 1).read_bytes() != picture(tmp_path / "b.png", 2).read_bytes()
