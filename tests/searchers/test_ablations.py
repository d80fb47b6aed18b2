"""The benchmark's variants of HPO-LLaMA: searchers like others, and different in what they are named for."""

from __future__ import annotations

import random
from typing import Any

import pytest

from searchers import SearcherError, StudyContext, create, names, needs_service
from searchers.settings import LlmOptions
from searchers.testing import METRIC, SPACE, propose
from serve.client import Answer, ServiceClient
from serve.settings import EMBEDDED_MODEL
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.llm_making import CONTEXT
from training_data_gen.benchmarks.ablations import ABLATIONS, register_ablations
from training_data_gen.benchmarks.ask_tell import StudyProblem, ask_tell_study
from training_data_gen.benchmarks.surrogate_benchmark import Value


@pytest.fixture(autouse=True)
def registered() -> None:
    register_ablations()
    register_ablations()


def asked_by(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the service is asked, and what the searcher tells of its proposal."""
    with FaultServer() as server:
        searcher: Any = create(name, SPACE, metric=METRIC, seed=0, context=CONTEXT, service=server.url)
        propose(searcher, "t0")
        return server.requests[0], searcher.proposal_details("t0")


def test_they_are_searchers_that_need_the_service() -> None:
    assert set(ABLATIONS) < set(names())
    assert all(map(needs_service, ABLATIONS))


def test_each_differs_in_its_part_alone() -> None:
    whole, likely, untuned = (asked_by(name) for name in ("hpo-llama", *ABLATIONS))
    assert (whole[0]["n"], likely[0]["n"], untuned[0]["n"]) == (12, 4, 12)
    assert (whole[0]["model"], likely[0]["model"], untuned[0]["model"]) == ("hpo", "hpo", EMBEDDED_MODEL)
    assert whole[0]["messages"] == likely[0]["messages"] == untuned[0]["messages"]
    assert likely[1]["expected"] is None
    assert whole[1]["expected"] is not None
    assert [told["proposed_by"] for _, told in (whole, likely, untuned)] == ["hpo-llama", *ABLATIONS]


class TimedClient(ServiceClient):
    """Notes how long each answer may take."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.waits: list[float] = []

    def chat(self, *said: Any, timeout_s: float | None = None, **more: Any) -> Answer:
        self.waits.append(timeout_s or 0.0)
        return super().chat(*said, timeout_s=timeout_s, **more)


@pytest.mark.parametrize("name", ["hpo-llama", "hpo-llama-likely", "llm+tpe"])
def test_a_benchmark_waits_for_an_llm_that_a_run_would_give_up(name: str) -> None:
    problem = StudyProblem(SPACE, StudyContext(), SPACE.sample(random.Random(0)))
    with FaultServer() as server:
        client = TimedClient(server.url)
        study = ask_tell_study(problem, lambda config: Value(0.5), name, 0, trials=2, at_once=1, service=client)
    assert study.fallbacks == 0
    assert min(client.waits) > LlmOptions().patience_s


def test_a_variant_takes_the_options_of_hpo_llama_only() -> None:
    with pytest.raises(SearcherError, match="option of searcher 'hpo-llama-likely' 'patience'"):
        create("hpo-llama-likely", SPACE, metric=METRIC, seed=0, service="http://127.0.0.1:1", patience=3)
