"""A training's schedule ends in time whatever its steps take."""

from __future__ import annotations

import pytest

from autommlab.training.pace import Deadline, DeadlinePace


class Training:
    """Steps of a given length, by a clock of its own."""

    def __init__(self, ends_at: float, iterations: int, validation_s: float = 0.0) -> None:
        self.now, self.left, self.steps = 0.0, iterations, 0
        self.pace = DeadlinePace(Deadline(ends_at=ends_at, validation_s=validation_s), clock=lambda: self.now)

    def run(self, step_s: float, most: int | None = None, reports: int = 1) -> None:
        self.pace.begin(reports)
        while self.left and (most is None or self.steps < most):
            self.now += step_s
            self.steps, self.left = self.steps + 1, self.left - 1
            self.left -= self.pace.after_step(self.left)


@pytest.mark.parametrize("step_s", [0.1, 0.5, 1.0, 2.0, 7.0])
def test_it_ends_at_the_last_position_by_the_deadline(step_s: float) -> None:
    training = Training(ends_at=100, iterations=100)
    training.run(step_s)
    assert training.left == 0
    assert training.now <= 100 + step_s
    assert training.steps + training.pace.passed_over == 100
    if step_s <= 1:
        assert training.steps == 100, "fast enough: no step is left out"
    else:
        assert training.now > 80, "the time is used"


def test_a_machine_that_gets_busy_shortens_the_rest_only() -> None:
    training = Training(ends_at=100, iterations=100)
    training.run(0.5, most=50)
    assert training.pace.passed_over == 0
    training.run(3.0)
    assert training.left == 0
    assert training.now <= 103


def test_validation_has_its_time() -> None:
    training = Training(ends_at=100, iterations=100, validation_s=10)
    training.run(2.0, reports=3)
    assert training.now <= 72


def test_past_the_deadline_the_next_step_is_the_last() -> None:
    training = Training(ends_at=-1, iterations=100)
    training.run(1.0)
    assert training.steps == 1
