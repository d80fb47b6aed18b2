"""Tiny synthetic batches that the models of each toolbox train and predict on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData

from autommlab.models.config import ModelConfig
from autommlab.tasks import Task

if TYPE_CHECKING:
    from mmengine.model import BaseModel

IMAGES = 2


def losses_of(
    model: BaseModel, config: ModelConfig, task: Task, *, classes: int, points: int, size: tuple[int, int]
) -> dict[str, torch.Tensor]:
    """One training step's losses, summed over levels, after a backward pass.

    Args:
        size: (width, height) in pixels.
    """
    model.train()
    with DefaultScope.overwrite_default_scope(config.default_scope):
        data = model.data_preprocessor(_batch(config, task, classes, points, size), training=True)
        total, parsed = model.parse_losses(model(**data, mode="loss"))
    total.backward()
    return {name: value.detach() for name, value in parsed.items()}


def predictions_of(
    model: BaseModel, config: ModelConfig, task: Task, *, classes: int, points: int, size: tuple[int, int]
) -> list[Any]:
    """The model's answers for the same kind of batch."""
    model.eval()
    with torch.inference_mode(), DefaultScope.overwrite_default_scope(config.default_scope):
        data = model.data_preprocessor(_batch(config, task, classes, points, size), training=False)
        return list(model(**data, mode="predict"))


def _batch(config: ModelConfig, task: Task, classes: int, points: int, size: tuple[int, int]) -> dict[str, list[Any]]:
    width, height = size
    rng = np.random.default_rng(0)
    images = [torch.from_numpy(rng.integers(0, 255, (3, height, width), dtype=np.uint8)) for _ in range(IMAGES)]
    make = {
        Task.CLASSIFICATION: lambda i: _classified(i % classes),
        Task.DETECTION: lambda i: _boxed(i, classes, size),
        Task.SEGMENTATION: lambda i: _masked(rng, classes, size),
        Task.KEYPOINT: lambda i: _posed(rng, config, points, size),
    }[task]
    return {"inputs": images, "data_samples": [make(i) for i in range(IMAGES)]}


def _classified(label: int) -> Any:
    from mmpretrain.structures import DataSample

    return DataSample().set_gt_label(label)


def _boxed(index: int, classes: int, size: tuple[int, int]) -> Any:
    from mmdet.structures import DetDataSample

    width, height = size
    sample = DetDataSample()
    boxes = [[0.1, 0.1, 0.5, 0.6], [0.3, 0.4, 0.9, 0.9]]
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes) * torch.tensor([width, height, width, height]),
        labels=torch.tensor([index % classes, classes - 1]),
    )
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    shape = (height, width)
    sample.set_metainfo(
        {
            "img_id": index,
            "img_path": "",
            "img_shape": shape,
            "ori_shape": shape,
            "pad_shape": shape,
            "batch_input_shape": shape,
            "scale_factor": (1.0, 1.0),
            "flip": False,
        }
    )
    return sample


def _masked(rng: np.random.Generator, classes: int, size: tuple[int, int]) -> Any:
    from mmseg.structures import SegDataSample

    width, height = size
    mask = torch.from_numpy(rng.integers(0, classes, (1, height, width)))
    shape = (height, width)
    meta = {"img_shape": shape, "ori_shape": shape, "pad_shape": shape, "img_path": "", "flip": False}
    return SegDataSample(gt_sem_seg=PixelData(data=mask), metainfo=meta)


def _posed(rng: np.random.Generator, config: ModelConfig, points: int, size: tuple[int, int]) -> Any:
    from mmpose.datasets.transforms import GenerateTarget, PackPoseInputs

    width, height = size
    corners = np.array([[0, 0, width, height]], dtype=np.float32)
    results = {
        "keypoints": (rng.random((1, points, 2)) * [width - 1, height - 1]).astype(np.float32),
        "keypoints_visible": np.ones((1, points), dtype=np.float32),
        "dataset_keypoint_weights": np.ones(points, dtype=np.float32),
        "img": np.zeros((height, width, 3), dtype=np.uint8),
        "img_shape": (height, width),
        "ori_shape": (height, width),
        "input_size": size,
        "input_center": np.array([width / 2, height / 2], dtype=np.float32),
        "input_scale": np.array([width, height], dtype=np.float32),
        "bbox": corners,
        "bbox_score": np.ones(1, dtype=np.float32),
        "flip": False,
        "flip_indices": list(range(points)),
        "img_path": "",
        "id": 0,
        "img_id": 0,
    }
    results["transformed_keypoints"] = results["keypoints"]
    return PackPoseInputs()(GenerateTarget(encoder=dict(config.codec or {}))(results))["data_samples"]
