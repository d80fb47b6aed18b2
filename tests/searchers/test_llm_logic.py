"""The contract for all that is in an LLM searcher but the model, and for the zero-shot; quick, no vLLM.

The server draws answers evenly from the schema that it gets. `test_llm_contract.py` has the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from searchers.testing import MakeSearcher, SearcherContract
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.llm_making import make_experienced, make_llm, past_trial, write_history


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def turns(name: str) -> dict[str, int]:
    """Both have their say within the few trials of a test."""
    return {"llm_first": 3} if name.startswith("llm+") else {}


class TestLlmSearchers(SearcherContract):
    # Each proposal is a call over HTTP.
    many_trials = 60

    @pytest.fixture(params=["hpo-llama", "llm+tpe+default", "bandit"])
    def make_searcher(self, request: pytest.FixtureRequest, server: FaultServer) -> MakeSearcher:
        return partial(make_llm, request.param, server.url, **turns(request.param))


@pytest.mark.slow
@pytest.mark.long
class TestLlmBesideGaussianProcess(SearcherContract):
    # A proposal of the Gaussian process takes 0.3 to 0.4 s.
    many_trials = 15
    some_trials = 6

    @pytest.fixture
    def make_searcher(self, server: FaultServer) -> MakeSearcher:
        return partial(make_llm, "llm+gp", server.url, **turns("llm+gp"))


class TestPrior(SearcherContract):
    @pytest.fixture(params=["zero-shot", "zero-shot+default"])
    def make_searcher(self, request: pytest.FixtureRequest, tmp_path: Path) -> MakeSearcher:
        good = {"iterations": 60, "batch_size": 8, "optimizer": "AdamW", "lr": 0.001, "weight_decay": 1e-4}
        poor = {**good, "lr": 0.1, "optimizer": "SGD"}
        file = write_history(tmp_path / "past.jsonl", [past_trial(good, 0.9), past_trial(poor, 0.2)])
        return partial(make_experienced, request.param, str(file), size=2)
