"""Index entries become configs that build, learn and predict with other classes and sizes."""

import json
from typing import TYPE_CHECKING

import pytest
import torch

from autommlab.common.errors import ModelError
from autommlab.data.records import KeypointMeta
from autommlab.models.config import ModelConfig, build_model, model_config
from autommlab.models.config_tree import dicts
from autommlab.models.records import ModelEntry, Pretrained
from autommlab.tasks import Task
from tests.helpers.model_batches import losses_of, predictions_of

if TYPE_CHECKING:
    from mmengine.model import BaseModel

POINTS = KeypointMeta(names=tuple(f"p{number}" for number in range(9)), flip_pairs=((0, 1),))
CLASSES = {
    Task.CLASSIFICATION: ("a", "b", "c"),
    Task.DETECTION: ("a", "b", "c"),
    Task.SEGMENTATION: ("background", "a", "b", "c"),
    Task.KEYPOINT: ("bee",),
}
SIZE = {
    Task.CLASSIFICATION: (64, 64),
    Task.DETECTION: (192, 192),
    Task.SEGMENTATION: (128, 128),
    Task.KEYPOINT: (96, 128),
}
TOOLBOX = {"classification": "mmpretrain", "detection": "mmdet", "segmentation": "mmseg", "keypoint": "mmpose"}

_COCO = "configs/body_2d_keypoint/topdown_heatmap/coco/"
FAST = {
    Task.CLASSIFICATION: ("configs/mobilenet_v3/mobilenet-v3-small_8xb128_in1k.py",),
    Task.DETECTION: ("configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py",),
    Task.SEGMENTATION: ("configs/segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py",),
    Task.KEYPOINT: ("configs/body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py",),
}
#: One of each kind of head, neck or backbone that is configured in its own way.
SLOW = {
    Task.CLASSIFICATION: (
        "configs/resnet/resnet18_8xb32_in1k.py",
        "configs/efficientnet/efficientnet-b0_8xb32_in1k.py",
        "configs/swin_transformer/swin-tiny_16xb64_in1k.py",
    ),
    Task.DETECTION: (
        "configs/yolox/yolox_tiny_8xb8-300e_coco.py",
        "configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
        "configs/ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py",
        "configs/detr/detr_r50_8xb2-150e_coco.py",
    ),
    Task.SEGMENTATION: (
        "configs/pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py",
        "configs/stdc/stdc1_4xb12-80k_cityscapes-512x1024.py",
        "configs/mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py",
    ),
    Task.KEYPOINT: (
        _COCO + "td-hm_hrnet-w32_8xb64-210e_coco-256x192.py",
        _COCO + "td-hm_ViTPose-small_8xb64-210e_coco-256x192.py",
        "configs/body_2d_keypoint/simcc/coco/simcc_res50_8xb64-210e_coco-256x192.py",
        "configs/body_2d_keypoint/topdown_regression/coco/td-reg_res50_rle-8xb64-210e_coco-256x192.py",
    ),
}
#: Their relatives.
MORE = {
    Task.CLASSIFICATION: (
        "configs/shufflenet_v2/shufflenet-v2-1x_16xb64_in1k.py",
        "configs/deit/deit-tiny_4xb256_in1k.py",
        "configs/mobilevit/mobilevit-xxsmall_8xb128_in1k.py",
        "configs/resnet/resnet50_8xb256-rsb-a3-100e_in1k.py",
    ),
    Task.DETECTION: (
        "configs/retinanet/retinanet_r18_fpn_1x_coco.py",
        "configs/fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
        "configs/mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    ),
    Task.SEGMENTATION: (
        "configs/bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py",
        "configs/fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py",
        "configs/deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py",
        "configs/unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py",
    ),
    Task.KEYPOINT: (
        _COCO + "td-hm_res50_8xb64-210e_coco-256x192.py",
        _COCO + "td-hm_litehrnet-18_8xb64-210e_coco-256x192.py",
        _COCO + "td-hm_mobilenetv2_8xb64-210e_coco-256x192.py",
    ),
}


def entry_of(task: Task, config: str) -> ModelEntry:
    name = config.rsplit("/", 1)[-1].removesuffix(".py")
    return ModelEntry(name=name, title=name, task=task, family="", toolbox=TOOLBOX[task], config=config)


def config_of(
    task: Task,
    config: str,
    *,
    classes: tuple[str, ...] | None = None,
    keypoints: KeypointMeta | None = POINTS,
    pretrained: Pretrained | None = None,
) -> ModelConfig:
    return model_config(
        entry_of(task, config),
        classes=classes or CLASSES[task],
        keypoints=keypoints,
        input_size=SIZE[task],
        pretrained=pretrained,
    )


def check_learns_and_predicts(task: Task, path: str) -> None:
    config = config_of(task, path)
    text = json.dumps(config.model, default=str)
    assert "http" not in text, "nothing may be fetched"
    assert "torchvision://" not in text, "nothing may be fetched"
    assert "SyncBN" not in text
    model: BaseModel = build_model(config, name=path)
    model.init_weights()
    classes, points = len(CLASSES[task]), len(POINTS.names)
    losses = losses_of(model, config, task, classes=classes, points=points, size=SIZE[task])
    assert losses["loss"] > 0
    assert all(torch.isfinite(value) for value in losses.values()), losses
    answers = predictions_of(model, config, task, classes=classes, points=points, size=SIZE[task])
    width, height = SIZE[task]
    if task is Task.CLASSIFICATION:
        assert answers[0].pred_score.shape == (len(CLASSES[task]),)
    elif task is Task.SEGMENTATION:
        assert answers[0].pred_sem_seg.data.shape == (1, height, width)
        assert int(answers[0].pred_sem_seg.data.max()) < len(CLASSES[task])
    elif task is Task.KEYPOINT:
        assert answers[0].pred_instances.keypoints.shape == (1, len(POINTS.names), 2)
    else:
        assert all(label < len(CLASSES[task]) for label in answers[0].pred_instances.labels.tolist())


@pytest.mark.parametrize(("task", "path"), [(task, path) for task, paths in FAST.items() for path in paths])
def test_a_light_model_of_each_task(task: Task, path: str) -> None:
    check_learns_and_predicts(task, path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "path"),
    [
        *((task, path) for task, paths in SLOW.items() for path in paths),
        *(pytest.param(task, path, marks=pytest.mark.long) for task, paths in MORE.items() for path in paths),
    ],
)
def test_well_known_models(task: Task, path: str) -> None:
    check_learns_and_predicts(task, path)


@pytest.mark.parametrize(
    ("task", "path", "reason"),
    [
        (Task.CLASSIFICATION, "configs/mocov3/mocov3_resnet50_8xb512-amp-coslr-100e_in1k.py", "MoCoV3 is not an image"),
        (Task.CLASSIFICATION, "configs/csra/resnet101-csra_1xb16_voc07-448px.py", "CSRAClsHead; a head with one label"),
        (Task.DETECTION, "configs/solov2/solov2_r50_fpn_1x_coco.py", "learns from masks"),
        (Task.DETECTION, "configs/rpn/rpn_r50_fpn_1x_coco.py", "proposes boxes without classes"),
        (Task.SEGMENTATION, "configs/pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py", "edge maps"),
        (Task.KEYPOINT, "configs/body_2d_keypoint/dekr/coco/dekr_hrnet-w32_8xb10-140e_coco-512x512.py", "top-down"),
        (Task.KEYPOINT, _COCO + "td-hm_mspn50_8xb32-210e_coco-256x192.py", "a list of codecs"),
        (Task.KEYPOINT, _COCO + "no-such-model.py", "which mmpose does not ship"),
    ],
)
def test_what_cannot_be_built_says_why(task: Task, path: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as raised:
        config_of(task, path)
    assert entry_of(task, path).name in str(raised.value)


def test_the_toolbox_s_reason_reaches_the_message() -> None:
    config = config_of(Task.CLASSIFICATION, FAST[Task.CLASSIFICATION][0])
    config.model["backbone"]["arch"] = "tremendous"
    with pytest.raises(ModelError, match=r"mobilenet cannot be built for this bag: .*Error"):
        build_model(config, name="mobilenet")


def test_a_given_file_is_the_start_and_keeps_the_toolbox_s_frozen_stages() -> None:
    path = "configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
    given = config_of(Task.DETECTION, path, pretrained=Pretrained(kind="file", source="/tmp/weights.pth"))  # noqa: S108
    assert given.load_from == "/tmp/weights.pth"  # noqa: S108
    assert given.model["backbone"]["frozen_stages"] == 1
    scratch = config_of(Task.DETECTION, path)
    assert scratch.load_from == ""
    assert "frozen_stages" not in scratch.model["backbone"]
    assert scratch.model["backbone"]["norm_eval"] is False


def test_masks_are_dropped_from_two_stage_models() -> None:
    config = config_of(Task.DETECTION, "configs/mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py")
    assert not any("mask_head" in node for node in dicts(config.model))


def test_top_five_needs_five_classes() -> None:
    path = FAST[Task.CLASSIFICATION][0]
    assert config_of(Task.CLASSIFICATION, path).model["head"]["topk"] == (1,)
    five = config_of(Task.CLASSIFICATION, path, classes=("a", "b", "c", "d", "e"))
    assert five.model["head"]["topk"] == (1, 5)


def test_codecs_follow_the_input_size() -> None:
    heatmap = config_of(Task.KEYPOINT, _COCO + "td-hm_res50_8xb64-210e_coco-256x192.py").codec
    assert heatmap is not None
    assert (heatmap["input_size"], heatmap["heatmap_size"], heatmap["sigma"]) == ((96, 128), (24, 32), 1.0)
    simcc = config_of(Task.KEYPOINT, FAST[Task.KEYPOINT][0])
    assert simcc.codec is not None
    assert simcc.codec["sigma"] == pytest.approx((4.9 / 2**0.5, 5.66 / 2**0.5))
    assert simcc.model["head"]["in_featuremap_size"] == (3, 4)
    assert simcc.model["head"]["decoder"] == simcc.codec


def test_no_key_points_no_model() -> None:
    with pytest.raises(ModelError, match="needs the bag's key points"):
        config_of(Task.KEYPOINT, FAST[Task.KEYPOINT][0], keypoints=None)


def test_the_former_name_of_a_toolbox_is_understood() -> None:
    path = "configs/body_2d_keypoint/topdown_heatmap/humanart/td-hm_ViTPose-large_8xb64-210e_humanart-256x192.py"
    backbone = config_of(Task.KEYPOINT, path).model["backbone"]
    assert backbone["type"] == "mmpretrain.VisionTransformer"
    assert backbone["img_size"] == (128, 96)


def test_image_sizes_in_the_form_that_each_backbone_takes() -> None:
    tiny = config_of(Task.CLASSIFICATION, "configs/tinyvit/tinyvit-5m_8xb256_in1k.py")
    levit = config_of(Task.CLASSIFICATION, "configs/levit/levit-128s_8xb256_in1k.py")
    assert tiny.model["backbone"]["img_size"] == (64, 64)
    assert levit.model["backbone"]["img_size"] == 64
