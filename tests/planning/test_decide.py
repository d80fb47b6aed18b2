"""What a plan makes of time, data and measured costs."""

from __future__ import annotations

import pytest

from autommlab.planning.circumstances import WORKER_START_S
from autommlab.planning.decide import decide
from autommlab.planning.records import TimeBudget
from tests.helpers.plan_making import BUDGET, RESERVED, SIZES, circumstances, cost


@pytest.mark.parametrize("minutes", [3, 5, 10, 20, 60])
def test_both_fidelities_fit_into_the_time(minutes: float) -> None:
    here = circumstances(minutes)
    plan = decide(here)
    assert plan.search is not None
    assert plan.full is not None
    assert plan.search.seconds is not None
    assert plan.search.seconds + plan.finals_s == pytest.approx(here.time.training_s)
    assert plan.search.seconds <= 0.36 * here.time.training_s
    trials_s = plan.search.trials * plan.search.trial_s / here.slots
    assert trials_s <= plan.search.seconds - WORKER_START_S + 0.1
    steps = plan.full.steps(here.batch, plan.full.seconds - WORKER_START_S)
    assert steps * here.batch * plan.full.image_s <= plan.full.seconds


def test_more_time_buys_larger_pictures_more_steps_and_more_trials() -> None:
    plans = [decide(circumstances(minutes)) for minutes in (3, 10, 60)]
    sides = [plan.full.input_size[0] for plan in plans if plan.full]
    trials = [plan.search.trials for plan in plans if plan.search]
    assert sides == sorted(sides)
    assert sides[0] < sides[-1] == SIZES[-1][0]
    assert trials == sorted(trials)
    assert trials[0] < trials[-1]
    assert plans[0].more
    assert all("--time" in words for words in plans[0].more)


def test_the_search_is_cheaper_than_the_final_training() -> None:
    plan = decide(circumstances(20))
    assert plan.search is not None
    assert plan.full is not None
    assert plan.search.input_size[0] <= plan.full.input_size[0] / 2
    assert plan.search.iterations[0] == plan.search.iterations[1], "time decides iterations, not the searcher"


def test_a_minute_has_no_room_for_a_search_and_says_so() -> None:
    plan = decide(circumstances(1, time=TimeBudget(asked_s=60, spent_s=40, reserved_s=RESERVED)))
    assert plan.search is None
    assert plan.full is not None
    assert plan.full.finalists == 1
    assert plan.full.input_size == (64, 64)
    assert "no room for a search" in plan.lacking[0]
    assert any("The run takes about" in words for words in plan.lacking)


def test_a_search_has_as_many_trials_as_its_time_has_room_for_at_the_default_batch() -> None:
    usual, large = (decide(circumstances(5, default_batch=batch)).search for batch in (None, BUDGET.batch_size[1]))
    assert usual is not None
    assert large is not None
    assert large.iterations[1] < usual.iterations[1], "a step of more pictures takes longer"
    assert large.trials * large.trial_s <= 2 * (large.seconds or 0)


def test_no_search_where_none_is_asked_for() -> None:
    plan = decide(circumstances(20, trials=0, trials_fixed=True))
    assert plan.search is None
    assert plan.full is not None
    assert plan.full.finalists == 1
    assert plan.finals_s == pytest.approx(circumstances(20).time.training_s)
    assert not any("no room for a search" in words for words in plan.lacking)
    assert any("--trials 0" in words for words in plan.reasons)


def test_what_the_person_fixes_stays() -> None:
    here = circumstances(
        5,
        budget=BUDGET.model_copy(update={"iterations": (10, 50), "batch_size": (8, 8), "reports": 1}),
        sizes=((160, 160),),
        costs=(cost(160, 0.05),),
        iterations_fixed=True,
        trials=4,
        trials_fixed=True,
    )
    plan = decide(here)
    assert plan.search is not None
    assert plan.full is not None
    assert (plan.search.trials, plan.search.iterations, plan.search.batch_size) == (4, (10, 50), (8, 8))
    assert plan.search.input_size == plan.full.input_size == (160, 160)
    assert plan.full.iterations == (10, 50)


def test_many_validation_pictures_do_not_take_the_time_of_training() -> None:
    here = circumstances(5, images=(20_000, 20_000, 1000))
    plan = decide(here)
    assert plan.full is not None
    assert plan.full.val_images is not None
    validation_s = plan.full.reports * plan.full.validation_s
    assert validation_s <= 0.16 * plan.full.seconds
    assert plan.full.val_images >= 100


def test_a_gpu_trains_one_finalist_where_there_is_one_gpu() -> None:
    fast = circumstances(20, slots=1, cpus=4.0, gpus=1.0, costs=(cost(64, 0.0005), cost(128, 0.001)))
    plan = decide(fast)
    assert plan.full is not None
    assert (plan.full.finalists, plan.full.gpus, plan.full.cpus) == (1, 1.0, 4.0)


def test_a_training_gets_all_cpus_only_where_that_is_faster() -> None:
    none = TimeBudget(asked_s=100, spent_s=40, reserved_s={})
    fast, slow = (decide(circumstances(5, time=none, speedup=speedup)).full for speedup in (1.6, 0.4))
    assert fast is not None
    assert slow is not None
    assert (fast.finalists, fast.cpus) == (1, 2)
    assert (slow.finalists, slow.cpus) == (1, 1)
    assert fast.input_size[0] > slow.input_size[0], "what is faster has time for a larger input"
