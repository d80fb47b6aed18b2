"""The plan of the trials: counts, variety, determinism, and that nothing held out leaks into training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from autommlab.common.errors import DataError, RequestError
from autommlab.data import registry
from autommlab.data.match import match_classes
from autommlab.models import zoo
from autommlab.tasks import Task
from tests.helpers.program import autommlab_here
from training_data_gen.trials.menus import MENUS
from training_data_gen.trials.plan import LEFT_OUT_SETS, plan_bags
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.themes import POOLS

PLAN = plan_bags()
TRAINING = [bag for bag in PLAN if not bag.held_out]
HELD_OUT = [bag for bag in PLAN if bag.held_out]


def test_there_are_enough_bags_of_every_task() -> None:
    assert len(PLAN) >= 60
    assert min(Counter(bag.task for bag in TRAINING).values()) >= 9
    assert Counter(bag.task for bag in HELD_OUT).keys() == set(Task)
    assert min(Counter(bag.task for bag in HELD_OUT).values()) >= 2
    assert all(bag.noise_seeds == () for bag in HELD_OUT)
    assert {bag.task for bag in PLAN if bag.noise_seeds} == set(Task)


def test_ids_and_contents_are_unique() -> None:
    assert len({bag.id for bag in PLAN}) == len({bag.content() for bag in PLAN}) == len(PLAN)


@pytest.mark.parametrize("held_out", HELD_OUT, ids=lambda bag: bag.id)
def test_no_held_out_combination_is_trained_on(held_out: PlannedBag) -> None:
    same_set = [bag for bag in TRAINING if bag.dataset == held_out.dataset]
    assert same_set, "a set that only held-out tasks use belongs to the left-out sets"
    assert held_out.model not in {bag.model for bag in same_set}
    if held_out.dataset != "drawn-people":
        assert not set(held_out.classes) & {name for bag in same_set for name in bag.classes}


def test_reserved_classes_are_in_no_theme() -> None:
    for name, pool in POOLS.items():
        open_ = {c for theme in pool.themes for c in theme}
        reserved = {c for subset in pool.reserved for c in subset}
        assert name == "drawn-people" or not open_ & reserved
        assert len(open_) == sum(map(len, pool.themes)), f"a class of {name} stands in two themes"


def test_a_left_out_set_is_marked_as_a_whole_and_leaves_its_task_another() -> None:
    assert {bag.dataset for bag in PLAN if bag.left_out} == LEFT_OUT_SETS
    for name in LEFT_OUT_SETS:
        (task,) = {bag.task for bag in PLAN if bag.dataset == name}
        assert any(bag.task is task and not bag.left_out for bag in TRAINING)


@pytest.mark.parametrize("bag", PLAN, ids=lambda bag: bag.id)
def test_classes_mean_themselves_and_the_model_exists(bag: PlannedBag) -> None:
    spec = registry.find_dataset(bag.dataset)
    assert spec.task is bag.task
    match = match_classes(bag.classes, spec.classes, spec.aliases)
    assert match.missing == ()
    assert {name: [c.name for c in found] for name, found in match.targets.items()} == {c: [c] for c in bag.classes}
    assert len(bag.classes) >= (2 if bag.task is Task.CLASSIFICATION else 1)
    assert zoo.entry(bag.model, bag.task)
    assert bag.iterations[0] < bag.iterations[1]
    assert bag.batch_size[1] <= bag.images[0]


@pytest.mark.parametrize("task", list(Task))
def test_every_option_of_a_menu_is_used(task: Task) -> None:
    menu, own = MENUS[task], [bag for bag in TRAINING if bag.task is task]
    assert {(bag.dataset, bag.model) for bag in own} == set(menu.training)
    assert not set(menu.training) & set(menu.held_out)
    assert {bag.images[0] for bag in own} == set(menu.train)
    assert {bag.input_size for bag in own} == set(menu.input_sizes)
    assert {bag.iterations for bag in own} == set(menu.iterations)
    assert {bag.batch_size for bag in own} == set(menu.batch_size)
    assert len({len(bag.classes) for bag in own}) >= 3


def test_a_plan_cut_short_has_all_tasks_and_held_out_bags() -> None:
    assert {bag.task for bag in PLAN[:4]} == set(Task)
    assert {bag.task for bag in PLAN[:45] if bag.held_out} == set(Task)


def test_the_plan_is_the_same_in_another_process_and_for_fewer_tasks() -> None:
    code = "from training_data_gen.trials.plan import *; print([b.model_dump_json() for b in plan_bags()])"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([bag.model_dump_json() for bag in PLAN])
    assert plan_bags([Task.KEYPOINT]) == [bag for bag in PLAN if bag.task is Task.KEYPOINT]


def test_a_users_set_comes_first_and_is_held_out(shapes: Path) -> None:
    registry.add_dataset(shapes, name="planned-shapes")
    try:
        first, second, *rest = plan_bags(datasets=["planned-shapes"])
        assert rest == PLAN
        assert {bag.dataset for bag in (first, second)} == {"planned-shapes"}
        assert first.held_out and first.left_out and first.model != second.model
        with pytest.raises(RequestError, match=r"planned-shapes: it is for classification, but only keypoint"):
            plan_bags([Task.KEYPOINT], datasets=["planned-shapes"])
    finally:
        registry.remove_dataset("planned-shapes")


def test_what_cannot_be_added_is_named() -> None:
    with pytest.raises(RequestError, match="--data digits: this embedded set is in the plan already"):
        plan_bags(datasets=["digits"])
    with pytest.raises(DataError, match="no data set 'digitz'"):
        plan_bags(datasets=["digitz"])


def test_the_command_shows_the_plan(tmp_path: Path) -> None:
    shown = autommlab_here("trials", "--plan", "--tasks", "detection", "--datasets", 3)
    assert shown.code == 0, shown.err
    assert "3 bags x (20 + 8 configurations)" in shown.out
    assert "detection-02" in shown.out
    listed = json.loads(autommlab_here("trials", "--plan", "--json").out)
    assert [PlannedBag.model_validate(bag) for bag in listed] == PLAN
    wrong = autommlab_here("trials", "--tasks", "detection,keypoin", "--out", tmp_path / "none")
    assert wrong.code == 2
    assert "unknown task 'keypoin'" in wrong.err
    assert not (tmp_path / "none").exists()
