"""The data half of an OpenMMLab config: data sets, transforms, loaders and evaluators of a bag.

Images are decoded by the bundle's own decoder and resized with Pillow everywhere, so that a bundle, which has
only Pillow, sees the same pixels as training did.

How an image becomes a network input, per task (the bundle repeats exactly this):
classification and segmentation: resized to the input size, aspect ratio not kept;
detection: resized with the aspect ratio kept, padded with `PAD_VALUE` on the right and below;
keypoint: the box, widened by `BOX_PADDING` and brought to the input's aspect ratio, cut out by an
affine map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autommlab.data.records import Bag, Split
from autommlab.tasks import TOP_FIVE_CLASSES, Task

#: Grey that fills the rest of a detection input, every channel.
PAD_VALUE = 114
#: Factor by which a keypoint box is widened before it is cut out.
BOX_PADDING = 1.25
#: A predicted point counts as correct within this share of the box's longer side (PCK).
PCK_THRESHOLD = 0.2
#: Images of a split that may turn out broken in training, as a share of it; one may in any case.
BROKEN_SHARE = 0.05
#: Validation images at once.
EVALUATION_BATCH = 16

Config = dict[str, Any]


def data_config(
    bag: Bag, *, input_size: tuple[int, int], batch_size: int, seed: int, codec: Config | None = None
) -> Config:
    """Loaders and evaluators of the three splits.

    Args:
        bag: the data.
        input_size: (width, height) of the network input in pixels.
        batch_size: training images a step.
        seed: of the order of training images.
        codec: mmpose's target encoder, for keypoints only.

    Returns:
        `{train,val,test}_dataloader`, `val_evaluator` and `test_evaluator` for a `Runner`.
    """
    config: Config = {"train_dataloader": _train_loader(bag, input_size, batch_size, seed, codec)}
    for split in ("val", "test"):
        config[f"{split}_dataloader"] = _evaluation_loader(bag, split, input_size, codec)
        config[f"{split}_evaluator"] = evaluators(bag, split)
    return config


def dataset_config(bag: Bag, split: Split, pipeline: list[Config], *, training: bool) -> Config:
    """One split as a toolbox data set; a few broken images do not end a trial (`transforms.SkipBroken`)."""
    allowed = max(1, int(BROKEN_SHARE * bag.splits[split].images))
    guarded = {"type": "SkipBroken", "transforms": pipeline, "allowed": allowed, "split": split, "training": training}
    shared: Config = {
        "ann_file": str(bag.annotation_file(split)),
        "pipeline": [guarded],
        "serialize_data": False,  # only pays with several loading processes, and costs a garbage collection
    }
    coco: Config = {"type": "CocoDataset", "data_prefix": {"img": ""}, "test_mode": not training, **shared}
    match bag.task:
        case Task.CLASSIFICATION:
            return {"type": "CustomDataset", "metainfo": {"classes": list(bag.classes)}, **shared}
        case Task.DETECTION:
            # Without mmdet's filter of images that show no object: the data set has as many of them as it should.
            return {"metainfo": {"classes": tuple(bag.classes)}, **coco, "type": "BagDetectionDataset"}
        case Task.SEGMENTATION:
            meta = {"classes": list(bag.classes), "palette": mask_palette(len(bag.classes))}
            return {"type": "BagSegmentationDataset", "metainfo": meta, **shared}
        case Task.KEYPOINT:
            return {"metainfo": keypoint_metainfo(bag), "data_mode": "topdown", **coco}


def evaluators(bag: Bag, split: Split) -> list[Config]:
    """The toolbox's metrics that give the figures of `autommlab.tasks.TASK_METRICS`."""
    annotations = str(bag.annotation_file(split))
    match bag.task:
        case Task.CLASSIFICATION:
            top = (1, 5) if len(bag.classes) >= TOP_FIVE_CLASSES else (1,)
            return [{"type": "Accuracy", "topk": top}, {"type": "SingleLabelMetric"}]
        case Task.DETECTION:
            figures = ["mAP", "mAP_50", "mAP_75", "AR@100"]
            return [{"type": "CocoMetric", "ann_file": annotations, "metric_items": figures}]
        case Task.SEGMENTATION:
            return [{"type": "IoUMetric", "iou_metrics": ["mIoU", "mDice"]}]
        case Task.KEYPOINT:
            return [
                {"type": "CocoMetric", "ann_file": annotations, "score_mode": "keypoint"},
                {"type": "PCKAccuracy", "thr": PCK_THRESHOLD},
                {"type": "AUC"},
                {"type": "NME", "norm_mode": "use_norm_item", "norm_item": "bbox_size"},
            ]


def test_on(config: Any, annotations: Path) -> None:
    """Let a stored config test on these annotations: the paths in it are those of where the run once was.

    Args:
        config: of mmengine, as a trial left it; changed in place, its evaluators become a list.
        annotations: of the test images.
    """
    config.test_dataloader.dataset.ann_file = str(annotations)
    evaluators = config.test_evaluator
    config.test_evaluator = [
        {**e, "ann_file": str(annotations)} if "ann_file" in e else dict(e)
        for e in ([evaluators] if isinstance(evaluators, dict) else evaluators)
    ]


def mask_palette(classes: int) -> list[list[int]]:
    """A colour per class, (R, G, B) in 0..255, fixed."""
    return [[(37 * i) % 256, (91 * i + 60) % 256, (151 * i + 120) % 256] for i in range(classes)]


def keypoint_metainfo(bag: Bag) -> Config:
    """The bag's keypoint layout in mmpose's `dataset_info` form."""
    points = bag.keypoints
    if points is None:
        raise ValueError(f"the keypoint bag {bag.digest} has no keypoint layout")
    swap = {a: b for pair in points.flip_pairs for a, b in (pair, pair[::-1])}
    info = {
        index: {
            "name": name,
            "id": index,
            "color": [0, 128, 255],
            "type": "",
            "swap": points.names[swap[index]] if index in swap else "",
        }
        for index, name in enumerate(points.names)
    }
    bones = {
        index: {"link": (points.names[a], points.names[b]), "id": index, "color": [0, 255, 0]}
        for index, (a, b) in enumerate(points.skeleton)
    }
    return {
        "dataset_name": f"bag_{bag.digest[:12]}",
        "classes": list(bag.classes),
        "keypoint_info": info,
        "skeleton_info": bones,
        "joint_weights": [1.0] * len(points.names),
        "sigmas": list(points.sigmas) or [0.05] * len(points.names),
    }


def _train_loader(bag: Bag, input_size: tuple[int, int], batch_size: int, seed: int, codec: Config | None) -> Config:
    dataset = dataset_config(bag, "train", train_transforms(bag, input_size, codec), training=True)
    return {
        "batch_size": batch_size,
        "num_workers": 0,
        "persistent_workers": False,
        "drop_last": True,
        "sampler": {"type": "InfiniteSampler", "shuffle": True, "seed": seed},
        "collate_fn": _collate(bag.task),
        "dataset": dataset,
    }


def _evaluation_loader(bag: Bag, split: Split, input_size: tuple[int, int], codec: Config | None) -> Config:
    dataset = dataset_config(bag, split, evaluation_transforms(bag, input_size, codec), training=False)
    return {
        "batch_size": EVALUATION_BATCH,
        "num_workers": 0,
        "persistent_workers": False,
        "sampler": {"type": "DefaultSampler", "shuffle": False},
        "collate_fn": _collate(bag.task),
        "dataset": dataset,
    }


def _collate(task: Task) -> Config:
    return {"type": "default_collate" if task is Task.CLASSIFICATION else "pseudo_collate"}


def _mirrors_well(bag: Bag) -> bool:
    """Whether a mirrored image keeps its label: digits and letters do not."""
    return not all(len(name) <= 2 for name in bag.classes)


def _load_image(bag: Bag) -> Config:
    return {"type": "LoadPicture", **bag.depth.model_dump()}


def _resize(input_size: tuple[int, int], *, keep_ratio: bool) -> Config:
    return {
        "type": "FitInside" if keep_ratio else "Resize",
        "scale": input_size,
        "keep_ratio": keep_ratio,
        "backend": "pillow",
        "interpolation": "bilinear",
    }


def train_transforms(bag: Bag, input_size: tuple[int, int], codec: Config | None) -> list[Config]:
    """Transforms of training images; light augmentation, since short trainings gain little from more."""
    match bag.task:
        case Task.CLASSIFICATION:
            crop = {
                "type": "RandomResizedCrop",
                "scale": (input_size[1], input_size[0]),
                "crop_ratio_range": (0.6, 1.0),
                "backend": "pillow",
            }
            flip = [{"type": "RandomFlip", "prob": 0.5, "direction": "horizontal"}] if _mirrors_well(bag) else []
            return [_load_image(bag), crop, *flip, {"type": "PackInputs"}]
        case Task.DETECTION:
            return [
                _load_image(bag),
                {"type": "LoadAnnotations", "with_bbox": True},
                _resize(input_size, keep_ratio=True),
                {"type": "RandomFlip", "prob": 0.5},
                _pad(input_size),
                {"type": "PackDetInputs"},
            ]
        case Task.SEGMENTATION:
            return [
                _load_image(bag),
                {"type": "LoadAnnotations", "imdecode_backend": "pillow"},
                _resize(input_size, keep_ratio=False),
                {"type": "RandomFlip", "prob": 0.5},
                {"type": "PackSegInputs"},
            ]
        case Task.KEYPOINT:
            return [
                _load_image(bag),
                {"type": "GetBBoxCenterScale", "padding": BOX_PADDING},
                {"type": "RandomFlip", "direction": "horizontal"},
                {
                    "type": "RandomBBoxTransform",
                    "shift_factor": 0.08,
                    "rotate_factor": 30,
                    "scale_factor": (0.8, 1.2),
                },
                _affine(input_size, codec),
                {"type": "GenerateTarget", "encoder": codec},
                {"type": "PackPoseInputs"},
            ]


def evaluation_transforms(bag: Bag, input_size: tuple[int, int], codec: Config | None) -> list[Config]:
    """Transforms of validation and test images: no chance in them."""
    match bag.task:
        case Task.CLASSIFICATION:
            return [_load_image(bag), _resize(input_size, keep_ratio=False), {"type": "PackInputs"}]
        case Task.DETECTION:
            return [
                _load_image(bag),
                _resize(input_size, keep_ratio=True),
                _pad(input_size),
                {"type": "LoadAnnotations", "with_bbox": True},
                {
                    "type": "PackDetInputs",
                    "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
                },
            ]
        case Task.SEGMENTATION:
            return [
                _load_image(bag),
                _resize(input_size, keep_ratio=False),
                {"type": "LoadAnnotations", "imdecode_backend": "pillow"},
                {"type": "PackSegInputs"},
            ]
        case Task.KEYPOINT:
            return [
                _load_image(bag),
                {"type": "GetBBoxCenterScale", "padding": BOX_PADDING},
                _affine(input_size, codec),
                {"type": "PackPoseInputs"},
            ]


def _pad(input_size: tuple[int, int]) -> Config:
    return {"type": "Pad", "size": input_size, "pad_val": {"img": (PAD_VALUE,) * 3}}


def _affine(input_size: tuple[int, int], codec: Config | None) -> Config:
    unbiased = codec is not None and codec["type"] == "UDPHeatmap"
    return {"type": "TopdownAffine", "input_size": input_size, "use_udp": unbiased}
