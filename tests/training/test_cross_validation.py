"""Finalists over folds: what is made of their figures, and that nothing finished is trained again."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autommlab.cluster import TrialNeed
from autommlab.common.errors import NoResultError
from autommlab.data.folds import with_folds
from autommlab.progress.events import Event, Events
from autommlab.tasks import Task
from autommlab.training import cross_validation
from autommlab.training.cross_validation import Comparison, Finalist, compared, cross_validate
from autommlab.training.ledger import Ledger
from autommlab.training.records import TrialRecord
from autommlab.training.runner_config import TrialSetup
from tests.helpers.tiny_trials import make_setup, point

FIRST, SECOND = (
    Finalist(point(lr=0.01), "trial 3 of the search"),
    Finalist(point(lr=0.002), "the default configuration"),
)


def comparison(setup: TrialSetup, folds: int = 3, **changes: Any) -> Comparison:
    values: dict[str, Any] = {
        "setups": tuple(setup.model_copy(update={"bag": bag, "reports": 1}) for bag in with_folds(setup.bag, folds)),
        "finalists": (FIRST, SECOND), "need": TrialNeed(1), "concurrent": 2, "ends_at": time.time() + 100,
        "start_s": 20.0, "each_s": 20.0,
    }  # fmt: skip
    return Comparison(**values | changes)


def record(one: Finalist, fold: int, score: float, **changes: Any) -> TrialRecord:
    values: dict[str, Any] = {
        "number": 1, "trial_id": "", "hyperparameters": one.point, "fold": fold, "score": score, "status": "ok",
        "metrics": {"accuracy": score, "F1": score / 2}, "resampled": (score - 0.1, score, score + 0.1),
    }  # fmt: skip
    return TrialRecord(**values | changes)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> TrialSetup:
    return make_setup(Task.CLASSIFICATION, tmp_path_factory.mktemp("folds"))


def ledger_of(folder: Path, *records: TrialRecord) -> Ledger:
    folder.mkdir(exist_ok=True)
    ledger = Ledger(folder / "trials.jsonl")
    for each in records:
        ledger.append(each.model_copy(update={"number": ledger.next_number}))
    return Ledger(folder / "trials.jsonl")


@pytest.mark.parametrize(
    ("first", "second", "best", "rivals"),
    [
        ((0.9, 0.8, 0.7), (0.4, 0.5, 0.3), 1, ()),  # outside of the noise
        ((0.9, 0.3, 0.6), (0.6, 0.9, 0.7), 2, ()),  # one fold alone would have chosen the other
        ((0.8, 0.8, 0.8), (0.8, 0.8, 0.8), 1, (2,)),  # inside
    ],
)
def test_the_mean_over_folds_chooses(
    setup: TrialSetup,
    tmp_path: Path,
    first: tuple[float, ...],
    second: tuple[float, ...],
    best: int,
    rivals: tuple[int, ...],
) -> None:
    scores = [(FIRST, first), (SECOND, second)]
    records = [record(one, fold, score) for one, each in scores for fold, score in enumerate(each, start=1)]
    found = compared(comparison(setup), ledger_of(tmp_path, *records))
    assert (found.finished, found.pictures, found.best) == (3, 24, best)
    assert found.measured_by == "3-fold cross-validation"
    winner = found.winner
    assert winner.score == pytest.approx(sum((first, second)[best - 1]) / 3)
    assert winner.metrics == {"accuracy": pytest.approx(winner.score), "F1": pytest.approx(winner.score / 2)}
    assert winner.scores == (first, second)[best - 1]
    assert winner.resampled == pytest.approx([winner.score - 0.1, winner.score, winner.score + 0.1], abs=1e-4)
    assert found.lead is not None
    assert found.lead.rivals == rivals


def test_only_steps_that_were_done_are_told(setup: TrialSetup, tmp_path: Path) -> None:
    whole = FIRST.point.iterations
    records = [record(FIRST, fold, 0.9, readback={"passed_over": fold - 1}) for fold in (1, 2, 3)]
    found = compared(comparison(setup, finalists=(FIRST,)), ledger_of(tmp_path, *records))
    assert found.winner.hyperparameters.iterations == whole - 1
    assert f"of {whole - 1:,} steps" in found.in_words


def test_a_finalist_that_fails_on_a_fold_is_out_and_unfinished_folds_do_not_count(
    setup: TrialSetup, tmp_path: Path
) -> None:
    diverged = record(FIRST, 2, 0.0, status="diverged", reason="the loss became nan", metrics={}, resampled=())
    records = [record(FIRST, 1, 0.95), record(SECOND, 1, 0.5), diverged, record(SECOND, 2, 0.6)]
    found = compared(comparison(setup), ledger_of(tmp_path, *records))
    assert (found.folds, found.finished, found.best) == (3, 2, 2)
    assert "means over 2 of 3 folds" in found.in_words
    assert (found.finalists[0].status, found.finalists[0].score) == ("diverged", 0.0)
    assert found.finalists[0].reason == "the loss became nan"
    with pytest.raises(NoResultError, match="all 2 finalists failed: diverged: the loss became nan"):
        both = [diverged, diverged.model_copy(update={"hyperparameters": SECOND.point})]
        compared(comparison(setup), ledger_of(tmp_path / "both", *both))
    with pytest.raises(NoResultError, match="no finalist finished within the time"):
        compared(comparison(setup), ledger_of(tmp_path / "none"))


def test_val_as_it_is_has_no_number_of_a_fold(setup: TrialSetup, tmp_path: Path) -> None:
    one = comparison(setup, folds=1)
    found = compared(one, ledger_of(tmp_path, record(FIRST, 0, 0.5), record(SECOND, 0, 0.4)))
    assert (found.folds, found.finished, found.pictures, found.best) == (1, 1, 8, 1)
    assert found.measured_by == "val, left out of training"


class Tasks:
    """Ray's tasks done in this process, one at each look; what was asked for is kept.

    Attributes:
        trained: (learning rate, images of train, images of val, seconds) of each training, in order.
        most: tasks at once.
        scores: by learning rate.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import ray

        self.trained: list[tuple[float, int, int, float]] = []
        self.most = 0
        self.failing: set[float] = set()
        self.cancelled: list[Any] = []
        monkeypatch.setattr(
            ray, "remote", lambda **_: lambda work: SimpleNamespace(remote=functools.partial(functools.partial, work))
        )
        monkeypatch.setattr(ray, "wait", self._wait)
        monkeypatch.setattr(ray, "get", lambda reference: reference())
        monkeypatch.setattr(ray, "cancel", lambda reference, **_: self.cancelled.append(reference))
        monkeypatch.setattr(cross_validation, "require_resources", lambda _: None)
        monkeypatch.setattr(cross_validation, "_trained", self._train)

    def _wait(self, references: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        self.most = max(self.most, len(references))
        return references[:1], references[1:]

    def _train(self, setup: TrialSetup, point: Any, need: TrialNeed, seconds: float, place: None) -> TrialRecord:
        images = setup.bag.splits
        self.trained.append((point.lr, images["train"].images, images["val"].images, seconds))
        if point.lr in self.failing:
            return record(Finalist(point, ""), 0, 0.0, status="diverged", reason="the loss became nan", metrics={})
        return record(Finalist(point, ""), 0, 0.5 + point.lr)


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Tasks:
    return Tasks(monkeypatch)


def test_trainings_begin_fold_after_fold(setup: TrialSetup, tmp_path: Path, tasks: Tasks) -> None:
    told: list[Event] = []
    found = cross_validate(comparison(setup), tmp_path / "folds", Events(told.append))
    assert [lr for lr, *_ in tasks.trained] == [0.01, 0.002] * 3
    assert {(train, val) for _, train, val, _ in tasks.trained} == {(16, 8)}
    assert tasks.most == 2
    assert (found.finished, found.best, found.winner.origin) == (3, 1, "trial 3 of the search")
    seconds = [each for *_, each in tasks.trained]
    assert seconds[0] == pytest.approx((100 - 20) / 3, rel=0.1), "three turns of two, once the workers are there"
    last = [event for event in told if event.kind == "trial"][-1]
    assert last.data["proposed_by"] == "the default configuration, on fold 3 of 3"
    assert (last.data["number"], last.data["total"], last.stage) == (6, 6, "folds")


def test_one_that_was_stopped_trains_nothing_finished_again(setup: TrialSetup, tmp_path: Path, tasks: Tasks) -> None:
    def stops(event: Event) -> None:
        if event.kind == "trial" and event.data["number"] == 3:
            raise KeyboardInterrupt

    asked = comparison(setup)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(asked, tmp_path, Events(stops))
    assert len(tasks.cancelled) == 1, "what was at work beside"
    before = Ledger(tmp_path / "trials.jsonl").records
    found = cross_validate(asked, tmp_path, Events())
    after = Ledger(tmp_path / "trials.jsonl").records
    assert after[: len(before)] == before
    assert len(after) == len(tasks.trained) == 6
    assert {(each.hyperparameters, each.fold) for each in after} == {
        (one.point, fold) for one in (FIRST, SECOND) for fold in (1, 2, 3)
    }
    again = cross_validate(asked, tmp_path, Events())
    assert again.model_copy(update={"seconds": 0}) == found.model_copy(update={"seconds": 0})
    assert len(tasks.trained) == 6


def test_a_finalist_that_failed_is_not_tried_on_other_folds(setup: TrialSetup, tmp_path: Path, tasks: Tasks) -> None:
    tasks.failing = {FIRST.point.lr}
    found = cross_validate(comparison(setup, concurrent=1), tmp_path, Events())
    assert [lr for lr, *_ in tasks.trained] == [0.01, 0.002, 0.002, 0.002]
    assert (found.finished, found.best) == (3, 2)


def test_where_the_time_ends_the_finished_folds_count_and_there_is_one(
    setup: TrialSetup, tmp_path: Path, tasks: Tasks
) -> None:
    found = cross_validate(comparison(setup, ends_at=time.time()), tmp_path, Events())
    assert (found.finished, found.pictures, len(tasks.trained)) == (1, 8, 2)
    assert found.measured_by == "1 of 3 folds", "which is not val"


@pytest.mark.slow
def test_on_ray_trainings_see_their_fold_alone_and_end_their_schedules(setup: TrialSetup, tmp_path: Path) -> None:
    from autommlab.cluster import ray_session

    asked = comparison(setup, folds=2, ends_at=time.time() + 300)
    with ray_session():
        found = cross_validate(asked, tmp_path, Events())
    records = Ledger(tmp_path / "trials.jsonl").records
    assert [each.status for each in records] == ["ok"] * 4, [each.reason for each in records]
    assert all(each.resampled and not each.readback.get("passed_over") for each in records)
    assert [each.curve[-1][0] for each in records] == [8] * 4
    assert (found.finished, found.pictures) == (2, 24)
