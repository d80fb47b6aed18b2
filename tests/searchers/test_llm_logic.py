"""The contract for all that is in an LLM searcher but the model, and for the zero-shot; quick, no vLLM.

The server draws answers evenly from the schema that it gets. `test_llm_contract.py` has the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from searchers.space import Configuration
from searchers.testing import SPACE, MakeSearcher, SearcherContract, propose, report
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.llm_making import make_llm, make_with_history, past_trial, write_history
from tests.helpers.past_trials import past_lines, worth


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def turns(name: str) -> dict[str, Any]:
    """Both have their say within the few trials of a test."""
    return {"llm_first": 3} if name.startswith("llm+") else {}


class TestLlmSearchers(SearcherContract):
    # Each proposal is a call over HTTP.
    many_trials = 60

    @pytest.fixture(params=["hpo-llama", "llm+tpe+default", "bandit"])
    def make_searcher(self, request: pytest.FixtureRequest, server: FaultServer) -> MakeSearcher:
        return partial(make_llm, request.param, server.url, **turns(request.param))


class TestLlmAmongRivals(SearcherContract):
    # Each proposal is a call over HTTP and a Gaussian process.
    many_trials = 40

    @pytest.fixture
    def make_searcher(self, server: FaultServer, tmp_path: Path) -> MakeSearcher:
        file = write_history(tmp_path / "past.jsonl", past_lines())
        return partial(make_llm, "llm+grid", server.url, trial_history=str(file))


def test_among_rivals_the_llm_is_asked_once_there_is_a_result_and_a_dead_service_costs_nothing(tmp_path: Path) -> None:
    file = write_history(tmp_path / "past.jsonl", past_lines())
    with FaultServer() as server:
        searcher = make_llm("llm+grid", server.url, SPACE, 0, trial_history=str(file))
        first = propose(searcher, "a")
        assert searcher.proposed_by("a") == "llm+grid:grid"
        assert "prompt_hash" not in searcher.proposal_details("a")
        searcher.on_trial_complete("a", report(worth(first)))
        propose(searcher, "b")
        assert searcher.proposal_details("b")["history"] == 1
        searcher.on_trial_complete("b", report(0.1))
    propose(searcher, "c")
    told = searcher.proposal_details("c")
    assert told["proposed_by"] in {"llm+grid:grid", "llm+grid:neighbour"}
    assert told["fallback"].startswith("service not reachable")
    assert worth(searcher.attempts()["c"].config) > 0.6


def test_without_the_llm_its_rivals_are_those_of_the_grid_alone(tmp_path: Path) -> None:
    """So that whatever the two searchers differ in is the LLM's doing."""
    file = str(write_history(tmp_path / "past.jsonl", past_lines()))
    with FaultServer() as gone:
        pass
    among = make_llm("llm+grid", gone.url, SPACE, 3, trial_history=file)
    alone = make_with_history("surrogate-grid", file, SPACE, 3)
    for trial in "abcd":
        config = propose(alone, trial)
        assert propose(among, trial) == config
        for searcher in (among, alone):
            searcher.on_trial_complete(trial, report(worth(config)))
    assert among.usage()["fallbacks"] == 3


@pytest.mark.slow
@pytest.mark.long
class TestLlmBesideGaussianProcess(SearcherContract):
    # A proposal of the Gaussian process takes 0.3 to 0.4 s.
    many_trials = 15
    some_trials = 6

    @pytest.fixture
    def make_searcher(self, server: FaultServer) -> MakeSearcher:
        return partial(make_llm, "llm+gp", server.url, **turns("llm+gp"))


class TestZeroShot(SearcherContract):
    @pytest.fixture(params=["zero-shot", "zero-shot+default", "fixed-portfolio", "tpe-warm"])
    def make_searcher(self, request: pytest.FixtureRequest, tmp_path: Path) -> MakeSearcher:
        good: Configuration = {
            "iterations": 60,
            "batch_size": 8,
            "optimizer": "AdamW",
            "lr": 0.001,
            "weight_decay": 1e-4,
        }
        poor = {**good, "lr": 0.1, "optimizer": "SGD"}
        file = write_history(tmp_path / "past.jsonl", [past_trial(good, 0.9), past_trial(poor, 0.2)])
        options: dict[str, Any] = {} if request.param == "tpe-warm" else {"size": 2}
        return partial(make_with_history, request.param, str(file), **options)
