"""Names as people write them find the right model."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.common.errors import ModelError
from autommlab.models import names, zoo
from autommlab.models.names import tokens
from autommlab.tasks import Task

C, D, S, K = Task.CLASSIFICATION, Task.DETECTION, Task.SEGMENTATION, Task.KEYPOINT

#: As written, task, what the first match's zoo name starts with.
WRITTEN = [
    ("resnet 50", C, "resnet50_8xb32_in1k"),
    ("ResNet50", C, "resnet50_8xb32_in1k"),
    ("Res Net-18", C, "resnet18_8xb32_in1k"),
    ("mobilenet v3 small", C, "mobilenet-v3-small_"),
    ("MobileNetV3-large", C, "mobilenet-v3-large_"),
    ("mobile net v2", C, "mobilenet-v2_"),
    ("swin tiny", C, "swin-tiny_"),
    ("Swin-T", C, "swin-tiny_"),
    ("vit b16", C, "vit-base-p16_"),
    ("ViT-B/16", C, "vit-base-p16_"),
    ("efficientnet b0", C, "efficientnet-b0_"),
    ("EfficientNet-B3", C, "efficientnet-b3_"),
    ("efficientnet v2 s", C, "efficientnetv2-s_"),
    ("convnext-t", C, "convnext-tiny_32xb128_in1k"),
    ("efficientnet lite 0", C, "efficientnet-lite0_packaged"),
    ("EfficientNet-Lite2", C, "efficientnet-lite2_packaged"),
    ("vgg 16", C, "vgg16_8xb32"),
    ("shufflenet v2", C, "shufflenet-v2"),
    ("densenet 121", C, "densenet121"),
    ("inception v3", C, "inception-v3"),
    ("mobile vit xxs", C, "mobilevit-xxsmall"),
    ("regnet x 400mf", C, "regnetx-400mf"),
    ("YOLOX-s", D, "yolox_s_"),
    ("yolo x s", D, "yolox_s_"),
    ("yolox tiny", D, "yolox_tiny_"),
    ("Faster R-CNN", D, "faster-rcnn_r50_fpn_"),
    ("faster rcnn r50", D, "faster-rcnn_r50_fpn_"),
    ("fasterrcnn resnet 101", D, "faster-rcnn_r101_fpn_"),
    ("rtmdet tiny", D, "rtmdet_tiny_"),
    ("RTMDet-l", D, "rtmdet_l_8xb32"),
    ("retina net", D, "retinanet_r50_fpn_"),
    ("cascade r-cnn", D, "cascade-rcnn_r50_fpn_"),
    ("yolo v3", D, "yolov3_d53"),
    ("SSD 300", D, "ssd300_coco"),
    ("fcos", D, "fcos_r50-caffe_fpn"),
    ("deformable detr", D, "deformable-detr_r50"),
    ("efficientnet lite 1", D, "fcos_efficientnet-lite1_packaged"),
    ("deeplab v3+", S, "deeplabv3plus_r50-d8"),
    ("DeepLabV3Plus R50", S, "deeplabv3plus_r50-d8"),
    ("deeplabv3", S, "deeplabv3_r50-d8"),
    ("segformer b0", S, "segformer_mit-b0"),
    ("u-net", S, "unet-s5-d16_fcn"),
    ("bisenet v2", S, "bisenetv2_fcn"),
    ("pspnet", S, "pspnet_r50-d8"),
    ("upernet swin tiny", S, "swin-tiny-patch4-window7"),
    ("fast scnn", S, "fast_scnn"),
    ("PIDNet-S", S, "pidnet-s_"),
    ("hrnet w32", K, "td-hm_hrnet-w32_8xb64-210e_coco-"),
    ("RTMPose-m", K, "rtmpose-m_8xb256-420e_coco"),
    ("rtm pose tiny", K, "rtmpose-t_8xb256-420e_coco"),
    ("hrformer", K, "td-hm_hrformer-"),
    ("ViTPose base", K, "td-hm_ViTPose-base_8xb64-210e_coco"),
    ("simple baseline resnet 50", K, "td-hm_res50_8xb64-210e_coco"),
    ("simcc resnet 50", K, "simcc_res50"),
    ("lite hrnet 18", K, "td-hm_litehrnet-18_"),
    ("heatmap efficientnet lite 0", K, "heatmap_efficientnet-lite0_packaged"),
]


@pytest.mark.parametrize(("written", "task", "start"), WRITTEN)
def test_written_names_find_the_model(written: str, task: Task, start: str) -> None:
    first = names.find_models(written, task)[0]
    assert first.entry.name.startswith(start)
    assert first.similarity >= 0.9


@pytest.mark.parametrize("task", list(Task))
def test_every_zoo_name_and_its_case_find_themselves(task: Task) -> None:
    for entry in zoo.entries(task)[::15]:
        assert names.find_models(entry.name.upper(), task)[0].entry == entry


@pytest.mark.parametrize("task", list(Task))
def test_a_title_finds_a_model_of_that_title(task: Task) -> None:
    missed = [e.title for e in zoo.entries(task)[::12] if e.title not in _titles_found(e.title, task)]
    assert len(missed) <= len(zoo.entries(task)[::12]) // 20, missed


def _titles_found(title: str, task: Task) -> list[str]:
    return [match.entry.title for match in names.find_models(title, task, limit=8)]


def test_best_first_and_limited() -> None:
    matches = names.find_models("resnet 50", C, limit=4)
    assert len(matches) == 4
    assert [m.similarity for m in matches] == sorted((m.similarity for m in matches), reverse=True)
    assert all(0 <= match.similarity <= 1 for match in matches)


@pytest.mark.parametrize(
    ("written", "task", "near"),
    [("resnet 51", C, "ResNet"), ("yolo v8", D, "YOLO"), ("foonet 9000", D, ""), ("qwertz", K, "")],
)
def test_unknown_name_says_what_is_near(written: str, task: Task, near: str) -> None:
    with pytest.raises(ModelError, match=rf"unknown {task} model '{written}'.*{near}.*models list --task {task}"):
        names.find_models(written, task)


@given(st.text(max_size=40))
def test_any_text_gives_matches_or_a_model_error(text: str) -> None:
    with contextlib.suppress(ModelError):
        assert names.find_models(text, S)


@pytest.mark.parametrize(
    "same",
    [
        ("resnet 50", "ResNet-50", "resnet50", "RES NET 50", "r50"),
        ("deeplab v3+", "DeepLabV3Plus", "deep lab v3 plus", "DeepLabV3+"),
        ("vit b16", "ViT-B/16", "vit base p16", "ViT-Base-P16"),
        ("yolox s", "YOLO X-s", "yolox_small"),
    ],
)
def test_spellings_of_one_name_have_the_same_tokens(same: tuple[str, ...]) -> None:
    words = {"resnet", "deeplab", "yolox", "vit"}
    assert {tokens(text, words) for text in same} == {tokens(same[0], words)}
