"""A run's two trainings, with the studies themselves left out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autommlab.common.errors import LLMServiceError
from autommlab.options import RunOptions
from autommlab.planning import training
from autommlab.planning.decide import decide
from autommlab.planning.records import Plan
from autommlab.planning.run_time import RunClock
from autommlab.planning.training import PlannedTraining
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.storage.run_target import HERE
from autommlab.tasks import Task
from autommlab.training.records import StudyResult, TrialRecord
from tests.helpers.plan_making import circumstances
from tests.helpers.tiny_trials import make_setup, point

Studies = list[tuple[Any, Any]]


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> Studies:
    """(setup, options) of each study that is asked for; none is run."""
    asked: Studies = []

    def study(setup: Any, space: Any, options: Any, *, folder: Path, **_: Any) -> StudyResult:
        asked.append((setup, options))
        trial = TrialRecord(number=1, trial_id="a", hyperparameters=point(iterations=30), score=0.8, status="ok")
        return StudyResult(
            task=Task.CLASSIFICATION, objective="accuracy", trials=(trial,), best=trial,
            checkpoint=folder / "best.pth", config_file=folder / "config.py", val_metrics={}, test_metrics={},
            seconds=1,
        )  # fmt: skip

    monkeypatch.setattr(training, "run_study", study)
    monkeypatch.setattr(training, "ray_session", lambda *_, **__: contextlib.nullcontext())
    return asked


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., PlannedTraining]:
    setup = make_setup(Task.CLASSIFICATION, tmp_path / "data")
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()

    def make(plan: Plan, spent_s: float = 100.0, searcher: str = "random") -> PlannedTraining:
        options = RunOptions(text="x", searcher=searcher)
        clock = RunClock(spent_s)
        session = contextlib.ExitStack()
        return PlannedTraining(options, setup.bag, setup.choice, (), plan, folder, Events(), HERE, clock, session)

    return make


def test_only_the_finalists_see_test(studies: Studies, run: Callable[..., PlannedTraining]) -> None:
    plan = decide(circumstances(5))
    assert plan.search is not None
    assert plan.full is not None
    searched = run(plan).search(plan.search)
    run(plan).finals(plan.full, searched)
    assert [options.test for _, options in studies] == [False, True]
    run(plan.model_copy(update={"full": None})).search(plan.search)
    assert studies[-1][1].test, "nobody follows"


def test_a_run_that_goes_on_trains_the_same_finalists_in_the_time_that_is_left(
    studies: Studies, run: Callable[..., PlannedTraining]
) -> None:
    plan = decide(circumstances(5))
    assert plan.full is not None
    result = run(plan, spent_s=100).finals(plan.full, None)
    run(plan, spent_s=200).finals(plan.full, result)
    (first, asked), (second, again) = studies
    assert again.finalists == asked.finalists
    assert again.time_budget_s < asked.time_budget_s - 90
    assert 95 < first.deadline.ends_at - second.deadline.ends_at < 101


def test_a_search_that_goes_on_has_what_is_left_of_its_time(
    studies: Studies, run: Callable[..., PlannedTraining]
) -> None:
    plan = decide(circumstances(10))
    assert plan.search is not None
    made = run(plan)
    made.search(plan.search)
    made.folder.add_seconds("training", 30)
    made.search(plan.search)
    made.search(plan.search.model_copy(update={"before_s": 30.0}))
    whole, rest, anew = (options.time_budget_s for _, options in studies)
    assert rest == pytest.approx(whole - 30 * 1.05)
    assert anew == pytest.approx(whole), "the time before this plan is not its own"


def test_without_a_service_the_grid_goes_on_alone_and_a_searcher_that_is_only_the_llm_ends(
    run: Callable[..., PlannedTraining], studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = decide(circumstances(60))
    assert plan.search is not None

    def no_service(*_: object, **__: object) -> None:
        raise LLMServiceError("the LLM service fails: it does not start.\nSee `autommlab serve status`")

    monkeypatch.setattr(training, "service_for", no_service)
    going = run(plan, searcher="llm+grid")
    told: list[str] = []
    going.events.add(lambda event: told.append(event.message))
    going.search(plan.search)
    assert studies[-1][1].searcher == "surrogate-grid"
    assert told[-1] == "the LLM service fails: it does not start. surrogate-grid proposes, which needs none"
    with pytest.raises(LLMServiceError, match="does not start"):
        run(plan, searcher="hpo-llama").search(plan.search)
