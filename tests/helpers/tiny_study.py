"""Tiny trained studies on drawn shapes: the input of deployment, made in seconds."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from autommlab.data.records import Bag, BagSplit, KeypointMeta, Split
from autommlab.models.records import Measured, ModelChoice, ModelEntry, Pretrained
from autommlab.tasks import Task
from autommlab.training.config_file import write_config
from autommlab.training.records import Hyperparameters, StudyResult, TrialRecord
from autommlab.understanding.request import ModelRequest
from tests.helpers.tiny_models import INPUT_SIZES, small_model

CLASSES = {
    Task.CLASSIFICATION: ("circle", "square"),
    Task.DETECTION: ("circle", "square"),
    Task.SEGMENTATION: ("background", "circle", "square"),
    Task.KEYPOINT: ("square",),
}
ENOUGH = {Task.CLASSIFICATION: 30, Task.DETECTION: 80, Task.SEGMENTATION: 40, Task.KEYPOINT: 40}
CORNERS = KeypointMeta(
    names=("top left", "top right", "bottom right", "bottom left"),
    flip_pairs=((0, 1), (2, 3)),
    skeleton=((0, 1), (1, 2), (2, 3), (3, 0)),
    sigmas=(0.1, 0.1, 0.1, 0.1),
)
_COLOURS = {"circle": (220, 40, 40), "square": (40, 60, 220)}
_SIZES: dict[Split, int] = {"train": 24, "val": 8, "test": 12}


@dataclass(frozen=True, slots=True)
class Study:
    """What `deploy` takes."""

    request: ModelRequest
    bag: Bag
    choice: ModelChoice
    result: StudyResult


@dataclass(frozen=True, slots=True)
class Shape:
    """One drawn shape: its class name and box (x, y, width, height)."""

    name: str
    box: tuple[int, int, int, int]

    def corners(self) -> list[tuple[int, int]]:
        x, y, w, h = self.box
        return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def make_study(
    task: Task,
    folder: Path,
    *,
    model: dict[str, Any] | None = None,
    iterations: int | None = None,
    sizes: dict[Split, int] | None = None,
    **wishes: Any,
) -> Study:
    """Draw a bag, train a small model on it and record it as a finished study.

    Args:
        task: of the study.
        folder: where bag, config and weights go.
        model: an OpenMMLab model config with its `codec`, `default_scope`; None = a small one.
        iterations: optimiser steps, 0 = the model stays as it was initialised; None = enough to learn a bit.
        sizes: pictures of each split; None = a few.
        wishes: fields of the request's model and deploy parts ("engine", "gpu", "metrics", ...).
    """
    bag = make_bag(task, folder / "bag", sizes=sizes)
    iterations = ENOUGH[task] if iterations is None else iterations
    config = runner_config(bag, folder, model or small_model(task), max(iterations, 1))
    checkpoint = _train(config, folder, iterations)
    request, choice, result = study_records(task, folder, **wishes)
    assert result.checkpoint == checkpoint
    return Study(request, bag, choice, result)


def study_records(task: Task, folder: Path, **wishes: Any) -> tuple[ModelRequest, ModelChoice, StudyResult]:
    """The records of a finished study, without its files."""
    return _request(task, wishes), _choice(task), _result(task, folder, folder / "best.pth")


def make_bag(task: Task, folder: Path, size: tuple[int, int] = (100, 80), sizes: dict[Split, int] | None = None) -> Bag:
    """A bag of drawn shapes in the canonical annotation forms."""
    folder.mkdir(parents=True)
    splits: dict[Split, BagSplit] = {}
    for split, count in (sizes or _SIZES).items():
        rng = random.Random(split)
        scenes = [_scene(task, rng, size) for _ in range(count)]
        images = [_draw(scene, folder / f"{split}{i:03}.png", rng, size) for i, scene in enumerate(scenes)]
        suffix = "json" if task in (Task.DETECTION, Task.KEYPOINT) else "txt"
        annotations = folder / f"{split}.{suffix}"
        annotations.write_text(_annotations(task, scenes, images, size), encoding="utf-8")
        splits[split] = BagSplit(images=count, annotations=annotations.name, per_class={})
    return Bag(
        task=task,
        folder=folder,
        classes=CLASSES[task],
        sources={name: (f"shapes/{name}",) for name in CLASSES[task]},
        datasets=("shapes",),
        splits=splits,
        keypoints=CORNERS if task is Task.KEYPOINT else None,
        median_size=size,
        seed=0,
        digest="0123456789abcdef",
    )


def _scene(task: Task, rng: random.Random, size: tuple[int, int]) -> list[Shape]:
    names = ["square"] if task is Task.KEYPOINT else list(_COLOURS)
    chosen = names if task in (Task.DETECTION, Task.SEGMENTATION) else [rng.choice(names)]
    half = size[0] // len(chosen)
    shapes = []
    for place, name in enumerate(chosen):
        side = rng.randint(26, 36)
        x = place * half + rng.randint(4, half - side - 4)
        shapes.append(Shape(name, (x, rng.randint(4, size[1] - side - 4), side, side)))
    return shapes


def _draw(scene: list[Shape], path: Path, rng: random.Random, size: tuple[int, int]) -> Path:
    grey = rng.randint(90, 160)
    image = (
        Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
        .convert("RGB")
        .point(lambda value: (value + 3 * grey) // 4)
    )
    mask = Image.new("L", size, 0)
    for shape in scene:
        outline = [shape.corners()[0], shape.corners()[2]]
        for canvas, fill in ((image, _COLOURS[shape.name]), (mask, 1 + list(_COLOURS).index(shape.name))):
            draw = ImageDraw.Draw(canvas)
            (draw.ellipse if shape.name == "circle" else draw.rectangle)(outline, fill=fill)
    image.save(path)
    mask.save(path.with_suffix(".mask.png"))
    return path


def _annotations(task: Task, scenes: list[list[Shape]], images: list[Path], size: tuple[int, int]) -> str:
    match task:
        case Task.CLASSIFICATION:
            lines = [f"{p} {CLASSES[task].index(s[0].name)}" for p, s in zip(images, scenes, strict=True)]
            return "\n".join(lines) + "\n"
        case Task.SEGMENTATION:
            return "".join(f"{path}\t{path.with_suffix('.mask.png')}\n" for path in images)
        case _:
            return json.dumps(_coco(task, scenes, images, size))


def _coco(task: Task, scenes: list[list[Shape]], images: list[Path], size: tuple[int, int]) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for image_id, scene in enumerate(scenes, start=1):
        for shape in scene:
            entry: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": 1 + CLASSES[task].index(shape.name),
                "bbox": list(shape.box),
                "area": shape.box[2] * shape.box[3],
                "iscrowd": 0,
            }
            if task is Task.KEYPOINT:
                entry["keypoints"] = [value for corner in shape.corners() for value in (*corner, 2)]
                entry["num_keypoints"] = 4
            annotations.append(entry)
    categories = [{"id": 1 + i, "name": name} for i, name in enumerate(CLASSES[task])]
    files = [
        {"id": i, "file_name": str(path), "width": size[0], "height": size[1]} for i, path in enumerate(images, start=1)
    ]
    return {"images": files, "annotations": annotations, "categories": categories}


def runner_config(bag: Bag, folder: Path, model: dict[str, Any], iterations: int) -> Any:
    """The dumped config of a whole Runner, as the training stage leaves it."""
    from mmengine.config import Config

    from autommlab.training.data_config import data_config

    model = dict(model)
    scope, codec = model.pop("default_scope"), model.pop("codec", None)
    loaders = data_config(bag, input_size=INPUT_SIZES[bag.task], batch_size=8, seed=0, codec=codec)
    for split in ("train", "val", "test"):
        dataset = loaders[f"{split}_dataloader"]["dataset"]
        if dataset["type"] == "CocoDataset":
            dataset.setdefault("data_prefix", {"img": ""})
    config = Config(
        {
            "default_scope": scope,
            "model": model,
            **loaders,
            "work_dir": str(folder / "work"),
            "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": iterations, "val_interval": 10_000},
            "val_cfg": {},
            "test_cfg": {},
            "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 4e-3, "weight_decay": 1e-4}},
            "randomness": {"seed": 0},
            "log_level": "ERROR",
        }
    )
    write_config(folder / "config.py", config.pretty_text)
    return config


def _train(config: Any, folder: Path, iterations: int) -> Path:
    import torch
    from mmengine.runner import Runner

    from autommlab.training.trial import prepare_toolbox

    for task in Task:
        prepare_toolbox(task)

    runner = Runner.from_cfg(config)
    if iterations:
        runner.train()
    else:
        runner.model.init_weights()
    path = folder / "best.pth"
    torch.save({"state_dict": runner.model.state_dict()}, path)
    return path


def _request(task: Task, wishes: dict[str, Any]) -> ModelRequest:
    model = {k: v for k, v in wishes.items() if k in ("speed", "flops", "parameters", "metrics")}
    deploy = {"gpu": wishes.get("gpu", "none"), "inference engine": wishes.get("engine", "none")}
    return ModelRequest.parse(
        {
            "data": {"description": "coloured shapes", "object": list(CLASSES[task])},
            "model": {"task": task.value, **model},
            "deploy": deploy,
        }
    )


def _choice(task: Task) -> ModelChoice:
    toolbox = {"classification": "mmpretrain", "detection": "mmdet", "segmentation": "mmseg", "keypoint": "mmpose"}
    size = INPUT_SIZES[task]
    return ModelChoice(
        entry=ModelEntry.model_validate(
            {
                "name": "lite0",
                "title": "EfficientNet-Lite0",
                "task": task,
                "family": "EfficientNet-Lite",
                "toolbox": toolbox[task],
            }
        ),
        input_size=size,
        measured=Measured(params_m=4.0, flops_g=0.05, ms_per_image=12.0, input_size=size, device="cpu"),
        pretrained=Pretrained(kind="none", reason="a test"),
        reasons=("a test",),
    )


def _result(task: Task, folder: Path, checkpoint: Path) -> StudyResult:
    from autommlab.tasks import objective

    point = Hyperparameters(
        iterations=40, batch_size=8, optimizer="AdamW", lr=4e-3, weight_decay=1e-4, lr_schedule="PolyLR"
    )
    best = TrialRecord(number=1, trial_id="t", hyperparameters=point, score=0.9, status="ok")
    name = objective(task).name
    return StudyResult(
        task=task,
        objective=name,
        trials=(best,),
        best=best,
        checkpoint=checkpoint,
        config_file=folder / "config.py",
        val_metrics={name: 0.9},
        test_metrics={name: 0.85},
        seconds=1.0,
    )


def with_engine(request: ModelRequest, engine: str) -> ModelRequest:
    plain = request.to_dict()
    return ModelRequest.parse({**plain, "deploy": {**plain["deploy"], "inference engine": engine}})
