"""Hyperparameters to config and back; any point of the space builds a Runner in every toolbox."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autommlab import settings as defaults
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.search_space import LEARNING_RATE, WEIGHT_DECAY, choices, search_space
from autommlab.training.translate import optimisation_config, warm_up_iterations


def points(task: Task) -> st.SearchStrategy[Hyperparameters]:
    budget = defaults.profile("laptop").tasks[task]
    return st.builds(
        Hyperparameters,
        iterations=st.integers(*budget.iterations),
        batch_size=st.integers(*budget.batch_size),
        optimizer=st.sampled_from(choices("optimizer")),
        lr=st.floats(*LEARNING_RATE),
        weight_decay=st.floats(*WEIGHT_DECAY),
        lr_schedule=st.sampled_from(choices("lr_schedule")),
    )


@given(points(Task.DETECTION))
def test_every_generated_point_lies_in_the_space(point: Hyperparameters) -> None:
    assert point.model_dump() in search_space(defaults.profile("laptop").tasks[Task.DETECTION])


@given(points(Task.KEYPOINT), st.sampled_from(Task))
def test_warm_up_and_schedule_share_the_training_without_gap(point: Hyperparameters, task: Task) -> None:
    schedulers = optimisation_config(task, point)["param_scheduler"]
    assert schedulers[-1]["end"] == point.iterations
    assert schedulers[-1]["begin"] == warm_up_iterations(task, point.iterations)
    assert len(schedulers) == (2 if warm_up_iterations(task, point.iterations) else 1)


def test_warm_up_where_the_toolboxes_have_it_and_never_longer_than_theirs() -> None:
    assert warm_up_iterations(Task.CLASSIFICATION, 5000) == 0
    assert warm_up_iterations(Task.DETECTION, 100) == 10
    assert warm_up_iterations(Task.KEYPOINT, 7000) == 500


@pytest.mark.parametrize("task", list(Task))
def test_any_point_builds_a_runner_that_trains_with_it(task: Task, tiny_setups: dict, tmp_path: Path) -> None:
    from autommlab.training.trial import Trial

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(points(task))
    def check(point: Hyperparameters) -> None:
        trial = Trial(tiny_setups[task], point, tmp_path / "work")
        read, proposed = trial.readback, point.model_dump()
        trial.close()
        for name, value in proposed.items():
            assert read[name] == (pytest.approx(value) if isinstance(value, float) else value), name

    check()
