"""Segmentation classes of few pixels count more, by how much the masks say."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autommlab.tasks import Task
from autommlab.training.class_balance import class_weights, weigh_classes
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import runner_config
from autommlab.training.trial import Trial, prepare_toolbox
from tests.helpers.tiny_trials import make_bag, make_setup

POINT = Hyperparameters(iterations=2, batch_size=2, optimizer="SGD", lr=1e-2, weight_decay=1e-4, lr_schedule="PolyLR")


def listing(folder: Path, *masks: list[int]) -> Path:
    lines = []
    for number, pixels in enumerate(masks):
        file = folder / f"{number}.png"
        Image.fromarray(np.array([pixels], dtype=np.uint8)).save(file)
        lines.append(f"nowhere.jpg\t{file}")
    made = folder / "train.txt"
    made.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def test_a_class_with_a_ninth_of_the_pixels_counts_by_its_fourth_root_more(tmp_path: Path) -> None:
    few, many = class_weights(listing(tmp_path, [1] * 9 + [0], [1] * 9 + [0]), 2)
    assert few / many == pytest.approx(9**0.25, rel=1e-3)
    assert 0.1 * few + 0.9 * many == pytest.approx(1, rel=1e-3)


def test_ignored_pixels_and_absent_classes_do_no_harm(tmp_path: Path) -> None:
    shown, other, absent = class_weights(listing(tmp_path, [0, 1, 255, 255, 255, 255]), 3)
    assert shown == other == pytest.approx(1, rel=0.05)
    assert 1 < absent < 10


def test_equal_classes_are_left_as_they_are(tmp_path: Path) -> None:
    assert class_weights(listing(tmp_path, [0, 1, 2, 3]), 4) == (1, 1, 1, 1)


def test_only_plain_cross_entropy_of_the_heads_is_weighed(tmp_path: Path) -> None:
    bag = make_bag(Task.SEGMENTATION, tmp_path)
    plain, sigmoid = {"type": "mmseg.CrossEntropyLoss"}, {"type": "CrossEntropyLoss", "use_sigmoid": True}
    given, dice = {"type": "CrossEntropyLoss", "class_weight": [1.0, 1.0, 0.1]}, {"type": "DiceLoss"}
    model: dict[str, Any] = {
        "decode_head": {"loss_decode": [plain, given, dice], "loss_cls": dict(plain)},
        "auxiliary_head": [{"loss_decode": dict(plain)}, {"loss_decode": sigmoid}],
    }
    before = copy.deepcopy(model)
    weigh_classes(model, bag)
    head, (first, second) = model["decode_head"], model["auxiliary_head"]
    assert len(head["loss_decode"][0].pop("class_weight")) == len(bag.classes)
    assert len(first["loss_decode"].pop("class_weight")) == len(bag.classes)
    assert (head, [first, second]) == (before["decode_head"], before["auxiliary_head"])


def test_a_segmentor_trains_with_the_weights_of_its_bag(tmp_path: Path) -> None:
    prepare_toolbox(Task.SEGMENTATION)
    setup = make_setup(Task.SEGMENTATION, tmp_path)
    config = runner_config(setup, POINT, work_dir=tmp_path, name="weighed")
    weights = config["model"]["decode_head"]["loss_decode"]["class_weight"]
    assert weights[0] < min(weights[1:])
    trial = Trial(setup, POINT, tmp_path / "trial")
    while not trial.finished:
        figures = trial.advance()
    trial.close()
    assert 0 <= figures["mIoU"] <= 1
