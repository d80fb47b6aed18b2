"""Checkpoints as the zoo has them, over HTTP: every tensor of the model but its head's is loaded, and which is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autommlab.common import weights_files
from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.errors import ModelError
from autommlab.common.weights_files import MIRROR_VARIABLE, ORIGINS_VARIABLE
from autommlab.data.records import Bag, KeypointMeta
from autommlab.models import weights, zoo
from autommlab.models.config import build_model, model_config
from autommlab.models.records import Measured, ModelEntry
from autommlab.models.select import select_model
from autommlab.models.weights_fit import fit_of, model_of, with_fit
from autommlab.progress.events import Event, Events
from autommlab.settings import profile
from autommlab.speed.zoo_check import save_as_the_zoo_does
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest
from tests.helpers.zoo_server import ZooServer, serving

SIZE = {Task.CLASSIFICATION: (64, 64), Task.DETECTION: (128, 128), Task.SEGMENTATION: (64, 64), Task.KEYPOINT: (64, 96)}
CLASSES = {Task.SEGMENTATION: ("background", "cell"), Task.KEYPOINT: ("bee",)}
POINTS = KeypointMeta(names=tuple(f"p{number}" for number in range(5)), flip_pairs=((0, 1),))
#: (model, names of the tensors that a benchmark's checkpoint cannot fill, as their beginnings)
MODELS = [
    pytest.param(Task.CLASSIFICATION, "mobilenet-v3-small_8xb128_in1k", ("head.layers.1.fc",)),
    pytest.param(Task.CLASSIFICATION, "swin-tiny_16xb64_in1k", ("head.fc",), marks=pytest.mark.long),
    pytest.param(Task.DETECTION, "rtmdet_tiny_8xb32-300e_coco", ("bbox_head.rtm_cls",), marks=pytest.mark.long),
    pytest.param(
        Task.DETECTION, "faster-rcnn_r50_fpn_1x_coco", ("roi_head.bbox_head.fc_cls", "roi_head.bbox_head.fc_reg"),
        marks=pytest.mark.long,
    ),
    pytest.param(
        Task.SEGMENTATION, "segformer_mit-b0_8xb1-160k_cityscapes-1024x1024", ("decode_head.conv_seg",),
        marks=pytest.mark.long,
    ),
    pytest.param(
        Task.SEGMENTATION, "deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024",
        ("decode_head.conv_seg", "auxiliary_head.conv_seg"), marks=pytest.mark.long,
    ),
    pytest.param(Task.KEYPOINT, "rtmpose-t_8xb256-420e_coco-256x192", ("head.final_layer",), marks=pytest.mark.long),
    pytest.param(Task.KEYPOINT, "td-hm_res50_8xb64-210e_coco-256x192", ("head.final_layer",), marks=pytest.mark.long),
]  # fmt: skip


def bag_of(task: Task) -> Bag:
    return Bag(
        task=task, folder=Path("nowhere"), classes=CLASSES.get(task, ("a", "b", "c")), sources={}, datasets=("x",),
        splits={}, keypoints=POINTS if task is Task.KEYPOINT else None, median_size=(64, 64), seed=0, digest="",
    )  # fmt: skip


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZooServer]:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(weights_files, "PAUSE_S", 0.0)
    weights._hosts.clear()
    weights._head.cache_clear()
    with serving() as zoo_server:
        monkeypatch.setenv(ORIGINS_VARIABLE, zoo_server.url)
        yield zoo_server
    weights._hosts.clear()
    weights._head.cache_clear()


def served(entry: ModelEntry, server: ZooServer, folder: Path) -> ModelEntry:
    """The entry with its checkpoint on the server."""
    file = folder / f"{entry.name}.pth"
    save_as_the_zoo_does(entry, SIZE[entry.task], file)
    return entry.model_copy(update={"weights_url": f"{server.url}/{server.add(file)}"})


@pytest.mark.parametrize(("task", "name", "heads"), MODELS)
def test_a_model_takes_all_but_its_head_from_the_zoo(
    task: Task, name: str, heads: tuple[str, ...], server: ZooServer, tmp_path: Path
) -> None:
    entry, bag, size = served(zoo.entry(name, task), server, tmp_path), bag_of(task), SIZE[task]
    server.breaks = [100_000]
    found = with_fit(weights.resolve(entry, None), entry, bag, size)
    assert found.kind == "url"
    file = weights_files.fetched(entry.weights_url)
    fit = fit_of(file, entry, bag, size)
    assert {one for one in fit.new if one.startswith(heads)} == set(fit.new) != set()
    assert found.fit.startswith(f"{fit.taken} of {fit.of} tensors of {entry.title} are in the file; new: ")
    check_values(entry, found, bag, set(fit.new))
    assert [asked.split()[0] for asked in server.asked] == ["HEAD", "GET", "GET"], "broken off once, fetched once"


def check_values(entry: ModelEntry, found: Any, bag: Bag, new: set[str]) -> None:
    """What the Runner's loader puts into the model is what the file holds, for every tensor that is not new."""
    import torch
    from mmengine.runner import load_checkpoint as mmengine_loads

    config = model_config(
        entry, classes=bag.classes, keypoints=bag.keypoints, input_size=SIZE[entry.task], pretrained=found
    )
    model = build_model(config, name=entry.name)
    mmengine_loads(model, config.load_from, map_location="cpu")
    stored = load_checkpoint(config.load_from)["state_dict"]
    for tensor_name, value in model.state_dict().items():
        if tensor_name not in new:
            assert torch.equal(value, stored[tensor_name]), tensor_name


@pytest.mark.slow
def test_a_weights_file_says_which_model_it_is_of(tmp_path: Path) -> None:
    entry, bag = zoo.entry("resnet18_8xb32_in1k", Task.CLASSIFICATION), bag_of(Task.CLASSIFICATION)
    file = tmp_path / "my-own-name.pth"
    save_as_the_zoo_does(entry, (64, 64), file)
    told: list[Event] = []
    request = ModelRequest.parse({"data": {}, "model": {"task": "classification"}})
    choice = select_model(
        request, bag, profile=profile("laptop"), weights=file, events=Events(told.append), measure_model=not_measured
    )
    assert choice.entry.name == entry.name
    assert choice.pretrained.kind == "file"
    assert any("my-own-name.pth is of ResNet-18" in event.message for event in told)
    assert any("The weights file is of ResNet-18" in reason for reason in choice.reasons)


@pytest.mark.long
def test_a_file_without_a_record_is_known_by_its_shapes(tmp_path: Path) -> None:
    import torch

    entry, bag = zoo.entry("mobilenet-v2_8xb32_in1k", Task.CLASSIFICATION), bag_of(Task.CLASSIFICATION)
    save_as_the_zoo_does(entry, (64, 64), tmp_path / "recorded.pth")
    torch.save(dict(load_checkpoint(tmp_path / "recorded.pth")["state_dict"]), tmp_path / "bare.pth")
    found, fit = model_of(tmp_path / "bare.pth", bag, (64, 64))
    assert found.family == entry.family
    assert set(fit.new) == {"head.fc.weight", "head.fc.bias"}


def test_a_file_of_no_model_of_the_zoo_is_told(tmp_path: Path) -> None:
    import torch

    torch.save({"state_dict": torch.nn.Linear(3, 4).state_dict()}, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"net\.pth fits no classification model of the zoo.*--model"):
        model_of(tmp_path / "net.pth", bag_of(Task.CLASSIFICATION), (64, 64))


def not_measured(_: ModelEntry, __: Bag, size: tuple[int, int]) -> Measured:
    return Measured(params_m=1, flops_g=1, ms_per_image=1, input_size=size, device="not measured")
