"""The overhead benchmark: its arithmetic, and one tiny real comparison."""

import subprocess
import sys

import pytest

from autommlab.speed.overhead import OverheadResult, busy_share, seconds_per_trial
from autommlab.training.records import Hyperparameters, TrialRecord


def trial(worker: str, ended_at: float, busy: float) -> TrialRecord:
    config = Hyperparameters(
        iterations=1, batch_size=1, optimizer="SGD", lr=0.1, weight_decay=0.0, lr_schedule="StepLR"
    )
    return TrialRecord(
        number=1,
        trial_id="t",
        hyperparameters=config,
        score=0.5,
        status="ok",
        train_s=busy * 0.75,
        val_s=busy * 0.25,
        ended_at=ended_at,
        worker=worker,
    )


def test_busy_share_counts_from_each_workers_second_trial() -> None:
    trials = (trial("a", 100, 99), trial("a", 110, 9), trial("a", 120, 8), trial("b", 50, 1), trial("b", 60, 10))
    assert busy_share(trials) == pytest.approx((9 + 8 + 10) / 30)


def test_seconds_per_trial_count_from_each_workers_second_trial() -> None:
    trials = (trial("a", 100, 99), trial("a", 110, 9), trial("b", 50, 1), trial("b", 64, 10))
    assert seconds_per_trial(trials) == pytest.approx((10 + 14) / 2)


def test_busy_share_without_a_second_trial_is_zero() -> None:
    assert busy_share((trial("a", 100, 99), trial("b", 110, 9))) == 0.0


@pytest.mark.slow
@pytest.mark.long
def test_the_command_compares_the_same_trials_both_ways(tmp_path: object) -> None:
    line = [sys.executable, "-m", "autommlab", "bench", "overhead", "--trials", "3", "--iterations", "5", "--json"]
    done = subprocess.run([*line, "--out", str(tmp_path)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    result = OverheadResult.model_validate_json(done.stdout)
    assert result.trials == 3
    assert result.ratio == pytest.approx(result.processes_s / result.reused_s)
    assert 0 < result.busy_share <= 1
