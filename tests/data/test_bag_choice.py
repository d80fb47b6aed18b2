"""Which sets and classes a request gets, and what it is told where there are none."""

from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.data.bag import select_bag
from autommlab.data.records import SPLITS, Bag
from autommlab.tasks import Task
from tests.helpers.bag_sets import Zoo, boxed, budget, classified, only_these, request

CLASSIFY, DETECT, KEYPOINT = Task.CLASSIFICATION, Task.DETECTION, Task.KEYPOINT


@pytest.fixture(name="zoo")
def _zoo(monkeypatch: pytest.MonkeyPatch) -> Zoo:
    return only_these(monkeypatch)


def _labels(*names: str, each: int = 2) -> list[tuple[str, str]]:
    return [(name, split) for name in names for split in SPLITS for _ in range(each)]


def _select(
    folder: Path, task: Task, objects: list[str], data: str | None = None, specific: tuple[str, ...] = ()
) -> Bag:
    wish = request(task, objects, specific)
    return select_bag(wish, budget=budget(), folder=folder / "bag", seed=0, data=data)


def test_general_nouns_merge_classes(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path, _labels("eagle", "owl", "cat", "car"), "photos"))
    bag = _select(tmp_path, CLASSIFY, ["birds", "cat"])
    assert bag.classes == ("birds", "cat")
    assert bag.sources == {"birds": ("photos/eagle", "photos/owl"), "cat": ("photos/cat",)}
    assert bag.splits["train"].per_class == {"birds": 4, "cat": 2}
    assert any("eagle, owl (a kind of it)" in note for note in bag.notes)


def test_a_set_with_all_objects_wins_over_the_exact_one_with_some(tmp_path: Path, zoo: Zoo) -> None:
    zoo(
        classified(tmp_path / "a", _labels("bird", "cup"), "some"),
        classified(tmp_path / "b", _labels("eagle", "cat"), "all", first=100),
    )
    assert _select(tmp_path, CLASSIFY, ["bird", "cat"]).datasets == ("all",)


def test_exact_names_win_then_the_users_own_then_more_images(tmp_path: Path, zoo: Zoo) -> None:
    kinds = classified(tmp_path / "a", _labels("eagle", "cat", each=9), "kinds")
    drawn = classified(tmp_path / "b", _labels("bird", "cat", each=9), "drawn", embedded=True)
    small = classified(tmp_path / "c", _labels("bird", "cat", each=2), "small")
    large = classified(tmp_path / "d", _labels("bird", "cat", each=4), "large")
    zoo(kinds, drawn)
    assert _select(tmp_path, CLASSIFY, ["bird", "cat"]).datasets == ("drawn",)
    zoo(kinds, drawn, small)
    assert _select(tmp_path, CLASSIFY, ["bird", "cat"]).datasets == ("small",)
    zoo(kinds, drawn, small, large)
    assert _select(tmp_path, CLASSIFY, ["bird", "cat"]).datasets == ("large",)


def test_named_set_first_and_unknown_ones_noted(tmp_path: Path, zoo: Zoo) -> None:
    zoo(
        classified(tmp_path / "a", _labels("bird", "cat", each=4), "large"),
        classified(tmp_path / "b", _labels("bird", "cat"), "small", first=100),
    )
    bag = _select(tmp_path, CLASSIFY, ["bird", "cat"], specific=("ImageNet", "small"))
    assert bag.datasets == ("small",)
    assert any("asks for the data set 'ImageNet': no data set 'ImageNet'" in note for note in bag.notes)


def test_named_set_without_the_objects_is_noted(tmp_path: Path, zoo: Zoo) -> None:
    zoo(
        classified(tmp_path / "a", _labels("fork", "spoon"), "kitchen"),
        classified(tmp_path / "b", _labels("bird", "cat"), "animals"),
    )
    bag = _select(tmp_path, CLASSIFY, ["bird", "cat"], specific=("kitchen",))
    assert bag.datasets == ("animals",)
    assert any(note.startswith("kitchen: no data set for classification has all of 'bird',") for note in bag.notes)
    with pytest.raises(DataError, match="kitchen has no 'bird'"):
        _select(tmp_path, CLASSIFY, ["bird", "cat"], data="kitchen")


def test_classification_merges_sets_where_none_has_all(tmp_path: Path, zoo: Zoo) -> None:
    zoo(
        classified(tmp_path / "a", _labels("bird", "cat"), "animals"),
        classified(tmp_path / "b", _labels("fork", "spoon"), "kitchen", first=100),
    )
    bag = _select(tmp_path, CLASSIFY, ["cat", "fork"])
    assert bag.datasets == ("animals", "kitchen")
    assert bag.sources == {"cat": ("animals/cat",), "fork": ("kitchen/fork",)}
    assert any("animals and kitchen are merged" in note for note in bag.notes)


def test_detection_never_merges_sets(tmp_path: Path, zoo: Zoo) -> None:
    images = [([0], split) for split in SPLITS for _ in range(2)]
    zoo(
        boxed(tmp_path / "a", images, ("cat",), "animals"),
        boxed(tmp_path / "b", images, ("fork",), "kitchen"),
    )
    with pytest.raises(DataError, match=r"(?s)animals has no 'fork'.*not merged for detection.*data add FOLDER"):
        _select(tmp_path, DETECT, ["cat", "fork"])


def test_nothing_found_names_the_nearest_classes_of_each_set(tmp_path: Path, zoo: Zoo) -> None:
    zoo(
        classified(tmp_path / "a", _labels("dog", "table", "spoon", "car", "pizza"), "photos"),
        classified(tmp_path / "b", _labels("fox", "bear"), "forest", first=100),
    )
    expected = r"(?s)has all of 'wolf', 'xylophone'.*photos has no 'wolf' \(nearest: dog, .*forest has no .*fox, bear"
    with pytest.raises(DataError, match=expected):
        _select(tmp_path, CLASSIFY, ["wolf", "xylophone"])


def test_set_of_another_task(tmp_path: Path, zoo: Zoo) -> None:
    zoo(
        classified(tmp_path / "a", _labels("cat", "dog"), "photos"),
        boxed(tmp_path / "b", [([0], s) for s in SPLITS for _ in range(2)], ("cat",), "scenes"),
    )
    with pytest.raises(DataError, match=r"'photos' is for classification, the request asks for detection.*scenes"):
        _select(tmp_path, DETECT, ["cat"], data="photos")
    assert any(
        "for classification, not detection" in n for n in _select(tmp_path, DETECT, ["cat"], None, ("photos",)).notes
    )


def test_unknown_set_given(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path, _labels("cat", "dog"), "photos"))
    with pytest.raises(DataError, match="no data set 'fotos'"):
        _select(tmp_path, CLASSIFY, ["cat"], data="fotos")


def test_no_objects_means_all_classes_of_the_named_set(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path, _labels("cat", "dog", "owl"), "photos"))
    assert _select(tmp_path, CLASSIFY, [], data="photos").classes == ("cat", "dog", "owl")
    assert _select(tmp_path, CLASSIFY, [], specific=("photos",)).classes == ("cat", "dog", "owl")
    with pytest.raises(DataError, match=r"neither objects nor a data set.*Sets for classification: photos"):
        _select(tmp_path, CLASSIFY, [])


@pytest.mark.parametrize("thing", ["handwritten digits", "digit", "hand sign"])
def test_one_object_that_is_the_whole_set_is_split(tmp_path: Path, zoo: Zoo, thing: str) -> None:
    zoo(classified(tmp_path, _labels("0", "1", "2"), "signs", description="Hand signs of one person"))
    bag = _select(tmp_path, CLASSIFY, [thing])
    assert bag.classes == ("0", "1", "2")
    assert any("stands for 3 classes of signs" in note for note in bag.notes)


def test_abstract_object_with_a_given_set_is_the_set_but_a_thing_is_not(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path, _labels("0", "1", "2"), "signs"))
    assert _select(tmp_path, CLASSIFY, ["gesture"], data="signs").classes == ("0", "1", "2")
    with pytest.raises(DataError, match="signs has no 'cat'"):
        _select(tmp_path, CLASSIFY, ["cat"], data="signs")
    with pytest.raises(DataError, match="signs has no 'gesture'"):
        _select(tmp_path, CLASSIFY, ["gesture"])


def test_single_object_stands_against_as_many_others(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path, [*_labels("cat", each=3), *_labels("dog", "owl", "car", each=4)], "photos"))
    bag = _select(tmp_path, CLASSIFY, ["cat"])
    assert bag.classes == ("cat", "other")
    assert [bag.splits[split].per_class for split in SPLITS] == [{"cat": 3, "other": 3}] * 3
    assert set(bag.sources["other"]) == {"photos/dog", "photos/owl", "photos/car"}
    assert any("told from 'other'" in note for note in bag.notes)


def test_single_object_alone_in_its_set(tmp_path: Path, zoo: Zoo) -> None:
    zoo(classified(tmp_path, _labels("cat"), "photos"))
    with pytest.raises(DataError, match=r"nothing but 'cat'.*at least two classes"):
        _select(tmp_path, CLASSIFY, ["cat"])


def test_person_finds_people_keypoints(tmp_path: Path, zoo: Zoo) -> None:
    images = [([0], split) for split in SPLITS for _ in range(2)]
    zoo(
        boxed(tmp_path / "a", images, ("bee",), "bees", keypoints=True),
        boxed(tmp_path / "b", images, ("human",), "poses", keypoints=True),
    )
    bag = _select(tmp_path, KEYPOINT, ["people"])
    assert bag.datasets == ("poses",)
    assert bag.keypoints is not None
    assert bag.keypoints.names == ("head", "left", "right")
