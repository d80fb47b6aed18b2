"""Odd pictures in real trainings: they teach as much as their plain twins, or are left out by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from autommlab.cluster import ray_session
from autommlab.data.bag import select_bag
from autommlab.data.records import Bag
from autommlab.models.packaged import PACKAGED_ENTRIES
from autommlab.models.records import Measured, ModelChoice, Pretrained
from autommlab.progress.events import Event, Events
from autommlab.settings import TaskBudget
from autommlab.tasks import Task, objective
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study import run_study
from autommlab.training.study_options import StudyOptions
from autommlab.understanding.request import ModelRequest
from tests.helpers.tiny_trials import small_space

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]

#: Of every upright picture; its object lies in the lower part, outside of the picture as a lying camera stores it.
WIDTH, HEIGHT = 64, 96
SIDE = 24
COUNTS = {"train": 16, "val": 8, "test": 8}
#: EXIF orientation -> what a camera held so has done to the upright picture.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip
CORNERS = ["left_top", "right_top", "right_bottom", "left_bottom"]
Save = Callable[[Image.Image, Path, int], None]


def plainly(image: Image.Image, path: Path, number: int) -> None:
    image.save(path)


def turned(image: Image.Image, path: Path, number: int) -> None:
    orientation = 2 + number % 7
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.transpose(STORED[orientation]).save(path, exif=exif)


def in_16_bits(image: Image.Image, path: Path, number: int) -> None:
    Image.fromarray(np.asarray(image).astype(np.uint16) * 257).save(path)


def scene(number: int) -> tuple[Image.Image, tuple[int, int]]:
    """A picture with a bright square, and the square's corner."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(0, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    x, y = int(rng.integers(2, WIDTH - SIDE - 2)), int(rng.integers(HEIGHT // 2, HEIGHT - SIDE - 2))
    ImageDraw.Draw(image).rectangle((x, y, x + SIDE - 1, y + SIDE - 1), fill=(230, 60, 40))
    return image, (x, y)


def coco_set(root: Path, save: Save, *, with_points: bool = False) -> Path:
    """Squares with boxes, and with their four corners."""
    (root / "annotations").mkdir(parents=True)
    for split, count in COUNTS.items():
        (root / split).mkdir()
        images, objects = [], []
        for number in range(count):
            image, (x, y) = scene(number + 100 * len(split))
            save(image, root / split / f"{number}.png", number)
            images.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
            corners = [(x, y), (x + SIDE, y), (x + SIDE, y + SIDE), (x, y + SIDE)]
            found = {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [x, y, SIDE, SIDE],
                "area": SIDE * SIDE,
            }
            points = {"keypoints": [n for point in corners for n in (*point, 2)], "num_keypoints": 4}
            objects.append(found | {"iscrowd": 0} | (points if with_points else {}))
        category = {"id": 1, "name": "square"} | ({"keypoints": CORNERS} if with_points else {})
        content = {"images": images, "annotations": objects, "categories": [category]}
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return root


def grey_set(root: Path, save: Save) -> Path:
    """Dark and bright grey pictures that overlap a little."""
    for split, count in COUNTS.items():
        for name, level in (("bright", 150), ("dark", 90)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                rng = np.random.default_rng(number + 100 * len(split) + level)
                grey = rng.normal(level, 40, (HEIGHT, WIDTH)).clip(0, 255).astype(np.uint8)
                save(Image.fromarray(grey), root / split / name / f"{number}.png", number)
    return root


def mask_set(root: Path, save: Save = plainly) -> Path:
    """Index masks of squares."""
    (root / "classes.txt").parent.mkdir(parents=True)
    (root / "classes.txt").write_text("background\nsquare\n")
    for split, count in COUNTS.items():
        for part in ("img_dir", "ann_dir"):
            (root / part / split).mkdir(parents=True)
        for number in range(count):
            image, (x, y) = scene(number + 100 * len(split))
            save(image, root / "img_dir" / split / f"{number}.png", number)
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[y : y + SIDE, x : x + SIDE] = 1
            Image.fromarray(mask).save(root / "ann_dir" / split / f"{number}.png")
    return root


def setup_of(task: Task, root: Path, folder: Path) -> TrialSetup:
    """All of the set at its own size, with the packaged model of the task."""
    request = ModelRequest.parse({"data": {}, "model": {"task": task}})
    budget = TaskBudget(input_size=(WIDTH, HEIGHT), images=(99, 99, 99), iterations=(1, 2), batch_size=(1, 2))
    bag = select_bag(request, budget=budget, folder=folder, seed=0, data=str(root))
    entry = next(entry for entry in PACKAGED_ENTRIES if entry.task is task)
    size = (WIDTH, HEIGHT)
    choice = ModelChoice(
        entry=entry, input_size=size, reasons=(), pretrained=Pretrained(kind="package", source=entry.packaged),
        measured=Measured(params_m=1, flops_g=1, ms_per_image=1, input_size=size, device="not measured"),
    )  # fmt: skip
    return TrialSetup(bag=bag, choice=choice, reports=2, seed=0)


def trained(task: Task, root: Path, folder: Path) -> list[dict[str, float]]:
    """VAL figures at both reports of one training."""
    from autommlab.training.trial import Trial

    recipe = Hyperparameters(
        iterations=60, batch_size=4, optimizer="AdamW", lr=2e-3, weight_decay=1e-4, lr_schedule="PolyLR"
    )
    trial = Trial(setup_of(task, root, folder / "bag"), recipe, folder / "work")
    figures = [trial.advance(), trial.advance()]
    assert not trial.skipped
    trial.close()
    return figures


@pytest.mark.parametrize(
    ("task", "build", "save"),
    [
        (Task.CLASSIFICATION, grey_set, in_16_bits),
        (Task.DETECTION, coco_set, turned),
        (Task.KEYPOINT, partial(coco_set, with_points=True), turned),
        (Task.SEGMENTATION, mask_set, turned),
    ],
    ids=["16 bits", "boxes of turned photos", "points of turned photos", "masks of turned photos"],
)
def test_an_odd_set_trains_as_its_plain_twin(
    task: Task, build: Callable[[Path, Save], Path], save: Save, tmp_path: Path
) -> None:
    odd = trained(task, build(tmp_path / "odd", save), tmp_path / "of-odd")
    plain = trained(task, build(tmp_path / "plain", plainly), tmp_path / "of-plain")
    assert plain[-1][objective(task).name] > 0.05, f"nothing was learned: {plain}"
    assert odd == plain


def studied(setup: TrialSetup, folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """What the one trial of a study skipped, and the study's warnings; it has a winner with figures on TEST."""
    told: list[Event] = []
    with ray_session():
        options = StudyOptions(searcher="random", trials=1)
        result = run_study(setup, small_space(), options, folder=folder, events=Events(told.append))
    assert result.best.status == "ok"
    assert result.test_metrics
    return list(result.best.skipped), [event.message for event in told if event.kind == "warning"]


def noted(bag: Bag, file: Path) -> bool:
    return any(str(file) in note for note in bag.notes)


def test_masks_of_other_sizes_and_a_file_that_breaks_later_end_no_study(tmp_path: Path) -> None:
    root = mask_set(tmp_path / "set")
    half, other = (root / "ann_dir" / "train" / f"{number}.png" for number in (2, 5))
    Image.open(half).resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.NEAREST).save(half)
    Image.open(other).resize((HEIGHT, WIDTH), Image.Resampling.NEAREST).save(other)
    setup = setup_of(Task.SEGMENTATION, root, tmp_path / "bag")
    assert setup.bag.splits["train"].images == COUNTS["train"] - 1
    assert noted(setup.bag, half) and noted(setup.bag, other)
    broken = root / "img_dir" / "train" / "7.png"
    broken.write_bytes(broken.read_bytes()[:200])
    skipped, warnings = studied(setup, tmp_path / "study")
    assert [file for file, _ in skipped] == [str(broken)]
    assert any(str(broken) in words for words in warnings)


def test_narrow_pictures_end_no_study(tmp_path: Path) -> None:
    root = coco_set(tmp_path / "set", plainly)
    for split in COUNTS:
        annotations = root / "annotations" / f"{split}.json"
        content = json.loads(annotations.read_text())
        for number, size in enumerate(((6000, 8), (3, 4000))):
            name = f"narrow-{number}.png"
            Image.new("RGB", size, (230, 10 * len(split), 40)).save(root / split / name)  # another one in each split
            content["images"].append({"id": 900 + number, "file_name": name, "width": size[0], "height": size[1]})
            box = [0, 0, min(60, size[0]), min(60, size[1])]
            content["annotations"].append(
                {"id": 900 + number, "image_id": 900 + number, "category_id": 1, "bbox": box, "area": 480, "iscrowd": 0}
            )
        annotations.write_text(json.dumps(content))
    setup = setup_of(Task.DETECTION, root, tmp_path / "bag")
    skipped, _ = studied(setup, tmp_path / "study")
    kept = setup.bag.splits["train"].images
    assert kept == COUNTS["train"] + 2 or all(noted(setup.bag, root / "train" / f"narrow-{n}.png") for n in range(2))
    assert not skipped
