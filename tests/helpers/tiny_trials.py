"""Real but tiny bags and study set-ups, one per task, made from coloured shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from autommlab.data.bag_files import write_bag
from autommlab.data.records import SPLITS, Bag, BagSplit, KeypointMeta
from autommlab.models.packaged import PACKAGED_ENTRIES
from autommlab.models.records import Measured, ModelChoice, Pretrained
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import TrialSetup
from searchers.space import ChoiceParameter, FloatParameter, IntParameter, SearchSpace

SIZE = 64
CLASSES = {
    Task.CLASSIFICATION: ("red", "green"),
    Task.DETECTION: ("red", "green"),
    Task.SEGMENTATION: ("background", "red", "green"),
    Task.KEYPOINT: ("square",),
}
COUNTS = {"train": 16, "val": 8, "test": 8}
POINTS = KeypointMeta(
    names=("left_top", "right_top", "bottom"),
    flip_pairs=((0, 1),),
    skeleton=((0, 1), (1, 2)),
    sigmas=(0.05, 0.05, 0.05),
)


def make_bag(task: Task, folder: Path, seed: int = 0) -> Bag:
    """A bag in the canonical form, its images beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    splits = {split: _make_split(task, folder, split, rng) for split in SPLITS}
    bag = Bag(
        task=task,
        folder=folder,
        classes=CLASSES[task],
        sources={name: (f"shapes/{name}",) for name in CLASSES[task]},
        datasets=("shapes",),
        splits=splits,
        keypoints=POINTS if task is Task.KEYPOINT else None,
        median_size=(SIZE, SIZE),
        seed=seed,
        digest="0" * 64,
    )
    write_bag(bag)
    return bag


def make_setup(task: Task, folder: Path, *, seed: int = 0, reports: int = 2) -> TrialSetup:
    """A study set-up with the packaged model of the task at 64 pixels."""
    entry = next(entry for entry in PACKAGED_ENTRIES if entry.task is task)
    choice = ModelChoice(
        entry=entry,
        input_size=(SIZE, SIZE),
        measured=Measured(params_m=1, flops_g=1, ms_per_image=1, input_size=(SIZE, SIZE), device="not measured"),
        pretrained=Pretrained(kind="package", source=entry.packaged),
        reasons=("the smallest of its task",),
    )
    return TrialSetup(bag=make_bag(task, folder / task.value, seed), choice=choice, reports=reports, seed=seed)


def _make_split(task: Task, folder: Path, split: str, rng: np.random.Generator) -> BagSplit:
    images, lines = folder / "images", []
    coco: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "categories": []}
    images.mkdir(exist_ok=True)
    for index in range(COUNTS[split]):
        colour = index % 2
        image, mask, box = _shape(rng, colour)
        path = images / f"{split}{index}.png"
        image.save(path)
        if task is Task.SEGMENTATION:
            mask_path = images / f"{split}{index}_mask.png"
            mask.save(mask_path)
            lines.append(f"{path}\t{mask_path}")
        else:
            lines.append(f"{path} {colour}")
        coco["images"].append({"id": index + 1, "file_name": str(path), "width": SIZE, "height": SIZE})
        coco["annotations"].append(_annotation(task, index + 1, colour, box))
    in_coco = task in (Task.DETECTION, Task.KEYPOINT)
    name = f"{split}.json" if in_coco else f"{split}.txt"
    if in_coco:
        coco["categories"] = [{"id": i + 1, "name": c, "keypoints": POINTS.names} for i, c in enumerate(CLASSES[task])]
        (folder / name).write_text(json.dumps(coco))
    else:
        (folder / name).write_text("\n".join(lines) + "\n")
    return BagSplit(images=COUNTS[split], annotations=name, per_class=dict.fromkeys(CLASSES[task], COUNTS[split] // 2))


def _shape(rng: np.random.Generator, colour: int) -> tuple[Image.Image, Image.Image, tuple[int, int, int, int]]:
    noise = rng.integers(0, 90, (SIZE, SIZE, 3), dtype=np.uint8)
    image, mask = Image.fromarray(noise), Image.new("L", (SIZE, SIZE), 0)
    x, y, side = (int(v) for v in (*rng.integers(2, 28, 2), rng.integers(18, 32)))
    corners = (x, y, x + side, y + side)
    ImageDraw.Draw(image).rectangle(corners, fill=((220, 30, 30), (30, 220, 30))[colour])
    ImageDraw.Draw(mask).rectangle(corners, fill=colour + 1)
    return image, mask, (x, y, side, side)


def _annotation(task: Task, number: int, colour: int, box: tuple[int, int, int, int]) -> dict:
    x, y, w, h = box
    configs = [x, y, 2, x + w, y, 2, x + w // 2, y + h, 2]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1 if task is Task.KEYPOINT else colour + 1,
        "bbox": list(box),
        "area": w * h,
        "iscrowd": 0,
        "keypoints": configs,
        "num_keypoints": 3,
    }


def small_space(
    iterations: tuple[int, int] = (4, 6), batch_size: tuple[int, int] = (2, 8), lr: tuple[float, float] = (1e-4, 1e-2)
) -> SearchSpace:
    """The six hyperparameters within narrow bounds."""
    return SearchSpace(
        parameters=(
            IntParameter(name="iterations", low=iterations[0], high=iterations[1]),
            IntParameter(name="batch_size", low=batch_size[0], high=batch_size[1], log=True),
            ChoiceParameter(name="optimizer", choices=("SGD", "AdamW")),
            FloatParameter(name="lr", low=lr[0], high=lr[1], log=True),
            FloatParameter(name="weight_decay", low=1e-5, high=1e-3, log=True),
            ChoiceParameter(name="lr_schedule", choices=("PolyLR", "StepLR")),
        )
    )


def point(**changes: object) -> Hyperparameters:
    values = {
        "iterations": 8,
        "batch_size": 4,
        "optimizer": "AdamW",
        "lr": 1e-3,
        "weight_decay": 1e-4,
        "lr_schedule": "CosineAnnealingLR",
    }
    return Hyperparameters.model_validate({**values, **changes})
