"""The registered comparison at work, trained by a fake: stopped, gone on with, packed, joined, analysed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from autommlab.common.errors import DataError
from autommlab.progress.events import Events
from tests.helpers.fake_trainer import BAG, PLANNED, FakeTrainer
from tests.helpers.program import autommlab_here
from training_data_gen.benchmarks import playing
from training_data_gen.benchmarks.registered import bench
from training_data_gen.benchmarks.registered.arms import chosen_arms
from training_data_gen.benchmarks.registered.bench import (
    BenchTask,
    RegisteredOptions,
    pack_all,
    read_known,
    run_registered,
)
from training_data_gen.benchmarks.registered.questions import result_of
from training_data_gen.benchmarks.registered.records import RegisteredResult
from training_data_gen.benchmarks.registered.tasks import TASKS
from training_data_gen.benchmarks.trainings import RealBag

ARMS = chosen_arms("default,fixed-portfolio,random")


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    fake = FakeTrainer()

    def real_bag(planned: Any, folder: Path) -> RealBag:
        setup = BAG.setup.model_copy(update={"bag": BAG.setup.bag.model_copy(update={"digest": planned.id})})
        return RealBag(planned, setup, BAG.space)

    monkeypatch.setattr(bench, "real_bag", real_bag)
    monkeypatch.setattr(playing, "on_ray", lambda **_: fake)
    monkeypatch.setattr(bench, "ray_session", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(playing, "require_resources", lambda _: None)
    monkeypatch.setattr(playing, "trial_slots", lambda _: 1)
    return fake


def task(name: str, problem: str = "") -> BenchTask:
    def make() -> None:
        if problem:
            raise DataError(problem)

    return BenchTask(name, PLANNED.model_copy(update={"id": name}), make)


def test_it_goes_on_where_it_was_and_parts_of_two_machines_make_a_whole(tmp_path: Path, trainer: FakeTrainer) -> None:
    one, other = task("one"), task("other")
    first, _ = run_registered([one], ARMS, RegisteredOptions(budget=2), tmp_path / "a", Events())
    # One default, two of the portfolio, two random ones.
    assert (len(first), trainer.calls) == (3, 5)
    again, _ = run_registered([one], ARMS, RegisteredOptions(budget=2), tmp_path / "a", Events())
    assert (again, trainer.calls) == (first, 5)
    run_registered([other], ARMS, RegisteredOptions(budget=2), tmp_path / "b", Events())
    assert trainer.calls == 10
    for name in ("a", "b"):
        pack_all(tmp_path / name, tmp_path / f"packed-{name}", read_known([]))
    known = read_known([tmp_path / "packed-a", tmp_path / "packed-b"])
    joined, _ = run_registered([one, other], ARMS, RegisteredOptions(budget=2), tmp_path / "c", Events(), known=known)
    assert (len(joined), trainer.calls) == (6, 10)
    result = result_of(joined, "trials", command="c")
    assert {line.arm for line in result.lines} == {arm.name for arm in ARMS}
    assert sum(result.tasks.values()) == 2
    more, _ = run_registered([one, other], ARMS, RegisteredOptions(budget=3), tmp_path / "c", Events(), known=known)
    assert (len(more), trainer.calls) == (12, 14)


def test_a_task_that_cannot_be_played_is_told_and_the_others_go_on(tmp_path: Path, trainer: FakeTrainer) -> None:
    studies, failed = run_registered(
        [task("broken", "no such photos"), task("sound")], ARMS, RegisteredOptions(budget=1), tmp_path, Events()
    )
    assert {study.task for study in studies} == {"sound"}
    assert failed == {f"broken, {arm.name}, seed 0": "no such photos" for arm in ARMS}


def test_a_searchers_luck_is_another_on_each_task_and_the_same_again(tmp_path: Path, trainer: FakeTrainer) -> None:
    asked, tasks = (chosen_arms("random"), RegisteredOptions(budget=2)), [task("one"), task("other")]
    one, other = run_registered(tasks, *asked, tmp_path / "a", Events())[0]
    assert [each.val for each in one.outcomes] != [each.val for each in other.outcomes]
    again, _ = run_registered(tasks, *asked, tmp_path / "b", Events())
    assert {study.task: [each.val for each in study.outcomes] for study in again} == {
        study.task: [each.val for each in study.outcomes] for study in (one, other)
    }


def test_no_study_is_begun_after_the_time(tmp_path: Path, trainer: FakeTrainer) -> None:
    studies, failed = run_registered([task("one")], ARMS, RegisteredOptions(hours=1e-9), tmp_path, Events())
    assert (studies, failed, trainer.calls) == ([], {}, 0)


def test_only_tasks_without_a_study_are_called_missing(tmp_path: Path, trainer: FakeTrainer) -> None:
    photos = TASKS[0].id
    run_registered([task(photos)], ARMS, RegisteredOptions(budget=1), tmp_path / "there", Events())
    options = ("--tasks", 3, "--analyse", "--out", tmp_path / "there", "--data-root", tmp_path / "no-photos")
    told = autommlab_here("bench", "registered", *options)
    assert told.code == 0, told.err
    assert "left out" not in told.out + told.err
    result = RegisteredResult.model_validate_json((tmp_path / "there" / "registered-trials.json").read_bytes())
    assert set(result.missing) == {one.id for one in TASKS[1:3]}


def test_a_folder_that_no_pack_wrote_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no trainings\. Give a folder that `bench registered --pack` wrote"):
        read_known([tmp_path])
