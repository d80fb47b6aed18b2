"""What past trials let one expect: the score, the order of an LLM's candidates, the searcher without an LLM."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path

import pytest

from searchers import SearcherError, StudyContext
from searchers.candidates import Candidate, by_likelihood
from searchers.distance import is_near
from searchers.settings import LlmOptions
from searchers.space import Configuration, FloatParameter, SearchSpace
from searchers.testing import SPACE, MakeSearcher, SearcherContract, propose
from searchers.tracking import Attempt
from searchers.transfer.prospects import Prospects, grid_around
from searchers.transfer.transfer_surrogate import TransferSurrogate, fit_surrogate, ranker_for, surrogate_from
from searchers.transfer.trial_history import PastTrial, past_studies
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.llm_making import CONTEXT, make_llm, make_with_history, write_history
from tests.helpers.past_trials import BEST_LR, past_lines, score_of, worth


def test_it_expects_most_where_studies_not_seen_before_are_best() -> None:
    from scipy.stats import spearmanr

    rng = random.Random(1)
    configs = [SPACE.sample(rng) for _ in range(200)]
    values = score_of(past_lines()).values(configs)
    assert spearmanr(values, [worth(config) for config in configs]).statistic > 0.9
    assert 0 <= min(values) < max(values) <= 1


def test_past_studies_of_another_figure_mix_no_units_with_this_one() -> None:
    """The shipped history is scored by accuracy, mAP and so on: only the order and the spread within a study count."""
    lines = past_lines()
    other = [{**line, "score": 0.5 + 0.2 * line["score"]} for line in lines]
    one, two = (past_studies(SPACE, CONTEXT, [PastTrial.model_validate(each) for each in own], "max")
                for own in (lines, other))  # fmt: skip
    normalised = [[score for study in studies for _, score in study.trials] for studies in (one, two)]
    assert normalised[0] == pytest.approx(normalised[1])
    assert (min(normalised[0]), max(normalised[0])) == (0, 1)


def test_the_facts_of_the_context_decide_where_studies_disagree() -> None:
    lines = past_lines(studies=12, small=1e-2, large=1e-4)
    low, high = ({**SPACE.sample(random.Random(0)), "lr": lr} for lr in (1e-4, 1e-2))
    small, large = (StudyContext(facts={**CONTEXT.facts, "model": name}) for name in ("small", "large"))
    assert score_of(lines, small).values([low, high])[1] > 0.3 + score_of(lines, small).values([low, high])[0]
    assert score_of(lines, large).values([low, high])[0] > 0.3 + score_of(lines, large).values([low, high])[1]


def test_lower_may_be_better_and_other_parameters_are_no_help() -> None:
    losses = [{**line, "score": -line["score"], "mode": "min"} for line in past_lines()]
    low, best = ({**SPACE.sample(random.Random(0)), "lr": lr} for lr in (1e-5, BEST_LR))
    values = score_of(losses, mode="min").values([low, best])
    assert values[1] > values[0]
    other = SearchSpace(parameters=(FloatParameter(name="momentum", low=0.5, high=0.99), *SPACE.parameters))
    assert fit_surrogate(other, CONTEXT, [PastTrial.model_validate(line) for line in past_lines()]) is None
    assert score_of(losses, mode="min").values([]) == []


def test_candidates_come_in_the_order_of_the_score_then_of_likelihood() -> None:
    score = score_of(past_lines())
    low, best = ({**SPACE.sample(random.Random(0)), "lr": lr} for lr in (1e-5, BEST_LR))
    given = [Candidate(low, -1.0), Candidate(best, -9.0), Candidate(low, -0.5)]
    ranked = score(given, SPACE)
    assert [(one.config, one.logprob) for one in ranked] == [(best, -9.0), (low, -0.5), (low, -1.0)]
    first, second, third = (one.expected or 0.0 for one in ranked)
    assert first > second == third


def test_a_file_is_fitted_once_until_it_changes(tmp_path: Path) -> None:
    file = write_history(tmp_path / "past.jsonl", past_lines())
    first = surrogate_from(file, SPACE, CONTEXT)
    assert surrogate_from(file, SPACE, CONTEXT) is first
    assert surrogate_from(file, SPACE, StudyContext(facts={"task": "detection"})) is not first
    write_history(file, past_lines(studies=3))
    os.utime(file, ns=(0, 0))
    assert surrogate_from(file, SPACE, CONTEXT) is not first


def test_the_options_choose_the_ranker(tmp_path: Path) -> None:
    file = write_history(tmp_path / "past.jsonl", past_lines())
    assert isinstance(ranker_for(SPACE, CONTEXT, LlmOptions(trial_history=str(file)), "max"), TransferSurrogate)
    assert ranker_for(SPACE, CONTEXT, LlmOptions(rank_by="likelihood"), "max") is by_likelihood
    assert isinstance(ranker_for(SPACE, CONTEXT, LlmOptions(), "max"), TransferSurrogate), "by those of the package"
    assert ranker_for(SPACE, CONTEXT, LlmOptions(), "min") is by_likelihood, "the package has none of that kind"
    with pytest.raises(SearcherError, match=r"trial history .*nowhere.* cannot be read"):
        ranker_for(SPACE, CONTEXT, LlmOptions(trial_history=str(tmp_path / "nowhere")), "max")


def test_an_llm_searcher_tries_its_most_promising_candidate_and_tells_what_is_expected(tmp_path: Path) -> None:
    file = write_history(tmp_path / "past.jsonl", past_lines())
    with FaultServer() as server:
        ranked, likely = (
            make_llm("hpo-llama", server.url, SPACE, 0, samples=16, trial_history=str(file), rank_by=by)
            for by in ("past trials", "likelihood")
        )
        configs = [[propose(searcher, f"t{n}") for n in range(6)] for searcher in (ranked, likely)]
    mean_worth = [sum(map(worth, own)) / len(own) for own in configs]
    assert mean_worth[0] > mean_worth[1] + 0.1
    assert 0.5 < ranked.proposal_details("t0")["expected"] <= 1
    assert likely.proposal_details("t0")["expected"] is None


class TestSurrogate(SearcherContract):
    # Each proposal draws and rates 512 configurations.
    many_trials = 60

    @pytest.fixture(params=["surrogate", "surrogate+default", "surrogate-grid"])
    def make_searcher(self, request: pytest.FixtureRequest, tmp_path: Path) -> MakeSearcher:
        file = write_history(tmp_path / "past.jsonl", past_lines())
        return partial(make_with_history, request.param, str(file))


def test_it_proposes_good_configs_from_the_first_trial_on(tmp_path: Path) -> None:
    file = write_history(tmp_path / "past.jsonl", past_lines())
    searcher = make_with_history("surrogate", str(file), SPACE, 0)
    configs = [propose(searcher, f"t{n}") for n in range(5)]
    assert min(map(worth, configs)) > 0.8
    assert searcher.proposed_by("t0") == "surrogate"


def test_without_earlier_studies_it_says_that_it_draws_at_random(tmp_path: Path) -> None:
    other = [{**line, "mode": "min"} for line in past_lines()]
    searcher = make_with_history("surrogate", str(write_history(tmp_path / "past.jsonl", other)), SPACE, 0)
    propose(searcher, "a")
    assert searcher.proposed_by("a") == "surrogate:random"


def test_a_space_whose_learning_rate_has_another_name_starts_where_the_surrogate_expects_most() -> None:
    """There the grid would be the default configuration alone, whatever earlier studies say."""
    space = SearchSpace(
        parameters=tuple(p.model_copy(update={"name": "rate"}) if p.name == "lr" else p for p in SPACE.parameters)
    )
    lines = [
        {
            **line,
            "config": {("rate" if name == "lr" else name): value for name, value in line["config"].items()},
            "parameters": space.model_dump(mode="json")["parameters"],
        }
        for line in past_lines()
    ]
    default: Configuration = {
        "iterations": 60, "batch_size": 8, "optimizer": "AdamW", "rate": 1e-5, "weight_decay": 1e-4,
    }  # fmt: skip
    score = fit_surrogate(space, CONTEXT, [PastTrial.model_validate(line) for line in lines])
    assert score is not None
    found = Prospects(space, score, "max", default).best([], random.Random(0))
    assert found is not None
    assert found.source == "draw"
    assert 1e-4 < float(found.config["rate"]) < 1e-2


def test_prospects_are_the_grid_then_also_what_lies_near_the_best_trial_and_never_one_that_was_tried() -> None:
    default: Configuration = {
        "iterations": 60, "batch_size": 8, "optimizer": "AdamW", "lr": 1e-3, "weight_decay": 1e-4,
    }  # fmt: skip
    grid = grid_around(SPACE, default)
    assert sorted(float(config["lr"]) for config in grid) == pytest.approx([1e-3 * 2 ** (k / 2) for k in range(-2, 5)])
    assert all({**config, "lr": 1e-3} == default for config in grid)
    prospects = Prospects(SPACE, score_of(past_lines()), "max", default)
    ledger: list[Attempt] = []
    for _ in range(12):
        found = prospects.best(ledger, random.Random(len(ledger)))
        assert found is not None
        assert not is_near(SPACE, found.config, [attempt.config for attempt in ledger])
        ledger.append(Attempt(found.config, found.source, score=worth(found.config)))
    assert {attempt.origin for attempt in ledger} == {"grid", "neighbour"}
    assert ledger[0].origin == "grid"
