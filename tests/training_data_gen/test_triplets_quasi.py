"""The quasi-random configurations: the same places whatever the bounds, a sequence that can be prolonged."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

import searchers
from autommlab.settings import TaskBudget
from autommlab.training.space import search_space
from searchers.distance import place
from searchers.sobol import SobolSearch, sobol_point, unit_point
from searchers.space import ChoiceParameter, Point, SearchSpace
from searchers.testing import METRIC, SPACE, MakeSearcher, SearcherContract
from training_data_gen.triplets.quasi import SEARCHER, plan_points, register_searcher


def make(space: SearchSpace, seed: int) -> SobolSearch:
    return SobolSearch(space, metric=METRIC, seed=seed)


class TestSobol(SearcherContract):
    @pytest.fixture
    def make_searcher(self) -> MakeSearcher:
        return make


def space(iterations: tuple[int, int], batch: tuple[int, int]) -> SearchSpace:
    images = (10, 10, 10)
    return search_space(TaskBudget(input_size=(8, 8), images=images, iterations=iterations, batch_size=batch))


def test_other_bounds_get_the_same_places() -> None:
    wide, narrow = space((1000, 9000), (1, 64)), space((20, 80), (4, 32))
    for one, other in zip(plan_points(wide, 20), plan_points(narrow, 20), strict=True):
        for parameter, twin in zip(wide.parameters, narrow.parameters, strict=True):
            if isinstance(parameter, ChoiceParameter):
                assert one[parameter.name] == other[parameter.name]
            elif parameter.name in ("lr", "weight_decay"):
                assert one[parameter.name] == pytest.approx(other[parameter.name])
            elif parameter.name == "iterations":
                assert place(parameter, one["iterations"]) == pytest.approx(place(twin, other["iterations"]), abs=0.02)


def test_more_points_begin_with_the_same_ones() -> None:
    assert plan_points(SPACE, 100)[:20] == plan_points(SPACE, 20)
    assert unit_point(5, 0, seed=3) != unit_point(5, 0, seed=4)
    assert [sobol_point(SPACE, n, 0) for n in (63, 64, 65)] == plan_points(SPACE, 66)[63:]


def test_sixteen_points_are_spread_evenly() -> None:
    where = space((20, 80), (4, 32))
    points = plan_points(where, 16)
    assert Counter(point["optimizer"] for point in points) == dict.fromkeys(("SGD", "Adam", "AdamW", "RMSprop"), 4)
    assert set(Counter(point["lr_schedule"] for point in points).values()) == {4}
    (rate,) = (p for p in where.parameters if p.name == "lr")
    places = sorted(place(rate, point["lr"]) for point in points)
    assert [int(at * 16) for at in places] == list(range(16))
    assert max(b - a for a, b in pairwise(places)) < 2 / 16


def test_a_studys_seed_changes_nothing_and_the_recipe_comes_first() -> None:
    name = register_searcher(7)
    assert register_searcher(7) == name == f"{SEARCHER}-7"
    recipe: Point = {"iterations": 60, "batch_size": 8, "optimizer": "SGD", "lr": 0.01, "weight_decay": 1e-4}
    for seed in (0, 5):
        searcher = searchers.create(f"{name}+default", SPACE, metric=METRIC, seed=seed, first_points=[recipe])
        proposed = [searcher.suggest(f"t{n}") for n in range(4)]
        assert proposed == [recipe, *plan_points(SPACE, 3, 7)]
        assert searcher.proposed_by("t1") == "sobol"
