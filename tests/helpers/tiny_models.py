"""Light models of all four toolboxes that learn drawn shapes in seconds."""

from __future__ import annotations

from typing import Any

from autommlab.tasks import Task

INPUT_SIZES = {
    Task.CLASSIFICATION: (64, 64),
    Task.DETECTION: (96, 96),
    Task.SEGMENTATION: (64, 64),
    Task.KEYPOINT: (64, 96),
}

_NORMALISE = {"mean": [127.0, 127.0, 127.0], "std": [128.0, 128.0, 128.0]}
_BACKBONE = {"type": "mmpretrain.ResNet", "depth": 18, "stem_channels": 16, "base_channels": 16}


def small_model(task: Task) -> dict[str, Any]:
    """A quarter-width ResNet-18 under a light head of the task's toolbox: learns the shapes in seconds."""
    match task:
        case Task.CLASSIFICATION:
            return {
                "default_scope": "mmpretrain",
                "type": "ImageClassifier",
                "data_preprocessor": {"type": "ClsDataPreprocessor", "num_classes": 2, "to_rgb": True, **_NORMALISE},
                "backbone": {**_BACKBONE, "out_indices": (3,)},
                "neck": {"type": "GlobalAveragePooling"},
                "head": {"type": "LinearClsHead", "num_classes": 2, "in_channels": 128},
            }
        case Task.DETECTION:
            return _small_detector()
        case Task.SEGMENTATION:
            return {
                "default_scope": "mmseg",
                "type": "EncoderDecoder",
                "data_preprocessor": {
                    "type": "SegDataPreProcessor",
                    "bgr_to_rgb": True,
                    "pad_val": 0,
                    "seg_pad_val": 255,
                    "size": (64, 64),
                    **_NORMALISE,
                },
                "backbone": {**_BACKBONE, "out_indices": (1, 2, 3)},
                "decode_head": {
                    "type": "FCNHead",
                    "in_channels": 64,
                    "in_index": 1,
                    "channels": 32,
                    "num_convs": 1,
                    "num_classes": 3,
                    "norm_cfg": {"type": "BN"},
                },
                "test_cfg": {"mode": "whole"},
            }
        case Task.KEYPOINT:
            return small_pose("MSRAHeatmap")


def _small_detector() -> dict[str, Any]:
    return {
        "default_scope": "mmdet",
        "type": "FCOS",
        "data_preprocessor": {
            "type": "DetDataPreprocessor",
            "bgr_to_rgb": True,
            "pad_size_divisor": 32,
            **_NORMALISE,
        },
        "backbone": {**_BACKBONE, "out_indices": (1, 2, 3)},
        "neck": {
            "type": "FPN",
            "in_channels": [32, 64, 128],
            "out_channels": 32,
            "num_outs": 4,
            "add_extra_convs": "on_output",
        },
        "bbox_head": {
            "type": "FCOSHead",
            "num_classes": 2,
            "in_channels": 32,
            "feat_channels": 32,
            "stacked_convs": 1,
            "strides": [8, 16, 32, 64],
            "regress_ranges": [(-1, 32), (32, 64), (64, 128), (128, 1e8)],
            "norm_cfg": {"type": "BN"},
            "centerness_on_reg": True,
            "norm_on_bbox": True,
        },
        "test_cfg": {
            "nms_pre": 1000,
            "score_thr": 0.05,
            "nms": {"type": "nms", "iou_threshold": 0.6},
            "max_per_img": 100,
        },
    }


def two_stage_detector() -> dict[str, Any]:
    """Faster R-CNN: its graph holds two suppression steps and a RoIAlign."""
    one_stage = _small_detector()
    anchors = {"type": "AnchorGenerator", "scales": [4], "ratios": [1.0], "strides": [8, 16, 32, 64]}
    nms = {"type": "nms", "iou_threshold": 0.6}
    assigner = {"type": "MaxIoUAssigner", "pos_iou_thr": 0.5, "neg_iou_thr": 0.5, "min_pos_iou": 0.3}
    sampler = {"type": "RandomSampler", "num": 64, "pos_fraction": 0.5}
    roi = {"type": "RoIAlign", "output_size": 7, "sampling_ratio": 0}
    return {
        **{key: one_stage[key] for key in ("default_scope", "data_preprocessor", "backbone", "neck")},
        "type": "FasterRCNN",
        "rpn_head": {"type": "RPNHead", "in_channels": 32, "feat_channels": 32, "anchor_generator": anchors},
        "roi_head": {
            "type": "StandardRoIHead",
            "bbox_roi_extractor": {
                "type": "SingleRoIExtractor",
                "roi_layer": roi,
                "out_channels": 32,
                "featmap_strides": [8, 16, 32],
            },
            "bbox_head": {
                "type": "Shared2FCBBoxHead",
                "in_channels": 32,
                "fc_out_channels": 64,
                "roi_feat_size": 7,
                "num_classes": 2,
                "bbox_coder": {"type": "DeltaXYWHBBoxCoder"},
                "reg_class_agnostic": False,
            },
        },
        "train_cfg": {
            "rpn": {"assigner": assigner, "sampler": sampler, "allowed_border": -1, "pos_weight": -1},
            "rpn_proposal": {"nms_pre": 100, "max_per_img": 50, "nms": nms, "min_bbox_size": 0},
            "rcnn": {"assigner": assigner, "sampler": sampler, "pos_weight": -1},
        },
        "test_cfg": {
            "rpn": {"nms_pre": 100, "max_per_img": 50, "nms": nms, "min_bbox_size": 0},
            "rcnn": {"score_thr": 0.05, "nms": nms, "max_per_img": 20},
        },
    }


def small_pose(codec: str, **options: Any) -> dict[str, Any]:
    """A top-down pose model with a head for that codec."""
    settings: dict[str, dict[str, Any]] = {
        "MSRAHeatmap": {"heatmap_size": (16, 24), "sigma": 1.5},
        "UDPHeatmap": {"heatmap_size": (16, 24), "sigma": 1.5},
        "SimCCLabel": {"sigma": 6.0, "simcc_split_ratio": 2.0},
        "RegressionLabel": {},
    }
    encoder = {"type": codec, "input_size": INPUT_SIZES[Task.KEYPOINT], **settings[codec], **options}
    return {
        "default_scope": "mmpose",
        "codec": encoder,
        "type": "TopdownPoseEstimator",
        "data_preprocessor": {"type": "PoseDataPreprocessor", "bgr_to_rgb": True, **_NORMALISE},
        "backbone": {**_BACKBONE, "out_indices": (3,)},
        **_pose_head(encoder),
        "test_cfg": {"flip_test": False},
    }


def _pose_head(codec: dict[str, Any]) -> dict[str, Any]:
    shared = {"in_channels": 128, "decoder": codec}
    match codec["type"]:
        case "SimCCLabel":
            head = {
                "type": "SimCCHead",
                "out_channels": 4,
                "input_size": codec["input_size"],
                "in_featuremap_size": (2, 3),
                "simcc_split_ratio": codec["simcc_split_ratio"],
                "deconv_out_channels": None,
            }
        case "RegressionLabel":
            head = {
                "type": "RegressionHead",
                "num_joints": 4,
                "loss": {"type": "SmoothL1Loss", "use_target_weight": True},
            }
            return {"neck": {"type": "GlobalAveragePooling"}, "head": {**head, **shared}}
        case _:
            channels = 12 if codec.get("heatmap_type") == "combined" else 4
            head = {
                "type": "HeatmapHead",
                "out_channels": channels,
                "deconv_out_channels": (32, 32, 32),
                "deconv_kernel_sizes": (4, 4, 4),
            }
    return {"head": {**head, **shared}}
