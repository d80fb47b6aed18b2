"""Spaces in Ray Tune's terms: what every searcher makes of them, and what none can search."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from ray import tune

from searchers import SearcherError, StudyContext, create, names, needs_first_configs, needs_service
from searchers.conversion import from_tune
from searchers.llm.answer_schema import grid
from searchers.space import ChoiceParameter, FloatParameter, IntParameter, SearchSpace
from searchers.testing import METRIC, MakeSearcher, SearcherContract
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.tune_spaces import as_domains, foreign_space

#: The Gaussian process, which imports torch, is Optuna's like "tpe".
QUICK = [name for name in names() if not needs_service(name) and name not in ("gp", "gp+default")]
FIRST: dict[str, Any] = {
    "optimizer": {"name": "adam", "lr": 0.01}, "batch": 32, "nesterov": False, "mixed": "1", "dropout": 0,
    "warmup": 0.3, "decay": 0.05, "layers": 2, "hidden": 10, "width": 16, "epochs": 10,
}  # fmt: skip


def require_inside(config: dict[str, Any]) -> None:
    """A configuration as the objective of `foreign_space` expects it."""
    assert set(config) == set(foreign_space())
    assert config["epochs"] == 10
    assert set(config["optimizer"]) == {"name", "lr", "momentum"}
    assert config["optimizer"]["name"] in ("sgd", "adam")
    assert type(config["batch"]) is int
    assert config["batch"] in (16, 32, 64)
    assert type(config["nesterov"]) is bool
    assert any(config["mixed"] == one and type(config["mixed"]) is type(one) for one in (1, "1", None, 2.5, (3, 4)))
    assert config["warmup"] in [round(0.1 * step, 1) for step in range(1, 10)]
    assert config["decay"] in [round(0.01 * step, 2) for step in range(1, 101)]
    assert config["layers"] in range(1, 5)
    assert config["width"] in range(8, 65, 8)
    assert 1 <= config["hidden"] < 1000
    assert from_tune(foreign_space()).converted(config) in from_tune(foreign_space()).space


def play(searcher: Any, trials: int) -> list[dict[str, Any]]:
    configs = []
    for number in range(trials):
        configs.append(searcher.suggest(f"t{number}"))
        loss = 5 + configs[-1]["optimizer"]["lr"]
        searcher.on_trial_complete(f"t{number}", None if number == 1 else {"loss": loss}, error=number == 1)
    return configs


@pytest.mark.parametrize("name", QUICK)
def test_every_searcher_takes_the_space_at_once_or_from_ray_tune(name: str) -> None:
    first = [FIRST] if needs_first_configs(name) else []
    by_optuna = name.startswith(("tpe", "cmaes")) and not name.startswith("tpe-warm")
    options: dict[str, Any] = {"startup_trials": 2} if by_optuna else {}
    at_once: Any = create(name, foreign_space(), metric="loss", mode="min", first_configs=first, **options)
    configs = play(at_once, 6)
    for config in configs:
        require_inside(config)
    late: Any = create(name, first_configs=first, **options)
    assert late.set_search_properties("loss", "min", foreign_space(), num_samples=3)
    handed_over = play(late, 6)
    assert [{**config, "epochs": 10} for config in handed_over] == [
        {**config, "optimizer": {n: v for n, v in config["optimizer"].items() if n != "momentum"}} for config in configs
    ], "Ray Tune adds the constants"
    assert late.proposed_by("t2") == at_once.proposed_by("t2")


@pytest.mark.parametrize("name", [name for name in names() if needs_service(name) and "+default" not in name])
def test_the_llms_searchers_take_it_too(name: str) -> None:
    with pytest.raises(SearcherError, match="asks an LLM service and was given none"):
        create(name)
    with FaultServer() as server:
        options: dict[str, Any] = {"llm_first": 3} if name in ("llm+tpe", "llm+gp") else {}
        searcher: Any = create(name, foreign_space(), metric="loss", mode="min", service=server.url, **options)
        for config in play(searcher, 3):
            require_inside(config)
        usage = searcher.usage()
    assert (usage["proposals"], usage["fallbacks"]) == (3, 0)
    assert usage["past_trials"].startswith("not used")


def test_each_domain_becomes_a_parameter_with_its_bounds() -> None:
    found = {parameter.name: parameter for parameter in from_tune(foreign_space()).space.parameters}
    assert found["optimizer/lr"] == FloatParameter(name="optimizer/lr", low=1e-5, high=1e-1, log=True)
    assert found["warmup"] == FloatParameter(name="warmup", low=0.1, high=0.9, step=0.1)
    assert found["layers"] == IntParameter(name="layers", low=1, high=4)
    assert found["hidden"] == IntParameter(name="hidden", low=1, high=999, log=True)
    assert found["width"] == IntParameter(name="width", low=8, high=64, step=8)
    assert found["batch"] == ChoiceParameter(name="batch", choices=("16", "32", "64"))
    assert found["mixed"] == ChoiceParameter(name="mixed", choices=("1", "'1'", "None", "2.5", "(3, 4)"))
    assert "step" not in FloatParameter(name="x", low=0, high=1).model_dump()


def test_first_configurations_are_in_the_studys_terms() -> None:
    flat = {**{k: v for k, v in FIRST.items() if k != "optimizer"}, "optimizer/name": "adam", "optimizer/lr": 0.01}
    for given in (FIRST, flat):
        searcher: Any = create("tpe+default", foreign_space(), metric="loss", mode="min", first_configs=[given])
        config = searcher.suggest("a")
        require_inside(config)
        assert {**config, "optimizer": {**config["optimizer"], "momentum": None}} == {
            **FIRST, "optimizer": {**FIRST["optimizer"], "momentum": None},
        }  # fmt: skip
    default = StudyContext(default={"lr": 0.5, "batch": 16})
    assert create("surrogate", {"lr": tune.uniform(0, 1), "batch": tune.choice([16])}, metric="x", context=default)
    with pytest.raises(SearcherError, match=r"batch = 48 is none of 16, 32, 64"):
        create("random", foreign_space(), first_configs=[{**FIRST, "batch": 48}])
    with pytest.raises(SearcherError, match=r"warmup=0.35 is not 0.1 plus whole steps of 0.1"):
        create("random", foreign_space(), first_configs=[{**FIRST, "warmup": 0.35}])
    with pytest.raises(SearcherError, match=r"unknown parameter 'rate'; dropout is missing"):
        create("random", {"dropout": tune.uniform(0, 1)}, first_configs=[{"rate": 1}])


REFUSED: list[tuple[Any, str]] = [
    ({"a": tune.grid_search([1, 2])}, r"a: tune.grid_search tries every value.*Give tune.choice"),
    ({"a": {"b": {"eval": "1"}}}, r"a/b: expressions are not evaluated"),
    ({"a": tune.sample_from(lambda spec: 1)}, r"a: tune.sample_from makes a part of the space depend on others"),
    ({"a": tune.choice([tune.uniform(0, 1), 1])}, r"a: a choice of which a value is a domain makes the space condit"),
    ({"a": tune.choice([{"b": tune.uniform(0, 1)}])}, r"a: a choice of which a value is a domain"),
    ({"a": [tune.uniform(0, 1)]}, r"a: a domain inside a list has no name; give it a key of its own"),
    ({"a": tune.randn(0, 1)}, r"a: Float with _Normal has no bounds to search within"),
    ({"a": tune.uniform(1, 0)}, r"a: .*low must not exceed high, got low=1.0, high=0.0"),
    ({"a": tune.choice([])}, r"a: a choice needs at least one value"),
    ({"a": tune.choice([object()])}, r"a: a choice of object cannot be named"),
    ({"a": 1}, r"has nothing to search; give a dict of Ray Tune's domains"),
    ({}, r"has nothing to search"),
    ([1], r"a search space is no list"),
    ({"a/b": tune.uniform(0, 1), "a": {"b": tune.uniform(0, 1)}}, r"two parameters are called 'a/b'"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[message[:30] for _, message in REFUSED])
def test_what_cannot_be_searched_is_refused_at_once(given: Any, message: str) -> None:
    with pytest.raises(SearcherError, match=message):
        create("random", given)
    if isinstance(given, dict) and "nothing to search" not in message:
        with pytest.raises(SearcherError, match=message):
            create("random").set_search_properties("loss", "min", given)


def test_space_metric_and_mode_come_once() -> None:
    searcher = create("tpe", foreign_space(), metric="loss", mode="min")
    assert not searcher.set_search_properties("loss", "min", {"lr": tune.uniform(0, 1)}), "it has one already"
    with pytest.raises(SearcherError, match=r"mode='min', Tune was given mode='max'"):
        searcher.set_search_properties("loss", "max", {})
    with pytest.raises(SearcherError, match=r"'tpe' has no search space: give one to searchers.create"):
        create("tpe", metric="loss").suggest("a")
    with pytest.raises(SearcherError, match=r"'tpe' has no mode: give mode=\"min\" or \"max\" to searchers.create"):
        create("tpe", foreign_space(), metric="loss").suggest("a")
    late = create("tpe")
    assert late.set_search_properties("loss", "min", foreign_space())
    with pytest.raises(SearcherError, match=r"mode='min', Tune was given mode='max'"):
        late.set_search_properties("loss", "max", {})
    with pytest.raises(SearcherError, match=r"unknown option of searcher 'tpe'"):
        create("tpe", startup=3)


def test_a_fine_grid_is_thinned_for_an_answer_and_stays_a_grid() -> None:
    fine = FloatParameter(name="x", low=0.0, high=1.0, step=0.001)
    values = grid(fine)
    assert len(values) < 100
    assert all(SearchSpace(parameters=(fine,)).violations({"x": value}) == [] for value in values)
    assert grid(IntParameter(name="x", low=8, high=64, step=8)) == tuple(range(8, 65, 8))
    with pytest.raises(ValueError, match=r"high must be low plus whole steps"):
        FloatParameter(name="x", low=0, high=1, step=0.3)


def converted(name: str, space: SearchSpace, seed: int) -> Any:
    return create(name, as_domains(space), metric=METRIC, mode="max", seed=seed)


class TestConverted(SearcherContract):
    """The contract of searchers holds for one whose space is converted."""

    @pytest.fixture
    def make_searcher(self) -> MakeSearcher:
        made: Callable[[SearchSpace, int], Any] = partial(converted, "tpe-few")
        return made
