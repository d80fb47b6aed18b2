"""How many trials a study may run at once beside others; `tests/jobs` has two real ones."""

from __future__ import annotations

from typing import Any

import pytest

from searchers import create
from searchers.tune.fair_share import FairShare
from searchers.tune.schedulers import create_scheduler


def limited(slots: int, shares: list[float]) -> FairShare:
    from tests.helpers.tiny_trials import small_space

    return FairShare(create("random", small_space(), metric="score", mode="max", seed=0), slots, lambda: shares[0])


@pytest.mark.parametrize(
    ("slots", "share", "running"), [(4, 1.0, 4), (4, 0.5, 2), (5, 0.5, 3), (4, 0.01, 1), (1, 0.5, 1)]
)
def test_a_study_takes_its_share_and_at_least_one_slot(slots: int, share: float, running: int) -> None:
    searcher = limited(slots, [share])
    suggested = [searcher.suggest(f"t{n}") for n in range(slots + 1)]
    assert sum(config is not None for config in suggested) == running
    assert searcher.must_yield == (running < slots)


def test_the_limits_of_another_cluster_are_not_restored() -> None:
    searcher = limited(4, [0.5])
    assert searcher.suggest("t0") is not None
    restored = limited(2, [1.0])
    restored.set_state(searcher.get_state())
    assert restored.max_concurrent == 2
    assert restored.live_trials == {"t0"}


def test_schedulers_keep_their_kind() -> None:
    from ray.tune.schedulers import AsyncHyperBandScheduler

    scheduler: Any = create_scheduler("asha", metric="score", share=limited(2, [0.5]))
    assert isinstance(scheduler, AsyncHyperBandScheduler)
