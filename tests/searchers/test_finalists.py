"""The searcher that proposes given configurations."""

from __future__ import annotations

from searchers.context import StudySettings
from searchers.finalists import FinalistSearch
from searchers.space import Configuration, FloatParameter, SearchSpace

SPACE = SearchSpace(parameters=(FloatParameter(name="lr", low=0.0, high=1.0),))
GIVEN: list[Configuration] = [{"lr": 0.1}, {"lr": 0.2}]


def made() -> FinalistSearch:
    return FinalistSearch(SPACE, StudySettings(metric="score", first_configs=GIVEN))


def test_each_is_proposed_once_and_then_no_more() -> None:
    searcher = made()
    assert [searcher.suggest("a"), searcher.suggest("b"), searcher.suggest("c")] == [*GIVEN, searcher.FINISHED]
    assert searcher.suggest("a") == GIVEN[0]
    assert searcher.proposed_by("a") == "finalist"


def test_those_that_have_finished_before_are_left_out_whichever_they_are() -> None:
    searcher = made()
    searcher.observe("earlier", GIVEN[1], "finalist")
    searcher.on_trial_complete("earlier", {"score": 0.5, "status": "ok"})
    assert [searcher.suggest("a"), searcher.suggest("b")] == [GIVEN[0], searcher.FINISHED]


def test_its_state_goes_on() -> None:
    before, after = made(), made()
    before.suggest("a")
    after.set_state(before.get_state())
    assert [after.suggest("b"), after.suggest("c")] == [GIVEN[1], after.FINISHED]
