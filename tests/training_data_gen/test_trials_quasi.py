"""The quasi-random configurations: the same places whatever the bounds, a sequence that can be prolonged."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

import searchers
from autommlab.settings import TaskBudget
from autommlab.training.search_space import search_space
from searchers import StudySettings
from searchers.distance import unit_value
from searchers.sobol import SobolSearch, sobol_config, unit_point
from searchers.space import ChoiceParameter, Configuration, SearchSpace
from searchers.testing import METRIC, SPACE, MakeSearcher, SearcherContract
from training_data_gen.trials.quasi import SEARCHER, near_configs, plan_configs, register_near, register_searcher


def make(space: SearchSpace, seed: int) -> SobolSearch:
    return SobolSearch(space, StudySettings(METRIC, seed=seed))


class TestSobol(SearcherContract):
    @pytest.fixture
    def make_searcher(self) -> MakeSearcher:
        return make


def space(iterations: tuple[int, int], batch: tuple[int, int]) -> SearchSpace:
    images = (10, 10, 10)
    return search_space(TaskBudget(input_size=(8, 8), images=images, iterations=iterations, batch_size=batch))


def test_other_bounds_get_the_same_places() -> None:
    wide, narrow = space((1000, 9000), (1, 64)), space((20, 80), (4, 32))
    for one, other in zip(plan_configs(wide, 20), plan_configs(narrow, 20), strict=True):
        for parameter, twin in zip(wide.parameters, narrow.parameters, strict=True):
            if isinstance(parameter, ChoiceParameter):
                assert one[parameter.name] == other[parameter.name]
            elif parameter.name in ("lr", "weight_decay"):
                assert one[parameter.name] == pytest.approx(other[parameter.name])
            elif parameter.name == "iterations":
                assert unit_value(parameter, one["iterations"]) == pytest.approx(
                    unit_value(twin, other["iterations"]), abs=0.02
                )


def test_configs_near_a_default_lie_around_it_in_the_space() -> None:
    default: Configuration = {
        "iterations": 120,
        "batch_size": 64,
        "optimizer": "AdamW",
        "lr": 1e-3,
        "weight_decay": 1e-2,
    }
    configs = near_configs(SPACE, default, 200)
    assert all(config in SPACE for config in configs)
    assert len({repr(config) for config in [*configs, default]}) == 201
    assert configs[:8] == near_configs(SPACE, default, 8)
    assert configs[:8] != near_configs(SPACE, default, 8, sequence=1)
    assert sum(1e-4 <= float(config["lr"]) <= 1e-2 for config in configs) > 100
    assert sum(config["optimizer"] == "AdamW" for config in configs) > 60


def test_a_space_of_few_configs_ends_the_search_for_more() -> None:
    small = SearchSpace(parameters=(ChoiceParameter(name="optimizer", choices=("SGD", "Adam", "AdamW")),))
    assert {str(p["optimizer"]) for p in near_configs(small, {"optimizer": "Adam"}, 9)} == {"SGD", "AdamW"}


def test_a_study_near_a_default_proposes_these_configs() -> None:
    configs = near_configs(SPACE, plan_configs(SPACE, 1)[0], 3)
    searcher = searchers.create(register_near(configs, "some-bag"), SPACE, metric=METRIC, seed=0, first_configs=[])
    assert [searcher.suggest(str(number)) for number in range(3)] == configs


def test_more_configs_begin_with_the_same_ones() -> None:
    assert plan_configs(SPACE, 100)[:20] == plan_configs(SPACE, 20)
    assert unit_point(5, 0, seed=3) != unit_point(5, 0, seed=4)
    assert [sobol_config(SPACE, n, 0) for n in (63, 64, 65)] == plan_configs(SPACE, 66)[63:]


def test_sixteen_configs_are_spread_evenly() -> None:
    where = space((20, 80), (4, 32))
    configs = plan_configs(where, 16)
    assert Counter(config["optimizer"] for config in configs) == dict.fromkeys(("SGD", "Adam", "AdamW", "RMSprop"), 4)
    assert set(Counter(config["lr_schedule"] for config in configs).values()) == {4}
    (rate,) = (p for p in where.parameters if p.name == "lr")
    places = sorted(unit_value(rate, config["lr"]) for config in configs)
    assert [int(at * 16) for at in places] == list(range(16))
    assert max(b - a for a, b in pairwise(places)) < 2 / 16


def test_a_studys_seed_changes_nothing_and_the_default_comes_first() -> None:
    name = register_searcher(7)
    assert register_searcher(7) == name == f"{SEARCHER}-7"
    default: Configuration = {"iterations": 60, "batch_size": 8, "optimizer": "SGD", "lr": 0.01, "weight_decay": 1e-4}
    for seed in (0, 5):
        searcher = searchers.create(f"{name}+default", SPACE, metric=METRIC, seed=seed, first_configs=[default])
        proposed = [searcher.suggest(f"t{n}") for n in range(4)]
        assert proposed == [default, *plan_configs(SPACE, 3, 7)]
        assert searcher.proposed_by("t1") == "sobol"
