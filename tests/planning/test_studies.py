"""What becomes of a plan: the studies of both fidelities, and who the finalists are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autommlab.models.records import Measured, ModelChoice
from autommlab.options import RunOptions
from autommlab.planning import studies
from autommlab.planning.records import FullFidelity, Plan, SearchFidelity, SizeCost, TimeBudget
from autommlab.tasks import Task
from autommlab.training.records import StudyResult, TrialRecord
from tests.helpers.tiny_trials import make_setup, point

OPTIONS = RunOptions(text="tell red from green", searcher="random")
MEASURED = Measured(params_m=3, flops_g=0.4, ms_per_image=9, input_size=(128, 128), device="a test")
SEARCH = SearchFidelity(
    input_size=(64, 64), iterations=(30, 30), batch_size=(4, 32), reports=1, trials=3, seconds=60, trial_s=10
)


def full(**changes: Any) -> FullFidelity:
    values: dict[str, Any] = {
        "input_size": (128, 128), "measured": MEASURED, "iterations": (20, 5000), "most_images": 42_000,
        "reports": 2, "finalists": 2,
        "cpus": 1, "seconds": 120, "start_s": 20, "image_s": 0.01, "validation_s": 1,
    }  # fmt: skip
    return FullFidelity(**values | changes)


def planned(**changes: Any) -> Plan:
    cost = SizeCost(input_size=(64, 64), train_s=0.01, load_s=0.001, val_s=0.003)
    time = TimeBudget(asked_s=300, spent_s=40, reserved_s={"TEST": 10, "export": 20})
    return Plan(time=time, costs=(cost,), search=SEARCH, full=full(**changes))


def trial(number: int, score: float, *, train_s: float = 0.0, status: Any = "ok", **values: object) -> TrialRecord:
    values = {"iterations": 30, **values}
    return TrialRecord(
        number=number, trial_id=str(number), hyperparameters=point(**values), score=score, status=status,
        train_s=train_s,
    )  # fmt: skip


def searched(*trials: TrialRecord) -> StudyResult:
    best = max(trials, key=lambda each: each.score)
    return StudyResult(
        task=Task.CLASSIFICATION, objective="accuracy", trials=trials, best=best, checkpoint=Path("/x"),
        config_file=Path("/y"), val_metrics={}, test_metrics={}, seconds=50,
    )  # fmt: skip


@pytest.fixture
def choice(tiny_choice: ModelChoice) -> ModelChoice:
    return tiny_choice


@pytest.fixture(scope="module")
def tiny_choice(tmp_path_factory: pytest.TempPathFactory) -> ModelChoice:
    return make_setup(Task.CLASSIFICATION, tmp_path_factory.mktemp("tiny")).choice


def test_the_best_and_the_default_configuration_are_the_finalists(choice: ModelChoice) -> None:
    search = searched(trial(1, 0.5, lr=0.002), trial(2, 0.8, lr=0.004), trial(3, 0.9, lr=0.3, status="failed"))
    found = studies.choose_finalists(planned(), OPTIONS, choice, search, seconds=120)
    assert found.origins == ("trial 2 of the search", "the default configuration")
    assert found.configurations[0]["lr"] == 0.004
    assert all(configuration in studies.full_space(OPTIONS, Task.CLASSIFICATION, full()) for configuration in
               found.configurations)  # fmt: skip
    three = studies.choose_finalists(planned(finalists=3), OPTIONS, choice, search, seconds=120)
    assert three.origins[2] == "trial 1 of the search"


def test_without_a_search_the_default_configuration_is_alone(choice: ModelChoice) -> None:
    found = studies.choose_finalists(planned(finalists=1), OPTIONS, choice, None, seconds=120)
    assert found.origins == ("the default configuration",)


def test_steps_follow_from_time_and_batch_and_from_how_slow_the_search_was(choice: ModelChoice) -> None:
    batch = 4
    fast = trial(1, 0.8, batch_size=batch, train_s=30 * batch * 0.012)
    slow = trial(1, 0.8, batch_size=batch, train_s=2 * 30 * batch * 0.012)
    steps = [
        studies.choose_finalists(planned(), OPTIONS, choice, searched(each), seconds=120).configurations[0][
            "iterations"
        ]
        for each in (fast, slow)
    ]
    usual, halved = (int(each) for each in steps)
    assert usual == pytest.approx(studies.AHEAD * (100 - 2) / (0.01 * batch), rel=0.02), "faster than expected"
    assert halved == pytest.approx(usual / 2, rel=0.03)


def test_several_workers_cannot_pass_over_steps_and_get_as_many_as_are_expected(choice: ModelChoice) -> None:
    alone, together = (
        studies.choose_finalists(
            planned(), OPTIONS.model_copy(update={"workers_per_trial": workers}), choice, searched(trial(1, 0.8)), 60
        ).configurations[0]["iterations"]
        for workers in (1, 2)
    )
    assert isinstance(together, int)
    assert alone == pytest.approx(studies.AHEAD * together, rel=0.02)


def test_the_final_study_trains_at_the_full_size_until_its_deadline(choice: ModelChoice, tmp_path: Path) -> None:
    bag = make_setup(Task.CLASSIFICATION, tmp_path).bag
    plan = planned(val_images=4)
    assert plan.full is not None
    finalists = studies.choose_finalists(plan, OPTIONS, choice, searched(trial(1, 0.8)), seconds=120)
    inputs = studies.final_inputs(OPTIONS, bag, choice, plan.full, finalists, ends_at=1000.0)
    assert inputs.setup.choice.input_size == (128, 128)
    assert inputs.setup.choice.measured == MEASURED
    assert inputs.setup.bag.splits["val"].images == 4
    assert inputs.setup.deadline is not None
    assert inputs.setup.deadline.ends_at == 1000.0
    assert (inputs.options.trials, inputs.options.finalists) == (2, finalists.configurations)
    limited = studies.with_time(inputs, 100).options.time_budget_s
    assert limited is not None
    assert 100 < limited < 120


def test_what_is_left_for_the_finalists_leaves_time_for_test_and_export() -> None:
    assert studies.final_seconds(planned(), spent_s=100) == 300 - 100 - 30
    assert studies.final_seconds(planned(), spent_s=290) == 20 + 10, "the least for any training"


def test_both_fidelities_become_one_outcome() -> None:
    search = searched(trial(1, 0.7), trial(2, 0.8))
    finals = searched(trial(1, 0.9), trial(2, 0.85)).model_copy(update={"test_metrics": {"accuracy": 0.88}})
    joined = studies.joined_fidelities(search, finals)
    assert (joined.trials, joined.finals, joined.best) == (search.trials, finals.trials, finals.best)
    assert joined.seconds == 100
    assert "2 finalists of 2 trials" in joined.summary()
    assert studies.joined_fidelities(None, finals) == finals


def test_a_run_by_trials_has_the_bounds_of_its_budget_and_no_finalists() -> None:
    options = OPTIONS.model_copy(update={"trials": 4, "iterations": "5..9"})
    plan = studies.fixed_plan(options, Task.CLASSIFICATION)
    assert plan.full is None
    assert plan.search is not None
    assert (plan.search.trials, plan.search.iterations, plan.search.seconds) == (4, (5, 9), None)
