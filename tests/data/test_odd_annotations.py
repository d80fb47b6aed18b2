"""Annotations as people's tools write them: derived boxes, ids, fractions, sizes, repeats, splits without labels."""

import json
import shutil
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from autommlab.data import readers
from autommlab.data.check import check_dataset
from autommlab.data.preview import contact_sheet
from autommlab.data.readers import coco_shapes
from autommlab.data.readers.fitting import resized
from autommlab.data.readers.ids import Ids
from autommlab.data.readers.masks import class_mask
from autommlab.data.recognise import recognise
from autommlab.data.records import Instance, LoadedDataset, Sample
from autommlab.tasks import Task
from tests.helpers import layouts

Content = dict[str, Any]
#: Builder of a set with boxes, the annotation files of its train split, its task.
BOXES: dict[str, tuple[Callable[[Path], Path], str, Task]] = {
    "coco-detection": (layouts.coco_detection_plain, "annotations/train.json", Task.DETECTION),
    "coco-keypoints": (layouts.coco_keypoints, "annotations/person_keypoints_train2017.json", Task.KEYPOINT),
    "ap-10k": (layouts.ap10k, "annotations/ap10k-train-split1.json", Task.KEYPOINT),
    "pascal-voc": (layouts.pascal_voc, "Annotations/*.xml", Task.DETECTION),
}
COCO = [layout for layout in BOXES if layout != "pascal-voc"]


def load(root: Path, task: Task | None = None) -> LoadedDataset:
    spec = recognise(root, None, task)
    return readers.get(spec.layout).read(spec)


def change(path: Path, edit: Callable[[Content], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def built(layout: str, folder: Path) -> tuple[Path, Path, Task]:
    build, file, task = BOXES[layout]
    return build(folder), folder / file, task


def on_each(content: Content, edit: Callable[[Content], object]) -> None:
    for entry in content["annotations"]:
        edit(entry)


def boxes_of(dataset: LoadedDataset, split: str = "train") -> list[list[float]]:
    shown = [sample for sample in dataset.samples if sample.split == split]
    return [[round(v, 3) for v in item.bbox] for sample in shown for item in sample.instances]


def kinds(dataset: LoadedDataset) -> set[str]:
    return {problem.kind for problem in dataset.unreadable}


def runs(mask: np.ndarray) -> list[int]:
    """COCO's run lengths of a mask (height, width)."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]]))).tolist()
    ends = [0, *edges, flat.size] if not flat.size or not edges or edges[-1] != flat.size else [0, *edges]
    return [b - a for a, b in pairwise(ends)]


def filled(box: list[float]) -> np.ndarray:
    mask = np.zeros((layouts.HEIGHT, layouts.WIDTH), np.uint8)
    x, y, w, h = map(int, box)
    mask[y : y + h, x : x + w] = 1
    return mask


OUTLINES: dict[str, Callable[[list[float]], Any]] = {
    "polygon": lambda b: [[b[0], b[1], b[0] + b[2], b[1], b[0] + b[2], b[1] + b[3]]],
    "two polygons": lambda b: [[b[0], b[1], b[0] + 1, b[1] + 1], [b[0] + b[2], b[1] + b[3], b[0] + 2, b[1] + 2]],
    "flat polygon": lambda b: [b[0], b[1], b[0] + b[2], b[1], b[0] + b[2], b[1] + b[3]],
    "quoted numbers": lambda b: [[str(v) for v in (b[0], b[1], b[0] + b[2], b[1] + b[3])]],
    "run lengths": lambda b: {"size": [layouts.HEIGHT, layouts.WIDTH], "counts": runs(filled(b))},
}


@pytest.mark.parametrize("absent", [None, [], [0, 0, 0, 0], "gone"])
@pytest.mark.parametrize("outline", OUTLINES)
def test_a_box_follows_from_the_outline(outline: str, absent: Any, tmp_path: Path) -> None:
    root, file, _ = built("coco-detection", tmp_path)
    whole = [[2, 3, 8, 20]] * 4

    def cut(entry: Content) -> None:
        entry["segmentation"] = OUTLINES[outline]([2, 3, 8, 20])
        entry["bbox"] = absent
        if absent == "gone":
            del entry["bbox"]

    for path in file.parent.glob("*.json"):
        change(path, lambda content: on_each(content, cut))
    dataset = load(root)
    assert boxes_of(dataset)[::2] == whole
    assert not dataset.unreadable


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=7))
def test_the_box_of_a_mask_is_that_of_its_pixels(rows: list[list[bool]]) -> None:
    mask = np.array(rows, np.uint8)
    down, across = np.nonzero(mask)
    expected = None
    if mask.any():
        x, y = float(across.min()), float(down.min())
        expected = (x, y, float(np.ptp(across)) + 1, float(np.ptp(down)) + 1)
    assert coco_shapes.outline_box({"size": list(mask.shape), "counts": runs(mask)}) == expected
    coder = pytest.importorskip("pycocotools.mask")
    packed = coder.encode(np.asfortranarray(mask))
    assert coco_shapes.outline_box({"size": packed["size"], "counts": packed["counts"].decode()}) == expected


@pytest.mark.parametrize("layout", ["coco-keypoints", "ap-10k"])
def test_the_box_of_a_pose_is_around_its_points(layout: str, tmp_path: Path) -> None:
    root, file, task = built(layout, tmp_path)
    for path in file.parent.glob("*.json"):
        change(path, lambda content: on_each(content, lambda entry: entry.pop("bbox")))
    dataset = load(root, task)
    assert not dataset.unreadable
    assert not [problem for problem in check_dataset(dataset) if problem.severity == "error"]
    for sample in dataset.samples:
        for item in sample.instances:
            x, y, w, h = item.bbox
            assert all(x <= px <= x + w and y <= py <= y + h for px, py, v in item.keypoints if v)
            assert x + w <= sample.width and y + h <= sample.height


def test_an_object_without_anything_that_gives_a_box_says_so(tmp_path: Path) -> None:
    root, file, _ = built("coco-detection", tmp_path)
    change(file, lambda content: [content["annotations"][0].pop(key) for key in ("bbox", "segmentation")])
    (problem,) = load(root).unreadable
    assert "neither bbox nor a polygon" in problem.what


@pytest.mark.parametrize("layout", COCO)
@pytest.mark.parametrize("kind", [str, float, lambda value: f"{value}.0"])
def test_ids_of_any_type_are_the_same_id(kind: Callable[[int], Any], layout: str, tmp_path: Path) -> None:
    root, file, task = built(layout, tmp_path)
    sound = boxes_of(load(root, task))

    def retyped(entry: Content) -> None:
        entry.update(image_id=kind(entry["image_id"]), category_id=kind(entry["category_id"]))

    change(file, lambda content: on_each(content, retyped))
    dataset = load(root, task)
    assert (boxes_of(dataset), dataset.unreadable) == (sound, [])


_ID = st.one_of(st.integers(-3, 3), st.integers(-3, 3).map(str), st.integers(-3, 3).map(float))


@given(st.lists(_ID))
def test_a_table_tells_its_entries_apart_by_all_that_its_ids_say(values: list[Any]) -> None:
    ids = Ids({"id": value} for value in values)
    both = {str(int(v)) for v in values if not isinstance(v, str)} & {v for v in values if isinstance(v, str)}
    for one in values:
        for other in values:
            alike = str(int(one)) == str(int(other)) if not both else one == other
            assert (ids.key(one) == ids.key(other)) == alike
    no_ids: tuple[object, ...] = (None, True, 1.5, float("nan"), [1], {})
    assert all(ids.key(value) is None for value in no_ids)


def test_text_and_number_stay_two_ids_where_a_table_has_both(tmp_path: Path) -> None:
    root, file, _ = built("coco-detection", tmp_path)

    def both(content: Content) -> None:
        layouts.image(root / "train" / "text.jpg")
        content["images"].append({"id": "1", "file_name": "text.jpg", "width": 40, "height": 30})
        content["annotations"].append({"id": 99, "image_id": "1", "category_id": 1, "bbox": [1, 1, 5, 5]})

    change(file, both)
    (sample,) = [s for s in load(root).samples if s.image.name == "text.jpg"]
    assert [item.bbox for item in sample.instances] == [(1, 1, 5, 5)]


def rewrite_xml(file: Path, edit: Callable[[ET.Element], object]) -> None:
    for path in file.parent.glob(file.name):
        tree = ET.parse(path)  # noqa: S314 - written by the builder
        edit(tree.getroot())
        tree.write(path)


def corners_by(width: float, height: float, first: int = 0) -> Callable[[ET.Element], None]:
    """Scale the corners of a VOC annotation, which count from `first` afterwards."""

    def scale(tree: ET.Element) -> None:
        for name, factor in (("xmin", width), ("ymin", height), ("xmax", width), ("ymax", height)):
            for corner in tree.iter(name):
                value = float(corner.text or "") - (1 if name.endswith("min") else 0)
                corner.text = str((value + (first if name.endswith("min") else 0)) * factor)

    return scale


def by(across: float, down: float) -> Callable[[Content], None]:
    """Scale an entry of COCO."""

    def scale(entry: Content) -> None:
        x, y, w, h = entry["bbox"]
        entry["bbox"] = [x * across, y * down, w * across, h * down]
        points = entry.get("keypoints", [])
        for at in range(0, len(points), 3):
            points[at : at + 2] = [points[at] * across, points[at + 1] * down]

    return scale


@pytest.mark.parametrize("layout", BOXES)
def test_fractions_are_taken_times_the_size(layout: str, tmp_path: Path) -> None:
    root, file, task = built(layout, tmp_path)
    sound = load(root, task)
    across, down = 1 / layouts.WIDTH, 1 / layouts.HEIGHT
    if layout == "pascal-voc":
        rewrite_xml(file, corners_by(across, down))
    else:
        change(file, lambda content: on_each(content, by(across, down)))
    dataset = load(root, task)
    assert kinds(dataset) == {"fractions"}
    assert boxes_of(dataset) == boxes_of(sound)
    for one, other in zip(dataset.samples, sound.samples, strict=True):
        for item, twin in zip(one.instances, other.instances, strict=True):
            assert np.allclose(item.keypoints, twin.keypoints)


@pytest.mark.parametrize("layout", ["coco-keypoints", "ap-10k"])
@pytest.mark.parametrize("which", ["bbox", "keypoints"])
def test_boxes_and_points_may_each_be_fractions(layout: str, which: str, tmp_path: Path) -> None:
    root, file, task = built(layout, tmp_path)
    sound = load(root, task)

    before = json.loads(file.read_text())
    kept = [{key: list(entry[key]) for key in ("bbox", "keypoints")} for entry in before["annotations"]]
    change(file, lambda content: on_each(content, by(1 / layouts.WIDTH, 1 / layouts.HEIGHT)))
    unscaled = "keypoints" if which == "bbox" else "bbox"

    def back(content: Content) -> None:
        for entry, old in zip(content["annotations"], kept, strict=True):
            entry[unscaled] = old[unscaled]

    change(file, back)
    dataset = load(root, task)
    assert kinds(dataset) == {"fractions"}
    for one, other in zip(dataset.samples, sound.samples, strict=True):
        for item, twin in zip(one.instances, other.instances, strict=True):
            assert np.allclose(item.keypoints, twin.keypoints) and np.allclose(item.bbox, twin.bbox)


def null_where_unlabelled(points: list[Any]) -> list[Any]:
    return [None if points[at // 3 * 3 + 2] == 0 and at % 3 < 2 else value for at, value in enumerate(points)]


@pytest.mark.parametrize("layout", ["coco-keypoints", "ap-10k"])
@pytest.mark.parametrize(
    "written",
    [lambda points: [points[at : at + 3] for at in range(0, len(points), 3)], null_where_unlabelled],
    ids=["triples", "null"],
)
def test_points_as_tools_write_them(layout: str, written: Callable[[list[Any]], list[Any]], tmp_path: Path) -> None:
    root, file, task = built(layout, tmp_path)
    change(file, lambda content: on_each(content, lambda entry: entry["keypoints"].__setitem__(slice(3), [0, 0, 0])))
    sound = load(root, task)
    change(file, lambda content: on_each(content, lambda entry: entry.update(keypoints=written(entry["keypoints"]))))
    dataset = load(root, task)
    assert dataset.samples == sound.samples
    assert not dataset.unreadable


@pytest.mark.parametrize("layout", ["coco-keypoints", "ap-10k"])
def test_points_outside_of_the_image_are_unlabelled_and_told(layout: str, tmp_path: Path) -> None:
    root, file, task = built(layout, tmp_path)
    first = json.loads(file.read_text())["annotations"][0]["id"]

    def edit(entry: Content) -> None:
        if entry["id"] == first:
            entry["keypoints"][:3] = [layouts.WIDTH + 50, 5, 2]

    change(file, lambda content: on_each(content, edit))
    dataset = load(root, task)
    (problem,) = dataset.unreadable
    assert (problem.kind, problem.severity) == ("point-outside", "warning")
    assert "1 labelled point(s) lie outside of the 40x30 image" in problem.what
    moved = [item for sample in dataset.samples for item in sample.instances if item.keypoints[0] == (0.0, 0.0, 0)]
    assert len(moved) == 1
    change(file, lambda content: on_each(content, lambda entry: entry.update(keypoints=[99.0, 99, 2] * 17)))
    assert all("the object is left out" in p.what for p in load(root, task).unreadable if p.kind == "point-outside")


@pytest.mark.parametrize("layout", BOXES)
def test_an_image_of_another_size_than_stated_keeps_its_boxes_in_place(layout: str, tmp_path: Path) -> None:
    root, _, task = built(layout, tmp_path)
    dataset = load(root, task)
    sample = next(s for s in dataset.samples if s.split == "train")
    for size, factor in (((80, 60), 2), ((20, 15), 0.5)):
        layouts.image(sample.image, size)
        fitting = resized(sample, size)
        assert fitting is not None and (fitting.width, fitting.height) == size
        assert [[v * factor for v in item.bbox] for item in sample.instances] == [
            list(item.bbox) for item in fitting.instances
        ]
        found = [problem for problem in check_dataset(dataset) if problem.kind == "size-mismatch"]
        assert len(found) == 1 and found[0].severity == "warning" and "scaled to the file" in found[0].what


@pytest.mark.parametrize("layout", BOXES)
def test_boxes_that_fit_the_file_but_not_what_is_stated_are_those_of_the_file(layout: str, tmp_path: Path) -> None:
    """A camera's picture, annotated upright and stated as it is stored."""
    root, file, task = built(layout, tmp_path)
    sound = boxes_of(load(root, task))

    def restated(tree: ET.Element) -> None:
        for side in ("width", "height"):
            for stated in tree.iterfind(f"size/{side}"):
                stated.text = "9"

    if layout == "pascal-voc":
        rewrite_xml(file, restated)
    else:
        change(file, lambda content: [image.update(width=9, height=8) for image in content["images"]])
    dataset = load(root, task)
    assert boxes_of(dataset) == sound
    assert kinds(dataset) == {"size-mismatch"}
    assert all((s.width, s.height) == (layouts.WIDTH, layouts.HEIGHT) for s in dataset.samples if s.instances)


def test_boxes_that_cannot_be_of_the_file_are_left_out() -> None:
    sample = Sample(Path("a.jpg"), 100, 40, instances=(Instance(0, (80.0, 1.0, 15.0, 30.0)),))
    assert resized(sample, (40, 100)) is None
    assert resized(sample, (96, 200)) is not None


@pytest.mark.parametrize("layout", BOXES)
@pytest.mark.parametrize(
    ("box", "kept", "kind"),
    [
        ([30.0, 20.0, 30.0, 30.0], [30.0, 20.0, 10.0, 10.0], "box-outside"),
        ([-5.0, -5.0, 10.0, 10.0], [0.0, 0.0, 5.0, 5.0], "box-outside"),
        ([39.5, 5.0, 9.0, 9.0], None, "box-outside"),
        ([5.0, 5.0, 0.4, 9.0], None, "box-empty"),
        ([5.0, 5.0, -3.0, 9.0], None, "box-empty"),
    ],
)
def test_a_box_outside_is_clipped_or_left_out_and_told(
    layout: str, box: list[float], kept: list[float] | None, kind: str, tmp_path: Path
) -> None:
    root, file, task = built(layout, tmp_path)
    if layout == "pascal-voc":
        x, y, w, h = box
        written = {"xmin": x + 1 if x >= 0 else x, "ymin": y + 1 if y >= 0 else y, "xmax": x + w, "ymax": y + h}

        def move(tree: ET.Element) -> None:
            for key, value in written.items():
                for corner in tree.iter(key):
                    corner.text = str(value)

        rewrite_xml(file, move)
    else:
        change(file, lambda content: on_each(content, lambda entry: entry.update(bbox=box)))
    dataset = load(root, task)
    found = [problem for problem in dataset.unreadable if problem.kind == kind]
    assert found and {problem.severity for problem in found} == {"error" if kept is None else "warning"}
    assert all(b == kept for b in boxes_of(dataset))


def listed_twice(layout: str, root: Path) -> str:
    """List the first training image twice; the path of the image."""
    if layout == "imagenet-lists":
        with (root / "meta" / "train.txt").open("a") as lines:
            lines.write("n01440764/n01440764_0.JPEG 0\n")
        return "n01440764_0.JPEG"
    file = root / BOXES[layout][1]
    if layout == "pascal-voc":
        with (root / "ImageSets" / "Main" / "train.txt").open("a") as lines:
            lines.write("\n2007_000000\n")
        return "2007_000000.jpg"

    def again(content: Content) -> None:
        first = content["images"][0]
        content["images"].append(first | {"id": 77})
        content["annotations"].append(content["annotations"][0] | {"id": 78, "image_id": 77, "bbox": [5, 5, 9, 9]})

    change(file, again)
    return str(json.loads(file.read_text())["images"][0]["file_name"])


@pytest.mark.parametrize("layout", [*BOXES, "imagenet-lists"])
def test_a_file_listed_twice_is_one_sample_with_all_objects(layout: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path) if layout not in BOXES else built(layout, tmp_path)[0]
    task = BOXES[layout][2] if layout in BOXES else Task.CLASSIFICATION
    before = load(root, task)
    name = listed_twice(layout, root)
    dataset = load(root, task)
    assert len(dataset.samples) == len(before.samples)
    (sample,) = [s for s in dataset.samples if s.image.name == name and s.split == "train"]
    (old,) = [s for s in before.samples if s.image.name == name and s.split == "train"]
    assert set(old.instances) <= set(sample.instances)
    if layout in COCO:
        assert kinds(dataset) == {"duplicate-image"}
        assert len(sample.instances) == len(old.instances) + 1


def test_a_file_listed_under_two_classes_is_left_out(tmp_path: Path) -> None:
    root = layouts.imagenet_lists(tmp_path)
    with (root / "meta" / "train.txt").open("a") as lines:
        lines.write("n01440764/n01440764_0.JPEG 2\n")
    dataset = load(root)
    (problem,) = dataset.unreadable
    assert (problem.kind, problem.severity) == ("duplicate-image", "error")
    assert "n01440764_0.JPEG" not in {sample.image.name for sample in dataset.samples}


def strip_coco(file: str, *, key: bool) -> Callable[[Path], None]:
    def strip(root: Path) -> None:
        change(root / file, lambda content: content.pop("annotations") if key else content.update(annotations=[]))

    return strip


def flat_val(root: Path) -> None:
    for number, path in enumerate((root / "val").rglob("*.jpg")):
        path.rename(root / "val" / f"{number}.jpg")
    for folder in (root / "val").iterdir():
        if folder.is_dir():
            folder.rmdir()


def names_only(root: Path) -> None:
    path = root / "meta" / "val.txt"
    path.write_text("\n".join(line.split()[0] for line in path.read_text().splitlines()))


def without_xml(root: Path) -> None:
    for name in (root / "ImageSets" / "Main" / "val.txt").read_text().split():
        (root / "Annotations" / f"{name}.xml").unlink()


def without_class_masks(root: Path) -> None:
    for name in (root / "ImageSets" / "Segmentation" / "val.txt").read_text().split():
        (root / "SegmentationClass" / f"{name}.png").unlink()


UNLABELLED: list[tuple[str, Callable[[Path], object], Task]] = [
    ("image-folders", flat_val, Task.CLASSIFICATION),
    ("imagenet-lists", names_only, Task.CLASSIFICATION),
    ("coco-detection", strip_coco("annotations/instances_val2017.json", key=False), Task.DETECTION),
    ("coco-detection", strip_coco("annotations/instances_val2017.json", key=True), Task.DETECTION),
    ("coco-keypoints", strip_coco("annotations/person_keypoints_val2017.json", key=True), Task.KEYPOINT),
    ("ap-10k", strip_coco("annotations/ap10k-val-split1.json", key=False), Task.KEYPOINT),
    ("pascal-voc", without_xml, Task.DETECTION),
    ("pascal-voc", without_class_masks, Task.SEGMENTATION),
    ("index-masks", lambda root: shutil.rmtree(root / "ann_dir" / "val"), Task.SEGMENTATION),
    ("cityscapes", lambda root: shutil.rmtree(root / "gtFine" / "val"), Task.SEGMENTATION),
    ("coco-detection", strip_coco("annotations/instances_val2017.json", key=False), Task.SEGMENTATION),
    ("yolo", lambda root: shutil.rmtree(root / "labels" / "val"), Task.DETECTION),
    ("yolo", lambda root: shutil.rmtree(root / "labels" / "val"), Task.SEGMENTATION),
    ("yolo-pose", lambda root: shutil.rmtree(root / "labels" / "val"), Task.KEYPOINT),
]


@pytest.mark.parametrize(("layout", "strip", "task"), UNLABELLED)
def test_a_split_without_labels_is_left_out_with_one_note(
    layout: str, strip: Callable[[Path], object], task: Task, tmp_path: Path
) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root, task)
    strip(root)
    dataset = load(root, task)
    notes = [problem for problem in dataset.unreadable if "split val" in problem.what]
    assert [(note.kind, note.severity) for note in notes] == [("unlabelled-split", "warning")]
    assert not [problem for problem in dataset.unreadable if problem.severity == "error"]
    counted, old = (Counter(s.split for s in d.samples) for d in (dataset, before))
    del old["val"]
    assert counted == old


@pytest.mark.parametrize("layout", ["coco-detection", "coco-keypoints"])
def test_a_category_that_only_names_a_kind_is_no_class(layout: str, tmp_path: Path) -> None:
    root, file, task = built(layout, tmp_path)
    before = load(root, task)

    def add_root(content: Content) -> None:
        for category in content["categories"]:
            category["supercategory"] = "things"
        content["categories"].insert(0, {"id": 0, "name": "things", "supercategory": "none"})

    for path in file.parent.glob("*.json"):
        if "captions" not in path.name:
            change(path, add_root)
    dataset = load(root, task)
    assert dataset.classes == dataset.spec.classes == before.classes
    assert [(p.kind, p.severity) for p in dataset.unreadable] == [("supercategory", "warning")]
    assert boxes_of(dataset) == boxes_of(before)
    assert [i.label for s in dataset.samples for i in s.instances] == [
        i.label for s in before.samples for i in s.instances
    ]


def test_other_json_beside_the_annotations_is_passed_over(tmp_path: Path) -> None:
    root, file, _ = built("coco-detection", tmp_path)
    layouts.write(file.parent / "labels_info.json", {"author": "me"})
    dataset = load(root)
    assert kinds(dataset) == {"not-an-annotation"}
    assert len(dataset.samples) == 8


@pytest.mark.parametrize("values", [[0, 255], [0, 1], [0, 1, 255]])
@pytest.mark.parametrize("names", [["background", "crack"], ["crack"]])
@pytest.mark.parametrize("layout", ["index-masks", "pascal-voc"])
def test_black_and_white_masks_with_names(layout: str, names: list[str], values: list[int], tmp_path: Path) -> None:
    pictures, masks = ("images", "masks") if layout == "index-masks" else ("JPEGImages", "SegmentationClass")
    for number in range(4):
        layouts.image(tmp_path / pictures / f"{number}.jpg")
        layouts.mask(tmp_path / masks / f"{number}.png", values)
    (tmp_path / "classes.txt").write_text("\n".join(names))
    dataset = load(tmp_path)
    assert (dataset.spec.layout, dataset.classes) == (layout, ("background", "crack"))
    expected = {0, 1} if values != [0, 1, 255] else {0, 1, 255}
    assert set(np.unique(class_mask(dataset.samples[0])).tolist()) == expected
    assert not [problem for problem in check_dataset(dataset) if problem.kind in ("empty-class", "bad-mask")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stated=st.tuples(st.integers(4, 60), st.integers(4, 60)),
    real=st.tuples(st.integers(4, 60), st.integers(4, 60)),
    box=st.tuples(*[st.integers(0, 60)] * 4),
)
def test_whatever_the_sizes_boxes_end_inside_the_file(
    stated: tuple[int, int], real: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    sample = Sample(Path("a.jpg"), *stated, instances=(Instance(0, tuple(map(float, box))),))  # type: ignore[arg-type]
    fitting = resized(sample, real)
    if fitting is None or real == stated:
        return
    for item in fitting.instances:
        x, y, w, h = item.bbox
        assert w >= 1 and h >= 1 and x >= 0 and y >= 0
        # A scaled side is off by the rounding of the file's size.
        assert x + w <= real[0] + 1 and y + h <= real[1] + 1


def test_voc_polygons_give_boxes(tmp_path: Path) -> None:
    root, file, task = built("pascal-voc", tmp_path)

    def outlined(tree: ET.Element) -> None:
        for item in tree.iter("object"):
            item.remove(item.find("bndbox"))  # type: ignore[arg-type]
            polygon = ET.SubElement(item, "polygon")
            for number, (x, y) in enumerate(((3, 4), (13, 4), (13, 24)), start=1):
                ET.SubElement(polygon, f"x{number}").text = str(x)
                ET.SubElement(polygon, f"y{number}").text = str(y)

    rewrite_xml(file, outlined)
    dataset = load(root, task)
    assert not dataset.unreadable
    assert all(box == [2, 3, 11, 21] for box in boxes_of(dataset))


def test_an_annotated_photo_with_a_rotation_flag_keeps_its_boxes(tmp_path: Path) -> None:
    root, file, _ = built("coco-detection", tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = root / "train" / "000000.jpg"
    Image.open(path).copy().save(path, exif=exif)
    tall = [1.0, 5.0, 20.0, 33.0]
    change(file, lambda content: content["annotations"][0].update(bbox=tall))
    sample = load(root).samples[0]
    assert (sample.width, sample.height) == (layouts.HEIGHT, layouts.WIDTH)
    assert list(sample.instances[0].bbox) == tall


@pytest.mark.parametrize("layout", BOXES)
def test_preview_draws_the_boxes_that_training_gets(layout: str, tmp_path: Path) -> None:
    """The same set, stated with its sides swapped: boxes that fit both are pixels of the file."""
    root, _, task = built(layout, tmp_path / "set")
    right = contact_sheet(load(root, task), tmp_path / "right.png", split="train", count=4)
    dataset = load(root, task)
    fitting = [s for s in dataset.samples if resized(replace(s, width=s.height, height=s.width), (s.width, s.height))]
    dataset.samples = [replace(s, width=s.height, height=s.width) if s in fitting else s for s in dataset.samples]
    swapped = contact_sheet(dataset, tmp_path / "swapped.png", split="train", count=4)
    assert fitting
    assert right.read_bytes() == swapped.read_bytes()
