"""LLM searchers against a real vLLM service on a tiny random LLaMA: contract, and proposals by the hundred."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchers.llm.answer_schema import format_answer, parse_proposal, proposal_schema
from searchers.llm.prompt import proposal_messages
from searchers.settings import LlmOptions
from searchers.space import SearchSpace
from searchers.testing import SPACE, MakeSearcher, SearcherContract, ask_and_tell, propose, quadratic, report, spaces
from serve.client import Sampling, ServiceClient
from serve.lifecycle import ServiceAddress
from serve.settings import KEY_VARIABLE, ServiceSettings
from serve.testing import tiny_adapter
from tests.helpers.llm_making import CONTEXT, make_llm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def url(service: ServiceAddress, tiny: ServiceSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a service with an untrained adapter called "hpo", which the searchers find by its name."""
    client = service.client(timeout_s=120)
    client.add_adapter("hpo", tiny_adapter(Path(tiny.base_model), tmp_path_factory.mktemp("llm") / "hpo", seed=1))
    yield service.url
    client.remove_adapter("hpo")


class _LlmContract(SearcherContract):
    # A call takes most of a second on one core; two trials are one question without and one with a history.
    many_trials = 6
    some_trials = 2

    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
    @given(space=spaces(), seed=st.integers(0, 2**40))
    def test_proposals_are_plain_values_inside_the_space(
        self, make_searcher: MakeSearcher, space: SearchSpace, seed: int
    ) -> None:
        for config in ask_and_tell(make_searcher(space, seed), self.some_trials):
            assert space.violations(config) == []
            assert {type(value) for value in config.values()} <= {int, float, str}


class TestHpoLlama(_LlmContract):
    @pytest.fixture
    def make_searcher(self, url: str) -> MakeSearcher:
        return partial(make_llm, "hpo-llama", url, samples=2)


@pytest.mark.long
class TestMixed(_LlmContract):
    @pytest.fixture(params=["llm+tpe+default", "bandit"])
    def make_searcher(self, request: pytest.FixtureRequest, url: str) -> MakeSearcher:
        options: dict[str, Any] = {"llm_first": 1, "llm_every": 8} if request.param.startswith("llm") else {}
        return partial(make_llm, request.param, url, samples=2, **options)


#: Three parameters instead of six: an answer of half the tokens, so that hundreds of them take half a minute.
SHORT_SPACE = SearchSpace(parameters=SPACE.parameters[2:])


@pytest.mark.parametrize("studies", [2, pytest.param(20, marks=pytest.mark.long)])
def test_proposals_of_fifty_trials_lie_in_the_space_and_none_comes_twice(url: str, studies: int) -> None:
    """A thousand proposals in the long run, a hundred in the usual one."""
    configs = []
    for study in range(studies):
        searcher = make_llm("hpo-llama", url, SHORT_SPACE, study, samples=64, adapter="tiny")
        trials = [f"{study}.{number}" for number in range(50)]
        own = [propose(searcher, trial_id) for trial_id in trials]
        assert len({json.dumps(config) for config in own}) == len(own)
        usage = searcher.usage()
        assert usage["fallbacks"] == 0, usage
        assert usage["by_origin"] == {"hpo-llama": 50}
        configs += own
    assert len(configs) == 50 * studies
    assert [config for config in configs if config not in SHORT_SPACE] == []


def side_by_side(searcher: Any, slots: int, trials: int) -> list[Any]:
    """Every slot busy; they end in turn."""
    running: list[tuple[str, Any]] = []
    configs = []
    for number in range(trials):
        if len(running) == slots:
            trial_id, config = running.pop(0)
            searcher.on_trial_complete(trial_id, report(quadratic(config)))
        configs.append(propose(searcher, f"t{number}"))
        running.append((f"t{number}", configs[-1]))
    return configs


@pytest.mark.parametrize("name", ["hpo-llama", "llm+tpe"])
def test_eight_trials_at_once(url: str, name: str) -> None:
    configs = side_by_side(make_llm(name, url, SPACE, 0), slots=8, trials=14)
    assert all(config in SPACE for config in configs)
    assert len({json.dumps(config) for config in configs}) == 14


def test_the_record_of_a_real_proposal(url: str) -> None:
    searcher = make_llm("hpo-llama", url, SPACE, 0)
    propose(searcher, "a")
    details = searcher.proposal_details("a")
    assert (details["proposed_by"], details["adapter"], details["calls"]) == ("hpo-llama", "hpo", 1)
    assert details["prompt_tokens"] > 50
    samples = LlmOptions().samples
    assert 20 * samples < details["tokens"] < 120 * samples
    assert details["logprob"] < 0


def test_the_grammar_writes_what_training_data_writes(url: str) -> None:
    """An adapter trained on `format_answer` finds its own text under the grammar, blanks and all."""
    client = ServiceClient(url, api_key=os.environ[KEY_VARIABLE], timeout_s=120)
    messages = proposal_messages(CONTEXT, SPACE, [])
    answer = client.chat(
        messages, model="hpo", schema=proposal_schema(SPACE), sampling=Sampling(samples=4, temperature=1.0)
    )
    for sample in answer.samples:
        assert sample.complete
        assert format_answer(SPACE, parse_proposal(SPACE, sample.text)) == sample.text
