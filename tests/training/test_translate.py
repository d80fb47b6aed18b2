"""Hyperparameters to config and back; any point of the space builds a Runner in every toolbox."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autommlab import settings as defaults
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.search_space import LEARNING_RATE, WEIGHT_DECAY, choices, search_space
from autommlab.training.translate import DROP, MULTI_STEPS, optimisation_config, warm_up_iterations


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


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.DETECTION])  # without and with a warm-up
def test_the_rate_drops_at_shares_of_the_whole_training(task: Task) -> None:
    import torch
    from mmengine.optim import LinearLR, MultiStepLR

    point = Hyperparameters(
        iterations=100, batch_size=4, optimizer="SGD", lr=0.1, weight_decay=0, lr_schedule="MultiStepLR"
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=point.lr)
    kinds = {"LinearLR": LinearLR, "MultiStepLR": MultiStepLR}
    schedulers = [
        kinds[one.pop("type")](optimizer, **one) for one in optimisation_config(task, point)["param_scheduler"]
    ]
    rates = []
    for _ in range(point.iterations):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    drops = [step for step in range(1, 100) if rates[step] == pytest.approx(DROP * rates[step - 1])]
    assert drops == [pytest.approx(100 * share, abs=1) for share in MULTI_STEPS]


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
