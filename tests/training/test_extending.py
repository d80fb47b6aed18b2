"""A study that is given more trials or another searcher: what is known is told, nothing is proposed twice."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from autommlab.progress.events import Events
from autommlab.tasks import Task
from autommlab.training.ledger import Ledger
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.search_space import study_context
from autommlab.training.study import SEARCH_FILE, _goes_on
from autommlab.training.study_at_work import LEDGER_FILE, StudyAtWork
from autommlab.training.study_options import StudyOptions
from autommlab.training.study_searcher import first_configurations, searcher_of, tell_earlier
from autommlab.training.study_state import state_of
from searchers.testing import propose
from tests.helpers.tiny_trials import make_setup, small_space

SPACE = small_space((4, 400))
RECIPE = SPACE.sample(random.Random(99))


def record(number: int, point: dict) -> TrialRecord:
    own = Hyperparameters.model_validate(point)
    status = "failed" if number == 2 else "ok"
    return TrialRecord(number=number, trial_id=f"old{number}", hyperparameters=own, score=number / 10, status=status)


@pytest.mark.parametrize("name", ["random", "default", "tpe", "tpe-few+default", "gp", "sobol+default", "cmaes"])
def test_a_searcher_that_takes_over_repeats_nothing(name: str, tmp_path: Path) -> None:
    setup = make_setup(Task.CLASSIFICATION, tmp_path)
    context, options = study_context(setup), StudyOptions(searcher="random+default", trials=4)
    first = searcher_of(SPACE, options, [RECIPE], context, None, seed=0)
    points = []
    for number in range(1, 5):
        points.append(propose(first, f"old{number}"))
        first.on_trial_complete(f"old{number}", {"score": number / 10})
    earlier = [record(number, point) for number, point in enumerate(points, 1)]
    # The recipe may have ended last of all: that its turn was first is known all the same.
    options = StudyOptions(searcher=name, trials=9)
    own = first_configurations(options, RECIPE)
    second = searcher_of(SPACE, options, own, context, None, seed=len(earlier))
    tell_earlier(second, [*earlier[1:], earlier[0]], own)
    for number in range(5):
        point = propose(second, f"new{number}")
        assert point not in points, number
        points.append(point)
        second.on_trial_complete(f"new{number}", {"score": 0.5})


def test_options_of_the_searcher_reach_it(tmp_path: Path) -> None:
    context = study_context(make_setup(Task.CLASSIFICATION, tmp_path))
    options = StudyOptions(searcher="tpe", searcher_options=("startup_trials=1",), trials=4)
    searcher: Any = searcher_of(SPACE, options, [], context, None, seed=0)
    for number in range(2):
        propose(searcher, f"t{number}")
        searcher.on_trial_complete(f"t{number}", {"score": 0.5})
    assert [searcher.proposed_by(f"t{number}") for number in range(2)] == ["tpe:start-up", "tpe"]


def goes_on(folder: Path, options: StudyOptions) -> bool:
    setup = make_setup(Task.CLASSIFICATION, folder.parent / "setup")
    return _goes_on(StudyAtWork(setup, options, folder, state_of(folder, None), Ledger(folder / LEDGER_FILE), Events()))


def test_the_state_of_another_search_is_dropped_and_that_of_the_same_kept(tmp_path: Path) -> None:
    options = StudyOptions(searcher="random", trials=4)
    study = tmp_path / "study"
    study.mkdir()
    assert not goes_on(study, options)
    kept = study / "ray" / "something"
    for changed, stays in (
        ({}, True),
        ({"max_concurrent": 2}, True),
        ({"time_budget_s": 9.0}, True),
        ({"trials": 9}, False),
    ):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text("state")
        goes_on(study, options.model_copy(update=changed))
        assert kept.exists() == stays, changed
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("state")
    goes_on(study, options)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("state")
    moved = study.rename(study.with_name("moved"))
    goes_on(moved, options)
    assert not (moved / "ray").exists(), "its trials know the old place"
    study.mkdir()
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("state")
    goes_on(study, options)
    assert kept.exists(), "a study of before there was this record"
    assert (study / SEARCH_FILE).exists()
