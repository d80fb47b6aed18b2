"""Formats of annotation tools: the same objects come out of every way to write them, and a broken one says why."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autommlab.bundle_runtime import pictures
from autommlab.common.errors import DataError
from autommlab.data import readers
from autommlab.data.check import check_dataset
from autommlab.data.drawn_masks import DrawnMask, Region, packed_points
from autommlab.data.readers.brush import brush_mask
from autommlab.data.readers.masks import class_mask, fitted
from autommlab.data.recognise import recognise
from autommlab.data.records import LoadedDataset
from autommlab.tasks import Task
from tests.helpers import layouts


def load(root: Path, task: Task | None = None, layout: str | None = None) -> LoadedDataset:
    spec = recognise(root, None, task, layout)
    return readers.get(spec.layout).read(spec)


def boxes(dataset: LoadedDataset) -> set[tuple[str, tuple[float, ...]]]:
    """Class and box of every object, to a tenth of a pixel."""
    return {
        (dataset.classes[item.label], tuple(round(number, 1) for number in item.bbox))
        for sample in dataset.samples
        for item in sample.instances
    }


TWO_OBJECTS = {("cat", layouts.YOLO_BOXES[0]), ("no", layouts.YOLO_BOXES[1])}
#: Ways to keep the same boxes, the splits that each knows, and the layout that it is read as.
BOX_SETS: dict[str, tuple[Callable[[Path], Path], set[str], str]] = {
    "ultralytics": (lambda root: layouts.yolo(root, outline=False), {"train", "val", "test"}, "yolo"),
    "ultralytics outlines": (layouts.yolo, {"train", "val", "test"}, "yolo"),
    "roboflow": (layouts.yolo_roboflow, {"train", "val", "test"}, "yolo"),
    "darknet": (layouts.yolo_darknet, {"train", "val"}, "yolo"),
    "classes.txt": (layouts.yolo_classes_txt, {""}, "yolo"),
    "labels beside": (layouts.yolo_beside, {""}, "yolo"),
    "cvat ultralytics": (layouts.yolo_cvat, {"train", "val"}, "yolo"),
    "cvat coco": (layouts.coco_cvat, {""}, "coco-detection"),
    "cvat voc": (layouts.voc_cvat, {""}, "pascal-voc"),
    "label studio coco": (layouts.coco_label_studio, {""}, "coco-detection"),
    "labelme": (layouts.labelme, {"train", "val", "test"}, "labelme"),
    "cvat": (layouts.cvat, {"train", "val", "test"}, "cvat"),
    "label studio": (layouts.label_studio, {""}, "label-studio"),
    "hugging face": (layouts.hf_imagefolder, {"train", "val", "test"}, "hf-imagefolder"),
}


@pytest.mark.parametrize("kind", BOX_SETS)
def test_the_same_boxes_from_every_tool(kind: str, tmp_path: Path) -> None:
    build, splits, layout = BOX_SETS[kind]
    dataset = load(build(tmp_path / "set"), Task.DETECTION)
    assert (dataset.spec.layout, dataset.unreadable) == (layout, [])
    assert dataset.classes == ("cat", "no")
    assert {sample.split for sample in dataset.samples} == splits
    assert all(len(sample.instances) == 2 for sample in dataset.samples)
    assert boxes(dataset) == TWO_OBJECTS


def filled(values: dict[int, tuple[float, float, float, float]]) -> np.ndarray:
    mask = np.zeros((layouts.HEIGHT, layouts.WIDTH), np.uint8)
    for value, (x, y, w, h) in values.items():
        mask[int(y) : int(y + h), int(x) : int(x + w)] = value
    return mask


Box = tuple[float, float, float, float]
#: How COCO writes the outline of a box: one polygon, two that make it up, run lengths, compressed run lengths.
COCO_OUTLINES: dict[str, Callable[[Box], Any]] = {
    "polygon": lambda box: [polygon(box)],
    "two polygons": lambda box: [polygon((*box[:3], 4)), polygon((box[0], box[1] + 4, box[2], box[3] - 4))],
    "run lengths": lambda box: {"size": [layouts.HEIGHT, layouts.WIDTH], "counts": runs(filled({1: box}))},
    "compressed": lambda box: compressed(filled({1: box})),
}


def polygon(box: Box) -> list[float]:
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def runs(mask: np.ndarray) -> list[int]:
    ends = np.flatnonzero(np.diff(np.concatenate([[0], mask.T.ravel()]))).tolist()
    return np.diff([0, *ends, mask.size]).tolist()


def compressed(mask: np.ndarray) -> dict[str, Any]:
    packed = pytest.importorskip("pycocotools.mask").encode(np.asfortranarray(mask))
    return {"size": packed["size"], "counts": packed["counts"].decode()}


def coco_outlines(root: Path, write: Callable[[Box], Any], objects: dict[str, Box] | None = None) -> Path:
    """A COCO set of two pictures a split with the same objects."""
    named = objects or {name: layouts.YOLO_BOXES[label] for label, name in enumerate(("cat", "no"))}
    for split in ("train", "val", "test"):
        content = layouts.coco(root / split, 2, [])
        content["categories"] = [{"id": at, "name": name} for at, name in enumerate(named, 1)]
        for picture in content["images"]:
            for at, box in enumerate(named.values(), 1):
                entry = {"id": len(content["annotations"]), "image_id": picture["id"], "category_id": at, "bbox": box}
                content["annotations"].append(entry | {"segmentation": write(box)})
        layouts.write(root / "annotations" / f"{split}.json", content)
    return root


def brushed(root: Path) -> Path:
    """Turn the rectangles of a Label Studio export into brush masks: a run for each row, the first value by value."""
    x, y, w, h = map(int, layouts.YOLO_BOXES[0])
    bits = f"{4 * layouts.WIDTH * layouts.HEIGHT:032b}{7:05b}" + f"{4:04b}{9:04b}{11:04b}{15:04b}"
    for row in range(layouts.HEIGHT):
        inside = y <= row < y + h
        parts = ((x, 0), (w, 255), (layouts.WIDTH - x - w, 0)) if inside else ((layouts.WIDTH, 0),)
        for length, value in parts:
            bits += f"100{0:05b}{value:08b}" + f"001{4 * length - 2:010b}" + f"{value:08b}" * (4 * length - 1)
    stream = list(int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8)))
    (path,) = root.glob("*.json")
    content = json.loads(path.read_text())
    for task in content:
        result = task["annotations"][0]["result"][0]
        brush = {"format": "rle", "rle": stream, "brushlabels": ["cat"]}
        result |= {"type": "brushlabels", "value": brush}
    path.write_text(json.dumps(content))
    return root


#: Ways to keep the same outlines.
MASK_SETS: dict[str, Callable[[Path], Path]] = {
    "ultralytics": layouts.yolo,
    "labelme": layouts.labelme,
    "cvat": layouts.cvat,
    "label studio": layouts.label_studio,
    "label studio brush": lambda root: brushed(layouts.label_studio(root)),
    **{
        f"coco {kind}": lambda root, write=write: coco_outlines(root, write)  # type: ignore[misc]
        for kind, write in COCO_OUTLINES.items()
    },
}


@pytest.mark.parametrize("kind", MASK_SETS)
def test_the_same_masks_from_every_tool(kind: str, tmp_path: Path) -> None:
    dataset = load(MASK_SETS[kind](tmp_path / "set"), Task.SEGMENTATION)
    assert dataset.unreadable == []
    assert dataset.classes == ("background", "cat", "no")
    expected = filled({1: layouts.YOLO_BOXES[0], 2: layouts.YOLO_BOXES[1]})
    assert all((class_mask(sample) == expected).all() for sample in dataset.samples)


YAML = "path: .\ntrain: images/train\nval: images/val\ntest: images/test\n"


@pytest.mark.parametrize("path", ["", ".", "..", "../datasets/set", "/home/other/datasets/set", "C:\\data\\set", "~"])
@pytest.mark.parametrize("below", ["", "{}/"])
def test_yolo_paths_of_another_machine(path: str, below: str, tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    prefix = below.format(path or ".")
    lines = [f"{split}: '{prefix}images/{split}'" for split in ("train", "val", "test")]
    (root / "data.yaml").write_text("\n".join([f"path: '{path}'", *lines, "names: [cat, no]"]))
    dataset = load(root)
    assert dataset.unreadable == []
    assert boxes(dataset) == TWO_OBJECTS


def test_yolo_lists_and_several_folders_of_a_split(tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    layouts.write_lines(root / "val.txt", ["./images/val/0.jpg", "/elsewhere/set/images/val/1.jpg"])
    (root / "data.yaml").write_text("train: [images/train, images/test]\nval: val.txt\nnames: [cat, no]\n")
    dataset = load(root)
    assert dataset.unreadable == []
    assert [sample.split for sample in dataset.samples].count("train") == 6
    assert [sample.split for sample in dataset.samples].count("val") == 2


def test_yolo_pose_has_points_pairs_and_boxes(tmp_path: Path) -> None:
    root = layouts.yolo_pose(tmp_path / "set")
    dataset = load(root)
    assert dataset.keypoints is not None
    assert dataset.keypoints.flip_pairs == ((0, 1), (2, 3))
    (item,) = dataset.samples[0].instances
    assert [(round(x), round(y), v) for x, y, v in item.keypoints] == [(4, 5, 2), (10, 5, 1), (4, 20, 2), (10, 20, 2)]
    assert boxes(load(root, Task.DETECTION, "yolo")) == {("mouse", layouts.YOLO_BOXES[0])}


def test_yolo_pose_of_two_numbers_a_point_and_coco_names(tmp_path: Path) -> None:
    root = layouts.yolo_pose(tmp_path / "set")
    for path in (root / "labels").rglob("*.txt"):
        path.write_text("0 0.5 0.5 0.5 0.5 " + " ".join(["0.4 0.5", *["0 0"] * 16]))
    flip = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    (root / "data.yaml").write_text(f"{YAML}kpt_shape: [17, 2]\nflip_idx: {flip}\nnames: {{0: person}}\n")
    dataset = load(root)
    assert dataset.keypoints is not None and dataset.keypoints.names == tuple(layouts.COCO_POINTS)
    assert [v for *_, v in dataset.samples[0].instances[0].keypoints] == [2, *[0] * 16]


#: What a line of a YOLO label says -> kind of the problem and a part of it.
YOLO_LINES = {
    "2 0.5 0.5 0.2 0.2": ("unknown-class", "class index 2 does not exist; the set names 2 classes"),
    "cat 0.5 0.5 0.2 0.2": ("bad-annotation", "begins with a class index"),
    "0 0.5 0.5 0.2": ("bad-annotation", "has 4 numbers, expected 5"),
    "0 0.5 0.5 0.2 0.2 0.9": ("bad-annotation", "has 6 numbers, expected 5"),
    "0 20 15 10 10": ("bad-annotation", "coordinates over 1"),
    "0 0.5 0.5 nan 0.2": ("bad-annotation", "begins with a class index"),
    "0 0.5 0.5 0 0.2": ("box-empty", "no area"),
}


@pytest.mark.parametrize("line", YOLO_LINES)
def test_a_broken_yolo_line_is_told_and_left_out(line: str, tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    with (root / "labels" / "train" / "0.txt").open("a") as label:
        label.write(line + "\n")
    dataset = load(root)
    (problem,) = dataset.unreadable
    kind, what = YOLO_LINES[line]
    assert problem.kind == kind and what in problem.what and "labels/train/0.txt" in problem.where
    assert boxes(dataset) == TWO_OBJECTS


#: What data.yaml says after its paths -> a part of the error.
YOLO_CONFIGS = {
    "names: [cat, {": "not valid YAML",
    "names: 3\n": "names lists no class",
    "names: {99999999: cat}\n": "has an index over 9999",
    "names: &a [cat]\n<<: *b\n": "not valid YAML",
    "names:" + "[" * 5000 + "\n": "not valid YAML",
}


@pytest.mark.parametrize("text", YOLO_CONFIGS, ids=lambda text: text[:20])
def test_broken_yolo_settings_say_what_is_wrong(text: str, tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    (root / "data.yaml").write_text(YAML + text)
    with pytest.raises(DataError, match=YOLO_CONFIGS[text]):
        load(root, Task.DETECTION, "yolo")


def test_yolo_settings_make_no_objects_and_keep_words(tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    (root / "data.yaml").write_text(f"{YAML}names: [!!python/object/apply:os.getcwd [], off]\n")
    assert load(root).classes == ("class0", "off")
    (root / "data.yaml").write_text(f"{YAML}names: [yes, off]\n")
    assert load(root).classes == ("yes", "off")


def test_a_split_that_yolo_settings_name_and_lack_is_told(tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    (root / "data.yaml").write_text("train: images/train\nval: ../../../etc\ntest: images/gone\nnames: [cat, no]\n")
    dataset = load(root)
    assert [(p.kind, p.severity) for p in dataset.unreadable] == [("missing-split", "warning")] * 2
    assert {sample.split for sample in dataset.samples} == {"train"}


def test_a_box_without_outline_is_unlabelled_in_a_mask(tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set")
    (root / "labels" / "train" / "0.txt").write_text(
        f"{layouts.yolo_line(0, layouts.YOLO_BOXES[0])}\n{layouts.yolo_line(1, layouts.YOLO_BOXES[1], outline=True)}\n"
    )
    dataset = load(root, Task.SEGMENTATION)
    assert [(p.kind, p.severity) for p in dataset.unreadable] == [("no-outline", "warning")]
    expected = filled({255: layouts.YOLO_BOXES[0], 2: layouts.YOLO_BOXES[1]})
    assert (class_mask(dataset.samples[0]) == expected).all()


def test_a_set_of_boxes_alone_is_no_segmentation(tmp_path: Path) -> None:
    root = layouts.yolo(tmp_path / "set", outline=False)
    with pytest.raises(DataError, match=r"cannot be read for segmentation: no object has an outline"):
        load(root, Task.SEGMENTATION)


def test_small_objects_lie_over_large_ones(tmp_path: Path) -> None:
    inner, outer = (10.0, 10.0, 4.0, 4.0), (5.0, 5.0, 20.0, 20.0)
    root = coco_outlines(tmp_path / "set", COCO_OUTLINES["polygon"], {"inner": inner, "outer": outer})
    assert (class_mask(load(root, Task.SEGMENTATION).samples[0]) == filled({2: outer, 1: inner})).all()


def test_coco_is_boxes_unless_masks_are_asked_for(tmp_path: Path) -> None:
    root = coco_outlines(tmp_path / "set", COCO_OUTLINES["polygon"])
    assert load(root).spec.task is Task.DETECTION
    assert check_dataset(load(root, Task.SEGMENTATION)) == []


@pytest.mark.parametrize("kind", COCO_OUTLINES)
@pytest.mark.parametrize(("size", "factor"), [((80, 60), 2), ((20, 15), 0.5)])
def test_masks_of_a_file_of_another_size_are_scaled(
    kind: str, size: tuple[int, int], factor: float, tmp_path: Path
) -> None:
    root = coco_outlines(tmp_path / "set", COCO_OUTLINES[kind])
    path = layouts.image(root / "train" / "000000.jpg", size)
    dataset = load(root, Task.SEGMENTATION)
    kinds = {problem.kind for problem in check_dataset(dataset)}
    assert kinds <= {"size-mismatch", "bad-mask"} and kinds
    (sample,) = [sample for sample in dataset.samples if sample.image == path]
    mask = fitted(class_mask(sample), pictures.look(BytesIO(path.read_bytes())))
    for value, box in enumerate(layouts.YOLO_BOXES, 1):
        rows, columns = np.nonzero(mask == value)
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        x, y, w, h = (number * factor for number in box)
        assert np.abs(np.array(found) - (x, y, x + w, y + h)).max() <= 1


def test_masks_of_a_turned_photo_mean_the_upright_picture(tmp_path: Path) -> None:
    tall = {"cat": (3.0, 8.0, 20.0, 30.0)}
    root = coco_outlines(tmp_path / "set", COCO_OUTLINES["polygon"], tall)
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in root.rglob("*.jpg"):
        Image.open(path).copy().save(path, exif=exif)
    sample = load(root, Task.SEGMENTATION).samples[0]
    assert (sample.width, sample.height) == (layouts.HEIGHT, layouts.WIDTH)
    rows, columns = np.nonzero(class_mask(sample))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (3, 8, 23, 38)


@pytest.mark.parametrize(
    "outline",
    [{"size": [30, 40], "counts": [5, 5]}, {"size": [1 << 20, 1 << 20], "counts": [1 << 40]}, {"counts": "x"}],
)
def test_a_mask_that_does_not_add_up_is_told(outline: dict[str, Any], tmp_path: Path) -> None:
    root = coco_outlines(tmp_path / "set", lambda box: outline if box[0] == 2 else [polygon(box)])
    dataset = load(root, Task.SEGMENTATION)
    assert {problem.kind for problem in dataset.unreadable} == {"bad-mask", "no-outline"}
    assert (class_mask(dataset.samples[0]) == filled({255: layouts.YOLO_BOXES[0], 2: layouts.YOLO_BOXES[1]})).all()


def test_outlines_without_end_are_refused() -> None:
    corners = [(0.0, float(number % 2 * 4000)) for number in range(20_000)]
    mask = DrawnMask(Path("a.jpg"), Path("a.json"), (4000, 4000), (Region(1, (packed_points(corners),)),))
    with pytest.raises(DataError, match="too many points"):
        mask.drawn()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=3, max_size=9))
def test_a_pixel_belongs_to_a_polygon_that_holds_its_centre(corners: list[tuple[float, float]]) -> None:
    near = [(x % 13 - 2, y % 11 - 2) for x, y in corners]
    mask = DrawnMask(Path("a.jpg"), Path("a.json"), (9, 7), (Region(1, (packed_points(near),)),)).drawn()
    points = np.array(near, np.float32).astype(float)
    for row, column in np.ndindex(7, 9):
        turns = 0
        for (x, y), (x_next, y_next) in zip(points, np.roll(points, -1, 0), strict=True):
            if (y <= row + 0.5) != (y_next <= row + 0.5):
                at = x + (row + 0.5 - y) * (x_next - x) / (y_next - y)
                if abs(at - column - 0.5) < 1e-6:
                    break
                turns += at < column + 0.5
        else:
            assert mask[row, column] == turns % 2
    DrawnMask(Path("a.jpg"), Path("a.json"), (9, 7), (Region(1, (packed_points(corners),)),)).drawn()


def shape(**values: Any) -> Callable[[str], str]:
    """Change the first shape of a LabelMe file; None takes a key out."""

    def edit(text: str) -> str:
        content = json.loads(text)
        first = content["shapes"][0] | values
        content["shapes"][0] = {key: value for key, value in first.items() if value is not None}
        return json.dumps(content)

    return edit


def whole(**values: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | values)


def swapped(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


STUDIO = "project-1-at-2026-11-30.json"
#: Layout, file, what happens to it, kind of the problem, a part of what is told.
BROKEN: list[tuple[str, str, Callable[[str], str], str, str]] = [
    ("labelme", "train/0.json", swapped("{", "["), "bad-annotation", "not valid JSON"),
    ("labelme", "train/0.json", shape(label=None), "bad-annotation", "has no label"),
    ("labelme", "train/0.json", shape(points=[[1, "x"], [2, 3]]), "bad-annotation", "not pairs of numbers"),
    ("labelme", "train/0.json", shape(points=[[1, 2]]), "bad-annotation", "a rectangle of 1 point"),
    ("labelme", "train/0.json", shape(shape_type="linestrip"), "bad-annotation", "of kind 'linestrip' are not read"),
    ("labelme", "train/0.json", whole(shapes={}), "not-an-annotation", "no LabelMe annotation"),
    ("labelme", "train/0.json", shape(points=[[90, 90], [99, 99]]), "box-outside", "wholly outside"),
    ("cvat", "annotations.xml", swapped('xtl="2.0"', 'xtl="x"'), "bad-annotation", "coordinates are no numbers"),
    ("cvat", "annotations.xml", swapped('label="cat"', ""), "bad-annotation", "has no label"),
    ("cvat", "annotations.xml", swapped("<box", "<cuboid"), "bad-annotation", "of kind 'cuboid' are not read"),
    ("cvat", "annotations.xml", swapped('name="Train0.jpg"', 'name="../../../x.jpg"'), "path-outside", "leaves"),
    ("cvat", "annotations.xml", swapped('name="Train0.jpg"', 'name="gone.jpg"'), "missing-image", "does not exist"),
    ("cvat", "annotations.xml", swapped('name="Train0.jpg"', ""), "bad-annotation", "has no name"),
    ("label-studio", STUDIO, swapped('"rectanglelabels": ["cat"]', '"x1": 0'), "bad-annotation", "without a label"),
    ("label-studio", STUDIO, swapped('"x": 5.0', '"x": "left"'), "bad-annotation", "with broken values"),
    ("label-studio", STUDIO, swapped('"image_rotation": 0', '"image_rotation": 90'), "bad-annotation", "was turned"),
    (
        "label-studio",
        STUDIO,
        swapped('"type": "rectanglelabels"', '"type": "video"'),
        "bad-annotation",
        "'video' are not",
    ),
    (
        "label-studio",
        STUDIO,
        swapped('"was_cancelled": false', '"was_cancelled": 1'),
        "unlabelled-image",
        "no finished",
    ),
    ("hf-imagefolder", "train/metadata.jsonl", swapped("{", "["), "bad-annotation", "no row with a file_name"),
    ("hf-imagefolder", "train/metadata.jsonl", swapped("[2.0,", "[null,"), "bad-annotation", "not four numbers"),
    ("hf-imagefolder", "train/metadata.jsonl", swapped(', "no"]', "]"), "bad-annotation", "has no category"),
    ("hf-imagefolder", "train/metadata.jsonl", swapped("pictures/0", "../../x"), "path-outside", "leaves"),
    ("label-studio", STUDIO, swapped("1a2b3c4d-0.jpg", "gone.jpg"), "missing-image", "does not exist"),
]


@pytest.mark.parametrize(("layout", "file", "edit", "kind", "what"), BROKEN)
def test_what_is_broken_is_told_and_the_rest_is_read(
    layout: str, file: str, edit: Callable[[str], str], kind: str, what: str, tmp_path: Path
) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = len(load(root, Task.DETECTION, layout).samples)
    (root / file).write_text(edit((root / file).read_text()))
    dataset = load(root, Task.DETECTION, layout)
    problem = next(problem for problem in dataset.unreadable if problem.kind == kind)
    assert what in problem.what and problem.remedy
    assert len(dataset.samples) >= before - 1
    assert boxes(dataset) >= TWO_OBJECTS


def test_a_picture_inside_of_labelme_json_is_not_read(tmp_path: Path) -> None:
    root = layouts.labelme(tmp_path / "set")
    path = root / "train" / "0.json"
    path.write_text(whole(imageData="aGFsbG8=")(path.read_text()))
    assert load(root, Task.DETECTION).unreadable == []
    (root / "train" / "0.jpg").unlink()
    (problem,) = load(root, Task.DETECTION).unreadable
    assert problem.kind == "missing-image" and "imageData) is not read" in problem.what


@pytest.mark.parametrize("layout", ["labelme", "cvat", "label-studio"])
def test_points_of_a_group_are_a_pose_of_its_object(layout: str, tmp_path: Path) -> None:
    dataset = load(layouts.BUILDERS[layout](tmp_path / "set"), Task.KEYPOINT)
    assert dataset.keypoints is not None and dataset.keypoints.names == ("nose", "tail")
    assert dataset.classes == ("body" if layout == "cvat" else "cat",)
    (item,) = dataset.samples[0].instances
    assert [(round(x), round(y), v) for x, y, v in item.keypoints] == [(5, 6, 2), (9, 20, 2)]


@pytest.mark.parametrize("layout", ["cvat", "label-studio", "hf-imagefolder"])
def test_tags_are_the_classes_of_pictures(layout: str, tmp_path: Path) -> None:
    dataset = load(layouts.BUILDERS[layout](tmp_path / "set"), Task.CLASSIFICATION)
    assert dataset.classes == ("indoors", "outdoors")
    assert [sample.label for sample in dataset.samples] == [0, 1] * 4


def test_cvat_masks_ellipses_and_turned_boxes(tmp_path: Path) -> None:
    root = layouts.cvat(tmp_path / "set")
    path = root / "annotations.xml"
    text = path.read_text()
    x, y, w, h = map(int, layouts.YOLO_BOXES[0])
    start, end = text.index("<box"), text.index("/>", text.index("<box")) + 2
    mask = f'<mask label="cat" rle="0, {w * h}" left="{x}" top="{y}" width="{w}" height="{h}" />'
    path.write_text(text[:start] + mask + text[end:])
    dataset = load(root, Task.SEGMENTATION)
    assert dataset.unreadable == []
    expected = filled({1: layouts.YOLO_BOXES[0], 2: layouts.YOLO_BOXES[1]})
    assert (class_mask(dataset.samples[0]) == expected).all()
    path.write_text(text[:start] + '<ellipse label="cat" cx="7" cy="13" rx="5" ry="10" />' + text[end:])
    assert ("cat", (2.0, 3.0, 10.0, 20.0)) in boxes(load(root, Task.DETECTION))
    path.write_text(text.replace('label="cat"', 'rotation="90" label="cat"', 1))
    assert ("cat", (-0.0, 8.0, 17.0, 10.0)) in boxes(load(root, Task.DETECTION))


def test_a_video_of_cvat_says_what_to_export(tmp_path: Path) -> None:
    root = layouts.cvat(tmp_path / "set")
    path = root / "annotations.xml"
    path.write_text(path.read_text().replace("</annotations>", '<track id="0" label="cat"></track></annotations>'))
    with pytest.raises(DataError, match=r"holds tracks of a video. Export the task as 'CVAT for images 1.1'"):
        load(root, Task.DETECTION)


@pytest.mark.parametrize("stream", [[], [0] * 20, [256] * 20, ["x"] * 20, [0, 0, 18, 192, 57, 4, 155, 255]])
def test_a_broken_brush_mask_is_told(stream: list[Any], tmp_path: Path) -> None:
    root = brushed(layouts.label_studio(tmp_path / "set"))
    content = json.loads((root / STUDIO).read_text())
    content[0]["annotations"][0]["result"][0]["value"]["rle"] = stream
    (root / STUDIO).write_text(json.dumps(content))
    (problem,) = load(root, Task.SEGMENTATION).unreadable
    assert "brushlabels without a label or with broken values" in problem.what


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60))
def test_any_stream_of_a_brush_ends_in_a_mask_or_nothing(content: bytes) -> None:
    mask = brush_mask(list((4 * 8 * 6).to_bytes(4) + content), (8, 6))
    assert mask is None or (mask.shape == (6, 8) and mask.max() <= 1)


def test_a_turned_rectangle_of_label_studio_turns_about_its_corner(tmp_path: Path) -> None:
    root = layouts.label_studio(tmp_path / "set")
    path = root / STUDIO
    path.write_text(path.read_text().replace('"rotation": 0', '"rotation": 90').replace('"x": 5.0', '"x": 60'))
    # The corner (24, 3) stays; the 10 pixels of width point down, the 20 of height to the left.
    assert ("cat", (4.0, 3.0, 20.0, 10.0)) in boxes(load(root, Task.DETECTION))


def test_voc_masks_in_the_colours_of_a_palette(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set")
    before = [class_mask(sample) for sample in load(root, Task.SEGMENTATION).samples]
    for path in (root / "SegmentationClass").iterdir():
        coloured = Image.open(path).convert("L").copy()
        coloured.putpalette([value for at in range(256) for value in (at * 37 % 256, at * 91 % 256, at * 53 % 256)])
        assert coloured.mode == "P"
        coloured.save(path)
    after = [class_mask(sample) for sample in load(root, Task.SEGMENTATION).samples]
    assert all((one == other).all() for one, other in zip(before, after, strict=True))


def test_voc_masks_in_colours_of_pixels_say_what_to_do(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set")
    for path in (root / "SegmentationClass").iterdir():
        Image.merge("RGB", [Image.open(path), *[Image.new("L", (layouts.WIDTH, layouts.HEIGHT), 9)] * 2]).save(path)
    problem = next(p for p in check_dataset(load(root, Task.SEGMENTATION)) if p.kind == "bad-mask")
    assert "Convert the colours to class indexes" in problem.what


def test_points_without_a_group_belong_to_the_only_object(tmp_path: Path) -> None:
    root = layouts.labelme(tmp_path / "set")
    for path in root.rglob("*.json"):
        content = json.loads(path.read_text())
        content["shapes"] = [s | {"group_id": None} for s in content["shapes"] if s["label"] != "no"]
        path.write_text(json.dumps(content))
    dataset = load(root, Task.KEYPOINT)
    assert dataset.classes == ("cat",) and dataset.unreadable == []
    assert dataset.samples[0].instances[0].bbox == layouts.YOLO_BOXES[0]
