"""Check, bag, preview, training and bundle see the same upright picture, whatever its format, mode and orientation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autommlab.bundle_runtime import pictures
from autommlab.bundle_runtime.images import load_image, prepare
from autommlab.data import registry
from autommlab.data.bag import select_bag
from autommlab.data.check import check_dataset
from autommlab.data.preview import contact_sheet
from autommlab.data.records import Bag
from autommlab.settings import TaskBudget
from autommlab.tasks import Task
from autommlab.training import data_config
from autommlab.understanding.request import ModelRequest

INPUT = (40, 24)
WIDTH, HEIGHT = 48, 32
#: The object of every upright picture: (x, y, width, height).
BOX = (30.0, 6.0, 12.0, 20.0)
POINTS = ((31.0, 7.0, 2), (40.0, 9.0, 2), (35.0, 24.0, 1))


def veiled(image: Image.Image) -> Image.Image:
    image.putalpha(220)
    return image


#: Suffix and what is saved; each takes upright RGB pixels.
KINDS: dict[str, tuple[str, Callable[[np.ndarray], Image.Image], dict[str, Any]]] = {
    "jpeg": (".jpg", Image.fromarray, {}),
    "cmyk": (".jpeg", lambda pixels: Image.fromarray(pixels).convert("CMYK"), {}),
    "png": (".png", Image.fromarray, {}),
    "alpha": (".png", lambda pixels: veiled(Image.fromarray(pixels)), {}),
    "grey-alpha": (".png", lambda pixels: veiled(Image.fromarray(pixels).convert("L")), {}),
    "palette": (".png", lambda pixels: Image.fromarray(pixels).quantize(64), {}),
    "1-bit": (".png", lambda pixels: Image.fromarray(pixels).convert("1"), {}),
    "16-bit": (".png", lambda pixels: Image.fromarray(pixels[..., 0].astype(np.uint16) * 10), {}),
    "float": (".tif", lambda pixels: Image.fromarray(pixels[..., 0].astype(np.float32) / 255), {}),
    "tiff": (".tiff", Image.fromarray, {"compression": "tiff_lzw"}),
    "webp": (".webp", Image.fromarray, {"lossless": True}),
    "avif": (".avif", Image.fromarray, {}),
}
_INVERSE = {6: 8, 8: 6}


def upright_pixels(number: int) -> np.ndarray:
    """(height, width, 3) of noise with a bright object in its box."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(0, 150, (8, 12, 3), dtype=np.uint8)).resize((WIDTH, HEIGHT))
    x, y, w, h = map(int, BOX)
    image.paste((255, 240, 90), (x, y, x + w, y + h))
    return np.array(image)


def save(folder: Path, number: int, kind: str, orientation: int) -> Path:
    """A picture that is `upright_pixels(number)` once it is turned as its EXIF says."""
    suffix, convert, options = KINDS[kind]
    stored = pictures.turned(upright_pixels(number), _INVERSE.get(orientation, orientation))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:03}{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    convert(np.ascontiguousarray(stored)).save(path, exif=exif, **options)
    return path


Save = Callable[[Path, int], Path]


def as_labels(root: Path, split: str, numbers: list[int], write: Save) -> None:
    for number in numbers:
        write(root / split / ("cat", "dog")[number % 2], number)


def as_masks(root: Path, split: str, numbers: list[int], write: Save) -> None:
    (root / "ann_dir" / split).mkdir(parents=True)
    (root / "classes.txt").write_text("background\ncat\n")
    x, y, w, h = map(int, BOX)
    for number in numbers:
        path = write(root / "img_dir" / split, number)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[y : y + h, x : x + w] = 1
        Image.fromarray(mask).save(root / "ann_dir" / split / f"{path.stem}.png")


def as_coco(root: Path, split: str, numbers: list[int], write: Save, *, with_points: bool) -> None:
    images, objects = [], []
    for number in numbers:
        path = write(root / split, number)
        images.append({"id": number, "file_name": path.name, "width": WIDTH, "height": HEIGHT})
        found = {"id": number, "image_id": number, "category_id": 1, "bbox": BOX, "area": BOX[2] * BOX[3], "iscrowd": 0}
        points = {"keypoints": [n for point in POINTS for n in point], "num_keypoints": 3} if with_points else {}
        objects.append(found | points)
    category = {"id": 1, "name": "cat"} | ({"keypoints": ["nose", "tail", "paw"]} if with_points else {})
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": objects, "categories": [category]}
    (root / "annotations" / f"{split}.json").write_text(json.dumps(content))


LAYOUTS: dict[Task, Callable[..., None]] = {
    Task.CLASSIFICATION: as_labels,
    Task.DETECTION: lambda *given: as_coco(*given, with_points=False),
    Task.SEGMENTATION: as_masks,
    Task.KEYPOINT: lambda *given: as_coco(*given, with_points=True),
}
#: Every kind in every orientation; the last few are val and test.
PICTURES = [(kind, orientation) for kind in KINDS for orientation in range(1, 9)]
SPLITS = {
    "train": list(range(len(PICTURES))),
    "val": list(range(len(PICTURES), len(PICTURES) + 4)),
    "test": list(range(len(PICTURES) + 4, len(PICTURES) + 8)),
}


def build(task: Task, root: Path, write: Save) -> Path:
    for split, numbers in SPLITS.items():
        LAYOUTS[task](root, split, numbers, write)
    return root


def turned(folder: Path, number: int) -> Path:
    return save(folder, number, *PICTURES[number % len(PICTURES)])


def bag_of(task: Task, root: Path, folder: Path) -> Bag:
    objects = ["cat", "dog"] if task is Task.CLASSIFICATION else ["cat"]
    request = ModelRequest.parse({"data": {"object": objects}, "model": {"task": task}})
    budget = TaskBudget(input_size=INPUT, images=(999, 99, 99), iterations=(1, 2), batch_size=(1, 2))
    return select_bag(request, budget=budget, folder=folder, seed=0, data=str(root))


def training_set(bag: Bag) -> Any:
    """The train split as its toolbox reads it, without chance."""
    from autommlab.training.trial import prepare_toolbox

    prepare_toolbox(bag.task)
    from mmengine.registry import DATASETS, DefaultScope

    codec = {"type": "MSRAHeatmap", "input_size": INPUT, "heatmap_size": (10, 6), "sigma": 2}
    pipeline = data_config.evaluation_transforms(bag, INPUT, codec)
    config = data_config.dataset_config(bag, "train", pipeline, training=True)
    scopes = dict(zip(Task, ("mmpretrain", "mmdet", "mmseg", "mmpose"), strict=True))
    with DefaultScope.overwrite_default_scope(scopes[bag.task]):
        return DATASETS.build(config)


def truth(sample: Any) -> np.ndarray:
    """What a sample's annotation says, as numbers."""
    if "gt_label" in sample:
        return sample.gt_label.numpy()
    if "gt_sem_seg" in sample:
        return sample.gt_sem_seg.data.numpy()
    instances = sample.gt_instances
    boxes = instances.bboxes
    return np.concatenate(
        [np.asarray(getattr(boxes, "tensor", boxes)).ravel(), np.asarray(instances.get("keypoints", [])).ravel()]
    )


def bundle_input(task: Task, path: Path, bag: Bag) -> np.ndarray:
    """The tensor (3, height, width) that a bundle makes of a file, not normalised, BGR as training has it."""
    resize = {Task.DETECTION: "fit", Task.KEYPOINT: "crop"}.get(task, "stretch")
    rule = {
        "depth": bag.depth.model_dump(), "size": INPUT, "tensor": [1, 3, INPUT[1], INPUT[0]], "tensor_pad": 0.0,
        "resize": resize, "channels": "bgr", "mean": [0.0] * 3, "std": [1.0] * 3, "pad_value": data_config.PAD_VALUE,
        "box_padding": data_config.BOX_PADDING, "unbiased": False,
    }  # fmt: skip
    return prepare(load_image(path, rule), rule, BOX if task is Task.KEYPOINT else None).tensor[0]


@pytest.mark.parametrize("task", Task)
def test_every_picture_is_read_as_its_upright_8_bit_twin(task: Task, tmp_path: Path) -> None:
    root = build(task, tmp_path / "turned", turned)
    loaded = registry.load_dataset(registry.find_dataset(str(root)))
    assert check_dataset(loaded) == []
    assert {(sample.width, sample.height) for sample in loaded.samples} == {(WIDTH, HEIGHT)}
    bag = bag_of(task, root, tmp_path / "bag")
    assert (bag.depth.bits, bag.depth.white, bag.median_size) == (12, 1.0, (WIDTH, HEIGHT))

    def twin(folder: Path, number: int) -> Path:
        picture = pictures.read(turned(tmp_path / "scratch", number), **bag.depth.model_dump())
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{number:03}.png")
        return folder / f"{number:03}.png"

    upright = bag_of(task, build(task, tmp_path / "upright", twin), tmp_path / "bag-upright")
    samples, twins = training_set(bag), training_set(upright)
    assert len(samples) == len(twins) == len(PICTURES) == bag.splits["train"].images
    for number in range(len(PICTURES)):
        sample, other = samples[number], twins[number]
        path = Path(sample["data_samples"].img_path)
        assert path.stem == Path(other["data_samples"].img_path).stem
        assert np.array_equal(sample["inputs"], other["inputs"]), path
        assert np.array_equal(truth(sample["data_samples"]), truth(other["data_samples"])), path
        assert np.array_equal(sample["inputs"], bundle_input(task, path, bag)), path


@pytest.mark.parametrize("kind", KINDS)
def test_the_object_is_where_the_annotation_says(kind: str, tmp_path: Path) -> None:
    x, y, w, h = map(int, BOX)
    for orientation in range(1, 9):
        picture = pictures.read(save(tmp_path, orientation, kind, orientation), bits=12)
        grey = np.asarray(picture.convert("L"), float)
        inside = grey[y + 2 : y + h - 2, x + 2 : x + w - 2].mean()
        assert inside > grey[:, : x - 2].mean() + 60, orientation


def test_the_preview_shows_the_upright_picture(tmp_path: Path) -> None:
    sheets = []
    for orientation in (1, 6):
        root = tmp_path / str(orientation)
        LAYOUTS[Task.DETECTION](root, "train", [0, 1], lambda folder, n, o=orientation: save(folder, n, "png", o))
        sheet = contact_sheet(registry.load_dataset(registry.find_dataset(str(root))), tmp_path / f"{orientation}.png")
        sheets.append(np.asarray(Image.open(sheet))[44:320])  # below the title, which names the folder
        shutil.rmtree(root)
    assert np.array_equal(sheets[0], sheets[1])


def mask_set(root: Path, odd: Callable[[np.ndarray], np.ndarray], orientation: int = 1, count: int = 8) -> Path:
    """A segmentation set whose first train mask is `odd`."""
    for split, numbers in {"train": range(count), "val": [50], "test": [60]}.items():
        as_masks(root, split, list(numbers), lambda folder, n: save(folder, n, "png", orientation))
    path = root / "ann_dir" / "train" / "000.png"
    Image.fromarray(odd(np.asarray(Image.open(path)))).save(path)
    return root


@pytest.mark.parametrize(
    ("odd", "orientation", "severity", "shift"),
    [
        (lambda mask: mask[::2, ::2], 1, "warning", 1),
        (lambda mask: np.repeat(np.repeat(mask, 3, 0), 3, 1), 1, "warning", 0),
        (lambda mask: mask[:31:2, :47:2], 6, "warning", 1),
        (lambda mask: pictures.turned(mask, 8), 6, "warning", 0),
        (lambda mask: pictures.turned(mask, 5), 5, "warning", 0),
        (lambda mask: mask[:, :32], 1, "error", None),
        (lambda mask: mask.T, 1, "error", None),
    ],
    ids=["half", "triple", "half-turned", "stored-6", "stored-5", "cut", "another-shape"],
)
def test_a_mask_of_another_size_is_brought_to_its_picture_or_left_out(
    odd: Callable[[np.ndarray], np.ndarray], orientation: int, severity: str, shift: int | None, tmp_path: Path
) -> None:
    root = mask_set(tmp_path / "set", odd, orientation)
    (problem,) = check_dataset(registry.load_dataset(registry.find_dataset(str(root))))
    assert (problem.kind, problem.where, problem.severity) == ("bad-mask", "ann_dir/train/000.png", severity)
    bag = bag_of(Task.SEGMENTATION, root, tmp_path / "bag")
    pairs = [line.split("\t") for line in bag.annotation_file("train").read_text().splitlines()]
    (note,) = [note for note in bag.notes if "000.png" in note]
    if shift is None:
        assert len(pairs) == 7
        assert note.startswith("1 unusable files left out")
        return
    assert len(pairs) == 8
    assert note.startswith("1 masks have another size than their image")
    x, y, w, h = map(int, BOX)
    found = np.argwhere(np.asarray(Image.open(bag.folder / pairs[0][1])) == 1)
    assert np.abs([*found.min(0), *(found.max(0) + 1)] - np.array([y, x, y + h, x + w])).max() <= shift


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "I", "P", "LA"])
def test_masks_that_hold_one_number_a_pixel_in_any_mode_are_read(mode: str, tmp_path: Path) -> None:
    root = mask_set(tmp_path / "set", lambda mask: mask)
    path = root / "ann_dir" / "train" / "000.png"
    mask = Image.open(path)
    converted = Image.fromarray(np.asarray(mask).astype(np.uint16)) if mode.startswith("I") else mask.convert(mode)
    if mode == "P":
        converted = mask.copy()
        converted.putpalette([9, 9, 9] * 256)
    converted.save(path)
    assert check_dataset(registry.load_dataset(registry.find_dataset(str(root)))) == []
    assert bag_of(Task.SEGMENTATION, root, tmp_path / "bag").splits["train"].per_class["cat"] == 8


@pytest.mark.parametrize("suffix", [".jpg", ".gif"])
def test_black_and_white_masks_of_any_format_are_read(suffix: str, tmp_path: Path) -> None:
    root = mask_set(tmp_path / "set", lambda mask: mask)
    (root / "meta.json").unlink(missing_ok=True)
    (root / "classes.txt").write_text("background\ncat\n")
    for path in list((root / "ann_dir").rglob("*.png")):
        Image.fromarray((np.asarray(Image.open(path)) == 1).astype(np.uint8) * 255).save(path.with_suffix(suffix))
        path.unlink()
    assert check_dataset(registry.load_dataset(registry.find_dataset(str(root)))) == []
    assert bag_of(Task.SEGMENTATION, root, tmp_path / "bag").splits["train"].per_class["cat"] == 8


def test_class_indexes_in_a_jpeg_are_told(tmp_path: Path) -> None:
    root = mask_set(tmp_path / "set", lambda mask: mask)
    path = root / "ann_dir" / "train" / "000.png"
    Image.open(path).convert("L").save(path.with_suffix(".jpg"))
    path.unlink()
    (problem,) = check_dataset(registry.load_dataset(registry.find_dataset(str(root))))
    assert (problem.kind, problem.where) == ("bad-mask", "ann_dir/train/000.jpg")
    assert "a JPEG changes the values of class indexes" in problem.what


def test_values_above_the_map_of_a_mask_are_no_class() -> None:
    from autommlab.data.readers.masks import mapped

    values = np.array([[0, 255, 256, 300, 5000]], np.uint16)
    assert mapped(values, ((0, 0), (255, 1))).tolist() == [[0, 1, 255, 255, 255]]
    assert mapped(values, ((300, 1),)).tolist() == [[255, 255, 255, 1, 255]]
    assert mapped(values, ()).tolist() == [[0, 255, 255, 255, 255]]
