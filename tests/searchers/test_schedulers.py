"""Schedulers by name."""

from __future__ import annotations

from typing import Any

import pytest
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule

from searchers import SearcherError, create_scheduler, scheduler_names


@pytest.mark.parametrize(
    ("name", "kind"), [("none", FIFOScheduler), ("asha", ASHAScheduler), ("median", MedianStoppingRule)]
)
def test_names_make_rays_own_schedulers(name: str, kind: type) -> None:
    scheduler: Any = create_scheduler(name, metric="score")
    assert type(scheduler) is kind
    assert scheduler_names() == ("none", "asha", "median")


@pytest.mark.parametrize("name", ["asha", "median"])
def test_the_clock_is_the_number_of_reports(name: str) -> None:
    scheduler: Any = create_scheduler(name, metric="score", max_t=3)
    assert scheduler._time_attr == "training_iteration"
    assert scheduler._metric == "score"


def test_asha_judges_at_each_early_report_of_three() -> None:
    scheduler: Any = create_scheduler("asha", metric="score", max_t=3)
    assert [milestone for milestone, _ in scheduler._brackets[0]._rungs] == [2, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "ahsa"}, r"unknown scheduler 'ahsa'.*Did you mean 'asha'.*Known: none, asha, median"),
        ({"name": "asha", "grace": 4, "max_t": 3}, r"grace must lie in 1..max_t, got grace=4, max_t=3"),
        ({"name": "asha", "reduction_factor": 1}, r"reduction_factor must be above 1, got 1"),
        ({"name": "median", "mode": "best"}, r"mode must be 'max' or 'min', got 'best'"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SearcherError, match=message):
        create_scheduler(options.pop("name"), metric="score", **options)
