"""TPE's draws in the order of past trials: better than its own order while results are few, and still TPE's draws."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from searchers import SearcherError, StudySettings, create
from searchers.optuna_search import tpe_few, tpe_ranked
from searchers.space import ChoiceParameter, FloatParameter, IntParameter, SearchSpace
from searchers.testing import METRIC, SPACE, MakeSearcher, SearcherContract, propose, report
from searchers.transfer.transfer_surrogate import TransferSurrogate, fit_surrogate
from searchers.transfer.trial_history import PastStudy, PastTrial
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.llm_making import CONTEXT, past_trial, write_history
from tests.helpers.past_trials import past_lines, score_of, worth


def reached(make: Any, trials: int = 8) -> float:
    """Mean worth, over 8 seeds, of what is proposed after three trials at random."""
    found = []
    for seed in range(8):
        searcher = make(SPACE, StudySettings(METRIC, seed=seed))
        for number in range(trials):
            config = propose(searcher, f"t{number}")
            searcher.on_trial_complete(f"t{number}", report(worth(config)))
            if number >= 3:
                found.append(worth(config))
    return sum(found) / len(found)


def test_its_proposals_are_better_than_tpes_where_past_trials_tell() -> None:
    ranked = partial(tpe_ranked, score=score_of(past_lines()))
    assert reached(ranked) > reached(tpe_few) + 0.1


def test_it_looks_where_this_study_is_good_if_past_trials_are_of_no_help() -> None:
    misleading = score_of(past_lines(lite0=0.1))
    late = [p for seed in range(4) for p in _configs(misleading, seed, trials=30)[20:]]
    assert sum(worth(p) for p in late) / len(late) > 0.6, "past trials say lr 0.1, which is worth 0.5"


def test_what_was_tried_is_not_tried_again_while_there_is_something_new() -> None:
    sizes = IntParameter(name="batch_size", low=1, high=3)
    space = SearchSpace(parameters=(sizes, ChoiceParameter(name="optimizer", choices=("SGD", "Adam", "AdamW"))))
    searcher = make_ranked(space, 0)
    configs: list[Any] = []
    for number in range(9):
        config = propose(searcher, f"t{number}")
        assert number < 3 or config not in configs or len({str(p) for p in configs}) == 9
        configs.append(config)
        searcher.on_trial_complete(f"t{number}", report(float(config == {"batch_size": 1, "optimizer": "SGD"})))


def test_past_trials_are_no_part_of_the_state_and_a_restored_one_has_them_again() -> None:
    few, many = ([past_lines()[0]] * 2, past_lines() * 4)
    saved = []
    for past in (few, many):
        searcher = tpe_ranked(SPACE, StudySettings(METRIC, seed=0), score=score_of(past))
        for number in range(5):
            config = propose(searcher, f"t{number}")
            searcher.on_trial_complete(f"t{number}", report(worth(config)))
        saved.append(searcher.get_state())
    assert abs(len(str(saved[0])) - len(str(saved[1]))) < 2000
    restored = tpe_ranked(SPACE, StudySettings(METRIC, seed=0), score=score_of(many))
    restored.set_state(saved[1])
    assert propose(restored, "t5") == propose(searcher, "t5")


def _configs(score: Any, seed: int, trials: int) -> list[Any]:
    searcher = tpe_ranked(SPACE, StudySettings(METRIC, seed=seed), score=score)
    configs = []
    for number in range(trials):
        configs.append(propose(searcher, f"t{number}"))
        searcher.on_trial_complete(f"t{number}", report(worth(configs[-1])))
    return configs


def test_a_parameter_with_one_value_is_no_hindrance() -> None:
    space = SearchSpace(
        parameters=(
            FloatParameter(name="lr", low=1e-5, high=1e-1, log=True),
            ChoiceParameter(name="optimizer", choices=("SGD",)),
        )
    )
    lines = [past_trial({"lr": lr, "optimizer": "SGD"}, worth({"lr": lr})) for lr in (1e-4, 1e-3, 1e-2)]
    for line in lines:
        line["parameters"] = [parameter.model_dump() for parameter in space.parameters]
    score = fit_surrogate(space, CONTEXT, [PastTrial.model_validate(line) for line in lines])
    assert score is not None
    searcher = tpe_ranked(space, StudySettings(METRIC, seed=0), score=score)
    for number in range(6):
        config = propose(searcher, f"t{number}")
        assert config["optimizer"] == "SGD"
        searcher.on_trial_complete(f"t{number}", report(worth(config)))


@pytest.mark.parametrize(("rank_by", "origin"), [("past trials", "tpe-ranked"), ("likelihood", "tpe-few")])
def test_llm_tpe_ranks_both_kinds_of_candidates_or_none(rank_by: str, origin: str, tmp_path: Path) -> None:
    file = write_history(tmp_path / "past.jsonl", past_lines())
    with FaultServer() as server:
        searcher: Any = create(
            "llm+tpe", SPACE, metric=METRIC, seed=0, service=server.url, context=CONTEXT,
            trial_history=str(file), rank_by=rank_by, llm_first=3,
        )  # fmt: skip
        for number in range(5):
            config = propose(searcher, f"t{number}")
            searcher.on_trial_complete(f"t{number}", report(worth(config)))
    assert [a.origin for a in searcher.attempts().values()][3:] == [origin] * 2


def test_too_few_trials_to_begin_with_are_refused() -> None:
    with pytest.raises(SearcherError, match="startup_trials must be at least 1, got 0"):
        tpe_ranked(SPACE, StudySettings(METRIC, seed=0), score=score_of(past_lines()), startup_trials=0)


def make_ranked(space: SearchSpace, seed: int) -> Any:
    rng = random.Random(0)
    past = PastStudy(CONTEXT.facts, 0.0, tuple((space.sample(rng), rng.random()) for _ in range(20)))
    return tpe_ranked(space, StudySettings(METRIC, seed=seed), score=TransferSurrogate(space, CONTEXT, [past]))


class TestContract(SearcherContract):
    """What every searcher promises."""

    # A proposal takes 0.05 s after 50 results, 0.3 s after 300.
    many_trials = 60

    @pytest.fixture
    def make_searcher(self) -> MakeSearcher:
        return make_ranked
