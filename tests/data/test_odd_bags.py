"""What a bag makes of data as people have it, and that `data check` tells it beforehand."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.data import readers
from autommlab.data.bag import select_bag
from autommlab.data.bag_choice import choose_sets
from autommlab.data.check import check_dataset
from autommlab.data.preview import contact_sheet
from autommlab.data.recognise import recognise
from autommlab.data.records import SPLITS, Bag, LoadedDataset, Problem
from autommlab.tasks import Task
from tests.helpers import layouts
from tests.helpers.bag_sets import Zoo, boxed, budget, classified, masked, only_these, request

CLASSIFY, DETECT, SEGMENT, KEYPOINT = Task.CLASSIFICATION, Task.DETECTION, Task.SEGMENTATION, Task.KEYPOINT


@pytest.fixture(name="zoo")
def _zoo(monkeypatch: pytest.MonkeyPatch) -> Zoo:
    return only_these(monkeypatch)


def bag_of(folder: Path, dataset: LoadedDataset, objects: list[str] | None = None) -> Bag:
    name = dataset.spec.name
    wanted = request(dataset.spec.task, objects or [], [name])
    return select_bag(wanted, budget=budget(), folder=folder / "bag", seed=0, data=name)


def folder_bag(folder: Path, root: Path, task: Task) -> Bag:
    return select_bag(request(task, []), budget=budget(), folder=folder / "bag", seed=0, data=str(root))


def load(root: Path, task: Task | None = None) -> LoadedDataset:
    spec = recognise(root, None, task)
    return readers.get(spec.layout).read(spec)


def spread(label: int) -> list[tuple[list[int], str]]:
    return [([label], split) for split in ("train", "train", "train", "val", "test")]


UNSEEN: dict[Task, Callable[[Path], LoadedDataset]] = {
    CLASSIFY: lambda root: classified(
        root, [*[(n, s) for n in ("cat", "dog") for s in SPLITS for _ in range(3)], ("unknown", "test")]
    ),
    DETECT: lambda root: boxed(
        root,
        [*spread(0), *spread(1), ([2], "test")],
        ("cat", "dog", "unknown"),
    ),
    KEYPOINT: lambda root: boxed(
        root,
        [*spread(0), *spread(1), ([2], "val")],
        ("cat", "dog", "unknown"),
        keypoints=True,
    ),
    SEGMENT: lambda root: masked(
        root,
        [*[([0, label], s) for label in (1, 2) for s in ("train", "train", "val", "test")], ([0, 3], "test")],
        ("background", "cat", "dog", "unknown"),
    ),
}


@pytest.mark.parametrize("task", UNSEEN)
def test_a_class_that_train_does_not_show_is_left_out_with_a_note(task: Task, tmp_path: Path, zoo: Zoo) -> None:
    dataset = UNSEEN[task](tmp_path / "set")
    zoo(dataset)
    bag = bag_of(tmp_path, dataset)
    assert [name for name in bag.classes if name != "background"] == ["cat", "dog"]
    assert "Left out, as no training image shows them: unknown." in bag.notes
    assert not [problem for problem in check_dataset(dataset) if problem.severity == "error"]
    with pytest.raises(DataError, match="'unknown'"):
        bag_of(tmp_path, dataset, ["cat", "unknown"])


def test_a_test_split_of_unknown_pictures_is_made_anew(tmp_path: Path, zoo: Zoo) -> None:
    """Kaggle's habit: the pictures to submit lie in test/unknown."""
    dataset = classified(
        tmp_path / "set", [*[(n, "train") for n in ("cat", "dog") for _ in range(10)], *[("unknown", "test")] * 6]
    )
    zoo(dataset)
    bag = bag_of(tmp_path, dataset)
    assert bag.classes == ("cat", "dog")
    assert bag.splits["test"].per_class.keys() == {"cat", "dog"}
    assert bag.splits["test"].images == sum(bag.splits["test"].per_class.values()) == 3


BACKGROUNDS: dict[Task, Callable[[Path], LoadedDataset]] = {
    CLASSIFY: lambda root: classified(
        root, [(n, s) for n in ("apple", "background", "pear") for s in SPLITS for _ in range(3)]
    ),
    DETECT: lambda root: boxed(
        root,
        [*spread(0), *spread(1), *spread(2)],
        ("apple", "background", "pear"),
    ),
    KEYPOINT: lambda root: boxed(
        root,
        [*spread(0), *spread(1), *spread(2)],
        ("apple", "background", "pear"),
        keypoints=True,
    ),
}


@pytest.mark.parametrize("objects", [[], ["apple", "background", "pear"]])
@pytest.mark.parametrize("task", BACKGROUNDS)
def test_a_class_called_background_is_a_class(task: Task, objects: list[str], tmp_path: Path, zoo: Zoo) -> None:
    dataset = BACKGROUNDS[task](tmp_path / "set")
    zoo(dataset)
    bag = bag_of(tmp_path, dataset, objects)
    assert bag.classes == ("apple", "background", "pear")
    assert bag.splits["train"].per_class["background"] == 3
    assert contact_sheet(dataset, tmp_path / "sheet.png", classes=["background"]).is_file()


def test_background_as_one_of_two_classes_keeps_its_name(tmp_path: Path, zoo: Zoo) -> None:
    dataset = classified(tmp_path / "set", [(n, s) for n in ("leaf", "background") for s in SPLITS for _ in range(3)])
    zoo(dataset)
    assert bag_of(tmp_path, dataset).classes == ("leaf", "background")
    choices, _ = choose_sets(["leaf", "background"], CLASSIFY, [], "pictures")
    assert set(choices[0].match.targets) == {"leaf", "background"}


def test_what_a_reader_mended_stands_in_the_notes_once_a_kind(tmp_path: Path, zoo: Zoo) -> None:
    dataset = classified(tmp_path / "set", [(n, s) for n in ("cat", "dog") for s in SPLITS for _ in range(3)])
    dataset.unreadable += [Problem("fractions", f"{n}.json", "are fractions", "nothing", "warning") for n in range(5)]
    zoo(dataset)
    (note,) = [note for note in bag_of(tmp_path, dataset).notes if "fractions" in note]
    assert note == "0.json: are fractions (4 more like it, see: autommlab data check pictures)."


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\tb", "caf\udce9"])
@pytest.mark.parametrize("task", [CLASSIFY, SEGMENT])
def test_no_path_adds_a_line_to_a_list(task: Task, name: str, tmp_path: Path, zoo: Zoo) -> None:
    """Whatever a reader lets through: the last door is shut too."""
    dataset = UNSEEN[task](tmp_path / name)
    zoo(dataset)
    with pytest.raises(DataError, match="holds a control character") as raised:
        bag_of(tmp_path, dataset)
    assert str(raised.value).encode()


@pytest.mark.parametrize(
    ("layout", "task"),
    [("coco-detection", DETECT), ("coco-keypoints", KEYPOINT), ("pascal-voc", DETECT)],
)
def test_boxes_of_a_bag_are_in_pixels_of_the_file(layout: str, task: Task, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    for path in root.rglob("*.jpg"):
        layouts.image(path, (2 * layouts.WIDTH, 2 * layouts.HEIGHT))
    stated = [item.bbox for sample in load(root, task).samples for item in sample.instances]
    bag = folder_bag(tmp_path, root, task)
    found = []
    for split in SPLITS:
        content = json.loads(bag.annotation_file(split).read_text())
        assert all((i["width"], i["height"]) == (80, 60) for i in content["images"])
        found += [tuple(entry["bbox"]) for entry in content["annotations"]]
    # The persons of the VOC set are all "difficult", so nothing can be learnt of them.
    assert found and set(found) <= {tuple(2 * v for v in box) for box in stated}


@pytest.mark.parametrize("layout", ["image-folders", "imagenet-lists", "coco-detection", "coco-keypoints"])
def test_a_set_that_a_run_would_refuse_is_an_error_of_the_check(layout: str, tmp_path: Path) -> None:
    """One picture a class: there is nothing to make a val and a test split of."""
    root = tmp_path / "set"
    if layout == "image-folders":
        for name in ("cat", "dog"):
            layouts.image(root / name / "0.jpg")
    elif layout == "imagenet-lists":
        for label, name in enumerate(("cat", "dog")):
            layouts.image(root / "train" / name / "0.jpg")
            (root / "meta").mkdir(exist_ok=True)
            with (root / "meta" / "train.txt").open("a") as lines:
                lines.write(f"{name}/0.jpg {label}\n")
    else:
        category = {"id": 1, "name": "bee", **({"keypoints": ["a"]} if layout == "coco-keypoints" else {})}
        content = layouts.coco(root / "train", 1, [category], 1 if layout == "coco-keypoints" else 0)
        layouts.write(root / "annotations" / "train.json", content)
    dataset = load(root)
    (problem,) = [problem for problem in check_dataset(dataset) if problem.severity == "error"]
    assert problem.kind == "of-no-use"
    assert "too few pictures" in problem.what
    with pytest.raises(DataError, match="too few pictures"):
        folder_bag(tmp_path, root, dataset.spec.task)


@pytest.mark.parametrize("layout", sorted(set(layouts.BUILDERS) - {"cityscapes"}))
def test_check_finds_of_no_use_just_what_a_bag_refuses(layout: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    for task in readers.READERS[layout].tasks:
        problems = check_dataset(load(root, task))
        assert not [problem for problem in problems if problem.kind == "of-no-use"]
        bag = select_bag(request(task, []), budget=budget(), folder=tmp_path / task, seed=0, data=str(root))
        assert all(bag.splits[split].images for split in SPLITS)


def test_a_class_of_crowds_alone_is_told(tmp_path: Path) -> None:
    dataset = load(layouts.pascal_voc(tmp_path / "set"), DETECT)
    (problem,) = [problem for problem in check_dataset(dataset) if "'person'" in problem.what]
    assert "only crowds or difficult objects" in problem.what
