"""How often a study saves: at each step while that is cheap, and seldom enough once it is dear."""

from types import SimpleNamespace

import pytest

from searchers.tune.snapshots import DEAR_SAVE_S, MOST_OF_TIME, PacedSaves


def manager(period: float | str = "auto") -> PacedSaves:
    return PacedSaves(storage=SimpleNamespace(), checkpoint_period=period, sync_every_n_trial_checkpoints=None)


def after(costs: list[float], period: float | str = "auto") -> float:
    paced = manager(period)
    for cost in costs:
        paced._update_auto_checkpoint_time(time_taken=cost)
    return float(paced._checkpoint_period)


def test_cheap_saves_come_at_every_step() -> None:
    assert manager()._checkpoint_period == 0
    assert after([DEAR_SAVE_S / 2] * 5) == 0


def test_dear_saves_take_no_more_than_their_share_of_the_time() -> None:
    cost = 2 * DEAR_SAVE_S
    assert cost / (cost + after([cost] * 5)) == pytest.approx(MOST_OF_TIME)


def test_one_slow_save_on_a_busy_machine_changes_nothing() -> None:
    assert after([0.01, 0.01, 3.0, 0.01, 0.01]) == 0
    assert after([3.0]) == 0, "the first save, which also imports, set the pace"


def test_the_period_that_a_user_sets_for_tune_stays() -> None:
    assert after([5.0] * 5, period=30.0) == 30


def test_tune_still_has_the_manager_that_we_replace() -> None:
    """Both names are private in Ray; an upgrade that renames them must not pass unnoticed."""
    from ray.tune.execution import experiment_state, tune_controller

    assert issubclass(PacedSaves, experiment_state._ExperimentCheckpointManager)
    assert "_ExperimentCheckpointManager" in vars(tune_controller)
    assert (
        "time_taken" in experiment_state._ExperimentCheckpointManager._update_auto_checkpoint_time.__code__.co_varnames
    )
