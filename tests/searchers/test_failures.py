"""A failed trial is worse than everything seen, whatever the scale and the sign of the objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from searchers import create, needs_service, summaries
from searchers.space import FloatParameter, SearchSpace
from searchers.testing import SPACE, propose

#: Half of it crashes.
HALF = SearchSpace(
    parameters=(
        FloatParameter(name="lr", low=1e-4, high=1.0, log=True),
        FloatParameter(name="dropout", low=0.0, high=0.5),
    )
)
SEEDS, TRIALS = 40, 10


def failures(searcher: Any, loss: Callable[[float], float]) -> int:
    """Crashes in a study whose first trial crashes whatever it is."""
    crashed = 0
    for number in range(TRIALS):
        lr = float(propose(searcher, f"t{number}")["lr"])
        failed = number == 0 or lr > 1e-2
        searcher.on_trial_complete(f"t{number}", None if failed else {"loss": loss(lr)}, error=failed)
        crashed += failed
    return crashed


def test_a_crashed_first_trial_costs_no_more_failures_than_with_an_explicit_worst_score() -> None:
    """Losses above 1: what a crash counted as before, 1.0, was the best of them."""

    def loss(lr: float) -> float:
        return 50.0 + (math.log10(lr) + 3) ** 2

    counted = {
        worst: sum(
            failures(create("tpe-few", HALF, metric="loss", mode="min", seed=seed, worst_score=worst), loss)
            for seed in range(SEEDS)
        )
        for worst in (None, 1000.0)
    }
    assert counted[None] <= counted[1000.0]
    assert counted[None] < 0.48 * SEEDS * TRIALS, "of random trials more than half crash"


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    "name", [name for name in summaries() if not needs_service(name) and name not in ("default", "gp")]
)
def test_every_searcher_counts_a_failure_as_worse_than_every_score(name: str, mode: str) -> None:
    sign = 1 if mode == "max" else -1
    for scores in ([None, 7.5, 12.0, None, 3.0], [None, None, -40.0, -41.0, None], [None, 0.0, 0.0, None, 0.0]):
        searcher: Any = create(name, SPACE, metric="loss", mode=mode)
        for number, score in enumerate(scores):
            propose(searcher, f"t{number}")
            searcher.on_trial_complete(f"t{number}", None if score is None else {"loss": score}, error=score is None)
        ledger = searcher.attempts().values()
        worst = min(sign * attempt.score for attempt in ledger if not attempt.failed)
        assert all(sign * attempt.score < worst for attempt in ledger if attempt.failed)


def test_scores_at_the_end_of_what_a_float_holds_stay_finite() -> None:
    searcher: Any = create("tpe-few", SPACE, metric="loss", mode="min")
    for number, score in enumerate([None, 1.7e308, -1.7e308, None, 0.0]):
        propose(searcher, f"t{number}")
        searcher.on_trial_complete(f"t{number}", None if score is None else {"loss": score}, error=score is None)
    assert all(math.isfinite(attempt.score) for attempt in searcher.attempts().values())
