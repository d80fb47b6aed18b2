"""A run that goes on with more time or more trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autommlab.budget import read_budget
from autommlab.options import RunOptions
from autommlab.planning.again import Earlier, has_more, seconds_now
from autommlab.planning.decide import decide
from autommlab.planning.run_time import asked_seconds, trials_fixed
from tests.helpers.plan_making import circumstances


def earlier(trials: int = 6) -> Earlier:
    return Earlier(decide(circumstances(5)), trials, searched_s=70)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 300),
        ({"time_min": 2.0}, 120),
        ({"trials": 3}, None),
        ({"trials": 3, "time_min": 2.0}, 120),
        ({"profile": "gpu"}, None),
        ({"profile": "gpu", "time_min": 30.0}, 1800),
    ],
)
def test_time_or_trials_limit_a_run(given: dict[str, Any], seconds: float | None) -> None:
    assert asked_seconds(RunOptions(text="x", **given)) == seconds


def test_more_time_is_planned_where_enough_of_it_is_left() -> None:
    assert has_more(RunOptions(text="x", time_min=20), earlier(), spent_s=290)
    assert not has_more(RunOptions(text="x", time_min=5), earlier(), spent_s=290), "no more than before"
    assert not has_more(RunOptions(text="x", time_min=6), earlier(), spent_s=320), "too little is left"


def test_more_trials_take_the_time_that_they_need_and_a_final_training() -> None:
    before = earlier()
    assert before.plan.search is not None
    assert before.plan.full is not None
    some, more = (
        seconds_now(RunOptions(text="x", trials=before.trials + extra), before, spent_s=290) for extra in (2, 6)
    )
    assert some is not None
    assert more is not None
    assert some > 290 + before.plan.full.seconds
    assert more - some == pytest.approx(2 * before.plan.search.trial_s), "two turns of two slots"


def test_the_search_goes_on_as_it_was() -> None:
    before = decide(circumstances(5)).search
    assert before is not None
    plan = decide(replace(circumstances(30), kept=before, done=before.trials))
    assert plan.search is not None
    assert plan.search.trials > before.trials
    same = {"input_size", "iterations", "batch_size", "reports", "val_images"}
    assert plan.search.model_dump(include=same) == before.model_dump(include=same)
    assert any(f"from {before.trials} trials" in words for words in plan.reasons)


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [("minutes: 3", 180), ("minutes: none", None), ("trials: 4", None), ("trials: 4\nminutes: 3", 180)],
)
def test_a_budget_file_says_minutes_or_trials(tmp_path: Path, lines: str, seconds: float | None) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(lines)
    options = RunOptions(text="x", budget_file=read_budget(path))
    assert asked_seconds(options) == seconds
    assert asked_seconds(options.model_copy(update={"time_min": 2.0})) == 120
    assert trials_fixed(options) == (lines == "trials: 4")
