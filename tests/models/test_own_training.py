"""What a zoo model's own config says of its training reaches a trial, in the proportions of its length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autommlab.models import zoo
from autommlab.models.own_training import own_settings_of, own_training
from autommlab.models.recipe import recipe_in_words, toolbox_recipe
from autommlab.models.records import Pretrained
from autommlab.settings import profile
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.search_space import search_space
from autommlab.training.translate import optimisation_config
from tests.helpers.tiny_trials import make_setup

RTMDET = "rtmdet_tiny_8xb32-300e_coco"
DETR = "detr_r50_8xb2-150e_coco"
SEGFORMER = "segformer_mit-b0_8xb1-160k_cityscapes-1024x1024"
SWIN = "swin-tiny_16xb64_in1k"
VITPOSE = "td-hm_ViTPose-small_8xb64-210e_coco-256x192"
POINT = Hyperparameters(
    iterations=2000, batch_size=4, optimizer="AdamW", lr=1e-3, weight_decay=0.05, lr_schedule="CosineAnnealingLR"
)


def config_of(name: str, task: Task, **changes: Any) -> dict[str, Any]:
    return optimisation_config(task, POINT.model_copy(update=changes), own_training(zoo.entry(name, task)))


def test_a_detr_is_clipped_at_a_tenth_and_its_backbone_learns_slower() -> None:
    config = config_of(DETR, Task.DETECTION, lr_schedule="MultiStepLR")
    wrapper = config["optim_wrapper"]
    assert wrapper["clip_grad"] == {"max_norm": 0.1, "norm_type": 2}
    assert wrapper["paramwise_cfg"]["custom_keys"]["backbone"]["lr_mult"] == 0.1
    (steps,) = config["param_scheduler"]  # no warm-up
    assert steps["milestones"] == [round(100 / 150 * 2000)]
    assert (steps["begin"], steps["end"], steps["by_epoch"]) == (0, 2000, False)


def test_an_rtmdet_keeps_its_rate_for_half_of_the_training() -> None:
    ramp, cosine = config_of(RTMDET, Task.DETECTION)["param_scheduler"]
    assert (ramp["start_factor"], ramp["end"]) == (1e-5, 200), "1000 iterations are more than a tenth"
    assert (cosine["begin"], cosine["end"], cosine["T_max"]) == (1000, 2000, 1000)
    assert cosine["eta_min"] == pytest.approx(0.05 * 1e-3), "a twentieth of the peak, whatever the peak"
    assert "clip_grad" not in config_of(RTMDET, Task.DETECTION)["optim_wrapper"]


def test_a_warm_up_in_epochs_keeps_its_part_of_the_training() -> None:
    config = config_of(SWIN, Task.CLASSIFICATION)
    ramp, cosine = config["param_scheduler"]
    assert ramp["end"] == round(20 / 300 * 2000) == cosine["begin"]
    assert config["optim_wrapper"]["clip_grad"] == {"max_norm": 5.0}
    assert config["optim_wrapper"]["paramwise_cfg"]["norm_decay_mult"] == 0.0
    assert config["optim_wrapper"]["optimizer"]["betas"] in ((0.9, 0.999), [0.9, 0.999])


def test_options_of_another_optimiser_or_schedule_are_left_out() -> None:
    config = config_of(SWIN, Task.CLASSIFICATION, optimizer="SGD", lr_schedule="StepLR")
    assert config["optim_wrapper"]["optimizer"] == {"type": "SGD", "lr": 1e-3, "weight_decay": 0.05, "momentum": 0.9}
    assert config["param_scheduler"][-1]["step_size"] == round(2000 / 3)
    assert config["optim_wrapper"]["paramwise_cfg"]["norm_decay_mult"] == 0.0, "multipliers hold for any"


@pytest.mark.parametrize("iterations", [1, 2, 7, 50])
@pytest.mark.parametrize(("name", "task"), [(RTMDET, Task.DETECTION), (SWIN, Task.CLASSIFICATION)])
def test_the_shortest_trainings_have_a_schedule_too(name: str, task: Task, iterations: int) -> None:
    schedulers = config_of(name, task, iterations=iterations)["param_scheduler"]
    assert all(0 <= one["begin"] < one["end"] for one in schedulers)
    assert schedulers[-1]["end"] <= max(iterations, 1)


def test_the_person_is_told_what_is_kept_and_what_is_not() -> None:
    space = search_space(profile("laptop").tasks[Task.DETECTION])
    words = recipe_in_words(zoo.entry(RTMDET, Task.DETECTION), space=space)
    assert "learning rate 0.004 for a batch of 256 became" in words
    assert "kept of its config: multipliers of rate and decay, warm-up; not: its augmentation, EMAHook" in words
    packaged = next(entry for entry in zoo.entries(Task.DETECTION) if entry.packaged)
    assert recipe_in_words(packaged, space=space) == ""


def test_a_packaged_backbone_trains_as_before() -> None:
    for task in Task:
        packaged = next(entry for entry in zoo.entries(task) if entry.packaged)
        assert own_training(packaged) is None
        assert optimisation_config(task, POINT, None) == optimisation_config(task, POINT)


def test_a_config_without_settings_trains_plainly() -> None:
    own = own_settings_of({"optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.8}}})
    config = optimisation_config(Task.DETECTION, POINT.model_copy(update={"optimizer": "SGD"}), own)
    assert config["optim_wrapper"] == {
        "type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 1e-3, "weight_decay": 0.05, "momentum": 0.8},
    }  # fmt: skip
    assert len(config["param_scheduler"]) == 1


@pytest.mark.parametrize(
    ("name", "lr"),
    [
        (RTMDET, 0.004 * (8 / 256) ** 0.5),
        ("rtmdet_x_p6_4xb8-300e_coco", 0.0005 * (8 / 32) ** 0.5),
        ("retinanet_r18_fpn_1xb8-1x_coco", 0.005 * 8 / 8),
        ("faster-rcnn_r50_fpn_1x_coco", 0.02 * 2 / 16),
    ],
)
def test_a_rate_belongs_to_the_batch_of_the_file_that_set_it(name: str, lr: float) -> None:
    entry = zoo.entry(name, Task.DETECTION)
    recipe = toolbox_recipe(entry, space=search_space(profile("laptop").tasks[Task.DETECTION]))
    assert recipe.point["lr"] == pytest.approx(lr)


def test_no_rtmdet_gets_the_rate_of_a_batch_of_16() -> None:
    found = [entry for entry in zoo.entries(Task.DETECTION) if entry.name.startswith("rtmdet_")]
    assert len(found) == 9
    space = search_space(profile("gpu").tasks[Task.DETECTION])
    for entry in found:
        notes = toolbox_recipe(entry, space=space).notes
        assert not any("for a batch of 16 " in note for note in notes), entry.name


#: Read back from the built Runner of 100 iterations; None where nothing of that kind differs.
READ = (
    "lr_multiplier_least", "lr_multiplier_most", "weight_decay_multiplier_least", "clip_norm", "warm_up_iterations",
)  # fmt: skip
BUILT = [
    pytest.param(SEGFORMER, Task.SEGMENTATION, (1.0, 10.0, 0.0, None, 10), id="segformer"),
    pytest.param(RTMDET, Task.DETECTION, (None, None, 0.0, None, 10), id="rtmdet", marks=pytest.mark.slow),
    pytest.param(DETR, Task.DETECTION, (0.1, 1.0, None, 0.1, None), id="detr", marks=pytest.mark.long),
    pytest.param(SWIN, Task.CLASSIFICATION, (None, None, 0.0, 5.0, 7), id="swin", marks=pytest.mark.long),
    pytest.param(VITPOSE, Task.KEYPOINT, (0.8**13, 1.0, 0.0, 1.0, 10), id="vitpose", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("name", "task", "expected"), BUILT)
def test_the_built_runner_trains_with_the_configs_own_settings(
    name: str, task: Task, expected: tuple[float | None, ...], tmp_path: Path
) -> None:
    from autommlab.training.trial import Trial

    setup = make_setup(task, tmp_path)
    entry = zoo.entry(name, task)
    choice = setup.choice.model_copy(update={"entry": entry, "pretrained": Pretrained(kind="none")})
    own = own_training(entry)
    assert own is not None
    assert own.schedule is not None
    point = POINT.model_copy(update={"iterations": 100, "lr_schedule": own.schedule["type"]})
    trial = Trial(setup.model_copy(update={"choice": choice}), point, tmp_path / "work")
    read = trial.readback
    names = (
        "lr_multiplier_least",
        "lr_multiplier_most",
        "weight_decay_multiplier_least",
        "clip_norm",
        "warm_up_iterations",
    )
    assert tuple(read.get(key) for key in names) == pytest.approx(expected)
    assert read["parameter_groups"] == len(trial.runner.optim_wrapper.optimizer.param_groups) > 1
    assert {key: read[key] for key in point.model_dump()} == pytest.approx(point.model_dump())
    trial.close()
