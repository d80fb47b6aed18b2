"""How long slots wait, on figures worked out by hand, and the fallback trainable under a real Ray Tune."""

import pytest

from autommlab.speed.suggestions import pauses


def report(worker: int, began: float, ended: float) -> dict[str, float]:
    return {"worker": worker, "began": began, "ended": ended}


def test_pauses_lie_between_two_trials_of_one_worker() -> None:
    reports = [report(1, 0, 10), report(1, 12, 22), report(1, 23, 33), report(2, 0, 10), report(2, 10, 20)]
    share, longest = pauses(reports)
    assert share == pytest.approx((2 + 1 + 0) / (23 + 10))
    assert longest == 2


def test_workers_with_one_trial_have_no_pause() -> None:
    assert pauses([report(1, 0, 10), report(2, 5, 15)]) == (0.0, 0.0)
