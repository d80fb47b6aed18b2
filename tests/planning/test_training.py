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
from autommlab.training.cross_validation import Comparison
from autommlab.training.records import CrossValidated, CrossValidation, Lead, StudyResult, TrialRecord
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


def compared(asked: Comparison) -> CrossValidation:
    """As if the second finalist were better on each fold."""
    finalists = tuple(
        CrossValidated(
            number=number, origin=one.origin, hyperparameters=one.point, status="ok", scores=(score,), score=score,
            metrics={"accuracy": score}, resampled=(score,),
        )
        for number, (one, score) in enumerate(zip(asked.finalists, (0.7, 0.75), strict=True), start=1)
    )  # fmt: skip
    folds = len(asked.setups)
    lead = Lead(pictures=24, rivals=(1,))
    return CrossValidation(folds=folds, finished=folds, pictures=24, finalists=finalists, best=2, lead=lead, seconds=9)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """The comparisons that are asked for; of each the second finalist wins."""
    found: list[Comparison] = []

    def comparing(one: Comparison, *_: object) -> CrossValidation:
        found.append(one)
        return compared(one)

    monkeypatch.setattr(training, "cross_validate", comparing)
    return found


def test_with_little_data_folds_choose_and_the_winner_is_trained_on_train_and_val(
    studies: Studies, run: Callable[..., PlannedTraining], asked: list[Comparison]
) -> None:
    plan = decide(circumstances(60))
    assert plan.search is not None
    assert plan.refit is not None
    assert plan.full is not None
    searched = run(plan).search(plan.search)  # its lead is not known
    assert not studies[-1][1].test
    validated = run(plan).cross_validated(plan.refit, searched)
    (comparison,) = asked
    assert (len(comparison.setups), len(comparison.finalists)) == (5, 2)
    assert {setup.bag.splits["train"].images + setup.bag.splits["val"].images for setup in comparison.setups} == {24}
    assert all(setup.val_figures is None and setup.reports == 1 for setup in comparison.setups)
    result = run(plan).refit(plan.full, searched, validated)
    setup, options = studies[-1]
    assert setup.bag.splits["train"].images == 24
    assert setup.val_figures == {"accuracy": 0.75}
    assert options.test, "TEST is looked at once, by what is delivered"
    (winner,) = options.finalists
    second = comparison.finalists[1].point
    assert winner == {**second.model_dump(), "iterations": winner["iterations"]}
    assert winner["iterations"] > second.iterations, "alone and with the rest of the time"
    assert (result.cross_validation, result.lead) == (validated, validated.lead)
    assert "finalist 1 is as good" in result.warning

    again = run(plan, spent_s=300)  # it was killed in each of the two
    again.cross_validated(plan.refit, None)
    assert asked[-1].finalists == comparison.finalists
    assert asked[-1].each_s < comparison.each_s, "less of the time is left"
    again.refit(plan.full, searched, validated)
    assert studies[-1][1].finalists == options.finalists


def test_where_the_search_leads_clearly_val_alone_compares(
    studies: Studies, run: Callable[..., PlannedTraining], asked: list[Comparison]
) -> None:
    plan = decide(circumstances(60))
    assert plan.search is not None
    assert plan.refit is not None
    searched = run(plan).search(plan.search).model_copy(update={"lead": Lead(pictures=8, rivals=())})
    run(plan).cross_validated(plan.refit, searched)
    (comparison,) = asked
    assert len(comparison.setups) == 1
    assert "leads beyond the noise of 8 val pictures" in comparison.why
