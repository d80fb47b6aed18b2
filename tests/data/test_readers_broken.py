"""Broken annotations: stepped over and told, or given up with file, reason and remedy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autommlab.common.errors import DataError
from autommlab.data import readers
from autommlab.data.readers import files
from autommlab.data.readers.boxes import clipped, fault
from autommlab.data.readers.keypoint_layouts import flip_pairs
from autommlab.data.recognise import recognise
from autommlab.data.records import LoadedDataset, Problem
from tests.helpers import layouts

Content = dict[str, Any]


def load(root: Path) -> LoadedDataset:
    spec = recognise(root)
    return readers.get(spec.layout).read(spec)


def change(path: Path, edit: Callable[[Content], None]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def duplicate_image(content: Content) -> None:
    content["images"].append(content["images"][0])


def escaping_name(content: Content) -> None:
    content["images"][0]["file_name"] = "../../../secret.jpg"


def absolute_name(content: Content) -> None:
    content["images"][0]["file_name"] = "/etc/secret.jpg"


def unsized_and_gone(content: Content) -> None:
    content["images"][0] |= {"file_name": "gone.jpg", "width": 0}


def set_first(**values: Any) -> Callable[[Content], None]:
    return lambda content: content["annotations"][0].update(values)


BROKEN: list[tuple[str, Callable[[Content], None], str, str]] = [
    ("box-empty", set_first(bbox=[1, 1, 0, 5]), "no area", "annotation 1"),
    ("box-outside", set_first(bbox=[99, 1, 5, 5]), "wholly outside", "annotation 1"),
    ("bad-annotation", set_first(bbox=[1, 1, 5]), "not four finite", "annotation 1"),
    ("bad-annotation", set_first(bbox=[1, 1, float("nan"), 5]), "not four finite", "annotation 1"),
    ("bad-annotation", set_first(image_id=77), "names no readable image", "annotation 1"),
    ("bad-annotation", set_first(image_id=[1]), "lacks image_id", "annotation 1"),
    ("unknown-class", set_first(category_id=5), "category_id 5", "annotation 1"),
    ("duplicate-id", set_first(id=2), "used twice", "annotation 2"),
    ("duplicate-id", duplicate_image, "image id 1 is used twice", "000000.jpg"),
    ("path-outside", escaping_name, "leaves the data set", "secret.jpg"),
    ("path-outside", absolute_name, "leaves the data set", "/etc/secret.jpg"),
    ("missing-image", unsized_and_gone, "does not exist", "gone.jpg"),
    ("bad-annotation", lambda c: c["images"].append("x"), "lacks id or file_name", "image entry 4"),
    ("bad-annotation", lambda c: c["annotations"].append(None), "lacks image_id", "position 8"),
    ("bad-annotation", lambda c: c["categories"].append({"id": 4}), "lacks id or name", "train.json"),
    ("duplicate-id", lambda c: c["categories"].append({"id": 18, "name": "cat"}), "'cat' is left out", "18"),
]


@pytest.mark.parametrize(("kind", "edit", "what", "where"), BROKEN)
def test_broken_coco_entry_is_stepped_over_and_told(
    kind: str, edit: Callable[[Content], None], what: str, where: str, tmp_path: Path
) -> None:
    root = layouts.coco_detection_plain(tmp_path)
    change(root / "annotations" / "train.json", edit)
    dataset = load(root)
    problem = next(problem for problem in dataset.unreadable if problem.kind == kind)
    assert what in problem.what
    assert where in problem.where
    assert problem.remedy
    assert len([s for s in dataset.samples if s.split == "train"]) >= 3
    assert all(path.image.is_relative_to(root) for path in dataset.samples)


def test_objects_of_a_repeated_annotation_id_are_both_kept(tmp_path: Path) -> None:
    root = layouts.coco_detection_plain(tmp_path)
    change(root / "annotations" / "train.json", set_first(id=2))
    assert len(load(root).samples[0].instances) == 2


def test_wrong_number_of_keypoints(tmp_path: Path) -> None:
    root = layouts.coco_keypoints(tmp_path)
    change(root / "annotations" / "person_keypoints_train2017.json", set_first(keypoints=[1, 2, 2, 3, 4, 2]))
    dataset = load(root)
    (problem,) = dataset.unreadable
    assert problem.kind == "keypoint-count"
    assert "2 keypoints, expected 17" in problem.what
    assert len(dataset.samples) == 5


def test_category_with_other_keypoints_is_left_out(tmp_path: Path) -> None:
    root = layouts.coco_keypoints(tmp_path)
    cat = {"id": 2, "name": "cat", "keypoints": ["nose"]}
    change(root / "annotations" / "person_keypoints_val2017.json", lambda c: c["categories"].append(cat))
    dataset = load(root)
    assert dataset.classes == ("person",)
    assert [problem.kind for problem in dataset.unreadable] == ["keypoint-count"]


def test_category_without_keypoint_names_is_left_out(tmp_path: Path) -> None:
    root = layouts.coco_keypoints(tmp_path)
    cat = {"id": 2, "name": "cat"}
    change(root / "annotations" / "person_keypoints_val2017.json", lambda c: c["categories"].append(cat))
    (problem,) = load(root).unreadable
    assert (problem.kind, "has no keypoint names" in problem.what) == ("bad-annotation", True)


def test_object_without_any_labelled_point_is_no_problem(tmp_path: Path) -> None:
    root = layouts.coco_keypoints(tmp_path)
    change(root / "annotations" / "person_keypoints_train2017.json", set_first(keypoints=[0] * 51))
    dataset = load(root)
    assert dataset.unreadable == []
    assert len(dataset.samples) == 5


def test_truncated_header_is_corrupt_and_told(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path)
    (root / "train" / "cat" / "0.jpg").write_bytes(b"")
    (root / "train" / "cat" / "1.jpg").write_bytes(b"no picture")
    dataset = load(root)
    assert [(p.kind, p.where) for p in dataset.unreadable] == [
        ("corrupt-image", "train/cat/0.jpg"),
        ("corrupt-image", "train/cat/1.jpg"),
    ]
    assert "is empty" in dataset.unreadable[0].what
    assert len(dataset.samples) == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', r"train\.json: not valid JSON at line 1, column 13.*download it again"),
        ("[]", r"train\.json: no list 'images'"),
        ('{"images": [1], "annotations": [1], "categories": []}', "no list 'categories', or an empty one"),
    ],
)
def test_hopeless_coco_file_names_file_reason_and_remedy(text: str, message: str, tmp_path: Path) -> None:
    root = layouts.coco_detection_plain(tmp_path)
    (root / "annotations" / "train.json").write_text(text)
    spec = recognise(root)
    with pytest.raises(DataError, match=message):
        readers.get("coco-detection").read(spec)


def test_keypoints_asked_of_a_set_without_any(tmp_path: Path) -> None:
    spec = recognise(layouts.coco_detection_plain(tmp_path), layout="coco-keypoints")
    with pytest.raises(DataError, match=r"no category has a list 'keypoints'.*--task detection"):
        readers.get("coco-keypoints").read(spec)


def test_flip_pair_that_names_no_point(tmp_path: Path) -> None:
    root = layouts.coco_keypoints(tmp_path)
    layouts.write(root / "meta.json", {"flip_pairs": [["left_eye", "right_I"]]})
    with pytest.raises(DataError, match=r"flip_pairs holds 'right_I', which is no pair of points"):
        load(root)


def test_meta_json_completes_the_points(tmp_path: Path) -> None:
    bug = {"id": 1, "name": "bug", "keypoints": ["a", "b", "c"]}
    layouts.write(tmp_path / "annotations" / "train.json", layouts.coco(tmp_path / "train", 2, [bug], 3))
    points = load(tmp_path).keypoints
    assert points is not None
    assert (points.flip_pairs, points.sigmas) == ((), (0.05,) * 3)
    meta = {"flip_pairs": [["a", "c"]], "skeleton": [[0, 1]], "sigmas": [0.1, 0.2, 0.3]}
    layouts.write(tmp_path / "meta.json", meta)
    points = load(tmp_path).keypoints
    assert points is not None
    assert (points.flip_pairs, points.skeleton, points.sigmas) == (((0, 2),), ((0, 1),), (0.1, 0.2, 0.3))


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["L_Eye", "R_Eye", "Nose"], ((0, 1),)),
        (["leftHip", "rightHip"], ((0, 1),)),
        (["rightknee", "tail", "leftknee"], ((0, 2),)),
        (["bright", "left"], ()),
        (["left ear", "left eye", "right eye"], ((1, 2),)),
    ],
)
def test_flip_pairs_from_names(names: list[str], pairs: tuple[tuple[int, int], ...]) -> None:
    assert flip_pairs(names) == pairs


@given(st.lists(st.text("lr_eft ighE", max_size=12), unique=True, max_size=12))
def test_flip_pairs_are_disjoint_and_in_range(names: list[str]) -> None:
    flat = [index for pair in flip_pairs(names) for index in pair]
    assert len(flat) == len(set(flat))
    assert all(0 <= index < len(names) for index in flat)


@given(st.text(max_size=40))
def test_no_file_name_leaves_the_root(name: str) -> None:
    root = Path("/data/set")
    path = files.inside(root, root / "images", name)
    assert path is None or (path.is_relative_to(root) and ".." not in path.parts)


_QUARTER_PIXELS = st.integers(-2000, 2000).map(lambda number: number / 4)


@given(*[_QUARTER_PIXELS] * 4)
def test_a_box_without_fault_covers_pixels_of_its_image(x: float, y: float, w: float, h: float) -> None:
    verdict = fault((x, y, w, h), 100, 80)
    # The toolboxes drop what has less than a pixel in either direction.
    covered = min(x + w, 100) - max(x, 0) >= 1 and min(y + h, 80) - max(y, 0) >= 1
    assert covered == (verdict is None or verdict[2] == "warning")
    if covered:
        left, top, wide, high = clipped((x, y, w, h), 100, 80)
        assert left >= 0 and top >= 0 and left + wide <= 100 and top + high <= 80 and min(wide, high) >= 1


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=5)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["id", "image_id", "category_id", "bbox", "area"]), _VALUES)))
def test_any_annotation_entry_gives_an_object_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Content]
) -> None:
    root = tmp_path_factory.mktemp("fuzz")
    content = layouts.coco(root / "train", 1, layouts.DETECTION_CATEGORIES)
    content["annotations"] = entries
    layouts.write(root / "annotations" / "train.json", content | {"info": "bbox"})
    dataset: LoadedDataset = readers.get("coco-detection").read(recognise(root, layout="coco-detection"))
    left_out: list[Problem] = [problem for problem in dataset.unreadable if "left out" in problem.what]
    assert len(dataset.samples[0].instances) + len(left_out) == len(entries)
