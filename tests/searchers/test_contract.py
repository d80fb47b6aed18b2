"""Every searcher of the registry keeps the contract."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from optuna.samplers import GPSampler

from searchers import create, needs_first_configs
from searchers.space import Configuration, FloatParameter, SearchSpace
from searchers.testing import METRIC, MakeSearcher, SearcherContract


def make(name: str, space: SearchSpace, seed: int, **options: Any) -> Any:
    first_configs = [lowest(space)] if needs_first_configs(name) else []
    return create(name, space, metric=METRIC, seed=seed, first_configs=first_configs, **options)


def lowest(space: SearchSpace) -> Configuration:
    """A first configuration that every space has."""
    return {p.name: p.choices[0] if p.kind == "choice" else p.low for p in space.parameters}


class TestQuickSearchers(SearcherContract):
    @pytest.fixture(params=["random", "default", "tpe", "tpe-few", "cmaes", "tpe+default"])
    def make_searcher(self, request: pytest.FixtureRequest) -> MakeSearcher:
        return partial(make, request.param)


@pytest.mark.slow
class TestGaussianProcess(SearcherContract):
    # A proposal of the model takes 0.3 to 0.4 s, which would make 200 trials more than a minute.
    many_trials = 10
    some_trials = 5

    @pytest.fixture
    def make_searcher(self) -> MakeSearcher:
        return partial(make, "gp", startup_trials=4)


def test_the_gaussian_process_proposes_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's threads wait for each other where trials keep the cores busy: 30 s a proposal instead of 0.6."""
    seen = []

    def sample(self: GPSampler, *_: Any) -> dict[str, Any]:
        seen.append(torch.get_num_threads())
        return {}

    monkeypatch.setattr(GPSampler, "sample_relative", sample)
    monkeypatch.setattr(GPSampler, "sample_independent", lambda *_: 0.5)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        unit = FloatParameter(name="x", low=0.0, high=1.0)
        make("gp", SearchSpace(parameters=(unit,)), 0, startup_trials=1).suggest("a")
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)
