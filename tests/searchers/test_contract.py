"""Every searcher of the registry keeps the contract."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from searchers import create, needs_first_points
from searchers.space import Point, SearchSpace
from searchers.testing import METRIC, MakeSearcher, SearcherContract


def make(name: str, space: SearchSpace, seed: int, **options: Any) -> Any:
    first_points = [lowest(space)] if needs_first_points(name) else []
    return create(name, space, metric=METRIC, seed=seed, first_points=first_points, **options)


def lowest(space: SearchSpace) -> Point:
    """A first point that every space has."""
    return {p.name: p.choices[0] if p.kind == "choice" else p.low for p in space.parameters}


class TestQuickSearchers(SearcherContract):
    @pytest.fixture(params=["random", "default", "tpe", "tpe-few", "cmaes", "tpe+default"])
    def make_searcher(self, request: pytest.FixtureRequest) -> MakeSearcher:
        return partial(make, request.param)


@pytest.mark.slow
class TestGaussianProcess(SearcherContract):
    # A proposal of the model takes 0.3 to 0.4 s, which would make 200 trials more than a minute.
    many_trials = 15
    some_trials = 6

    @pytest.fixture
    def make_searcher(self) -> MakeSearcher:
        return partial(make, "gp", startup_trials=4)
