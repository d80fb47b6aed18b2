"""Searchers as samplers of Optuna studies: every kind of trial that such a study has."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from ray import tune

import searchers
from searchers import OptunaSampler, SearcherError, StudySettings, create, names, needs_service, registry
from searchers.optuna_sampler import ATTRIBUTE
from searchers.random_search import RandomSearch
from searchers.space import SearchSpace
from searchers.tracking import Attempt

DISTRIBUTIONS = {
    "lr": FloatDistribution(1e-5, 1e-1, log=True),
    "drop": FloatDistribution(0.05, 0.45, step=0.1),
    "layers": IntDistribution(1, 9, step=2),
    "batch": CategoricalDistribution([16, 32, 64]),
    "flag": CategoricalDistribution([True, False, None]),
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def objective(trial: optuna.Trial) -> float:
    """Asks for its parameters as it runs; some trials are pruned, some fail, and one parameter is not always there."""
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    trial.suggest_float("drop", 0.05, 0.45, step=0.1)
    trial.suggest_int("layers", 1, 9, step=2)
    trial.suggest_categorical("batch", [16, 32, 64])
    if trial.suggest_categorical("flag", [True, False, None]):
        trial.suggest_float("only with flag", 0, 1)
    if trial.number % 5 == 3:
        trial.report(9.0, 1)
        trial.report(8.0, 2)
        raise optuna.TrialPruned
    if trial.number % 5 == 1:
        raise ValueError("it fails")
    return 5 + lr


def studied(sampler: OptunaSampler, trials: int, **settings: Any) -> optuna.Study:
    study = optuna.create_study(sampler=sampler, **settings)
    study.optimize(objective, n_trials=trials, catch=ValueError)
    return study


def proposers(study: optuna.Study) -> list[str]:
    return [trial.system_attrs.get(ATTRIBUTE, {}).get("proposed_by", "") for trial in study.trials]


class Spy(RandomSearch):
    """Random draws; the test looks at what it was told."""

    made: list[Spy]

    def __init__(self, space: SearchSpace, study: StudySettings) -> None:
        super().__init__(space, study)
        self.made.append(self)


@pytest.fixture
def spies(monkeypatch: pytest.MonkeyPatch) -> list[Spy]:
    monkeypatch.setattr(registry, "_registered", {"spy": Spy})
    monkeypatch.setattr(Spy, "made", [], raising=False)
    return Spy.made


def told(spies: list[Spy]) -> list[Attempt]:
    """The ledger of the searcher that was made last."""
    return list(spies[-1].attempts().values())


@pytest.mark.parametrize(
    "name", [name for name in names() if not needs_service(name) and "default" not in name and name != "gp"]
)
def test_every_searcher_samples_a_study_from_its_second_trial_on(name: str) -> None:
    study = studied(OptunaSampler(name, seed=1), 8)
    assert proposers(study)[0] == "", "the space shows in the first trial"
    assert all(proposers(study)[1:])
    assert [trial.state.name for trial in study.trials[:4]] == ["COMPLETE", "FAIL", "COMPLETE", "PRUNED"]


@pytest.mark.parametrize(
    "space",
    [
        DISTRIBUTIONS,
        {
            "lr": tune.loguniform(1e-5, 1e-1), "drop": tune.quniform(0.1, 0.5, 0.1), "layers": tune.randint(1, 9),
            "batch": tune.choice([16, 32]), "flag": tune.choice([True, None]),
        },
    ],
    ids=["Optuna's", "Ray Tune's"],
)  # fmt: skip
def test_a_declared_space_is_searched_from_the_first_trial_on(space: dict[str, Any]) -> None:
    sampler = OptunaSampler("tpe-few", space, seed=1)
    study = optuna.create_study(sampler=sampler)
    asked = [study.ask(sampler.infer_relative_search_space(study, None)) for _ in range(2)]  # type: ignore[arg-type]
    assert proposers(study) == ["tpe-few:start-up"] * 2
    assert all(set(trial.params) == set(space) for trial in asked)
    study.tell(asked[0], 1.0)


def test_it_proposes_what_the_searcher_proposes() -> None:
    space = {"lr": tune.loguniform(1e-5, 1e-1), "batch": tune.choice([16, 32, 64])}
    plain: Any = create("tpe-few", space, metric="loss", mode="min", seed=4)
    study = optuna.create_study(sampler=OptunaSampler("tpe-few", space, seed=4))
    for number in range(8):
        trial = study.ask()
        params = {
            "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
            "batch": trial.suggest_categorical("batch", [16, 32, 64]),
        }
        assert params == plain.suggest(f"t{number}")
        study.tell(trial, 50 + params["lr"])
        plain.on_trial_complete(f"t{number}", {"loss": 50 + params["lr"]})


def test_pruned_and_failed_trials_are_told_as_what_they_are(spies: list[Spy]) -> None:
    studied(OptunaSampler("spy"), 8)
    ended = told(spies)[:7]
    assert [attempt.failed for attempt in ended] == [False, True, False, False, False, False, True]
    assert ended[3].score == 8.0, "the last value before it was pruned"
    assert all(attempt.score is not None and attempt.score > 8.0 for attempt in ended if attempt.failed)
    assert ended[0].origin == "elsewhere"


def test_the_direction_is_the_studys(spies: list[Spy]) -> None:
    for direction, mode in (("maximize", "max"), ("minimize", "min")):
        studied(OptunaSampler("spy", DISTRIBUTIONS), 1, direction=direction)
        assert spies[-1].mode == mode
    study = optuna.create_study(sampler=OptunaSampler("spy"), directions=["minimize", "maximize"])
    with pytest.raises(SearcherError, match=r"has 2 objectives; searchers here search for one"):
        study.ask().suggest_float("x", 0, 1)


def test_enqueued_trials_count_with_the_values_that_they_had(spies: list[Spy]) -> None:
    study = optuna.create_study(sampler=OptunaSampler("spy", DISTRIBUTIONS))
    whole = {"lr": 0.01, "drop": 0.15, "layers": 3, "batch": 32, "flag": None}
    study.enqueue_trial(whole)
    study.enqueue_trial({"lr": 0.02})
    study.optimize(objective, n_trials=4, catch=ValueError)
    assert study.trials[0].params == whole
    assert proposers(study)[0] == ""
    ledger = told(spies)
    assert [ledger[0].config["lr"], ledger[1].config["lr"]] == [0.01, 0.02]
    assert ledger[0].config["batch"] == "32"
    assert [attempt.score is None for attempt in ledger] == [False, False, False, True]


def test_a_study_goes_on_with_another_sampler_or_in_another_process(spies: list[Spy]) -> None:
    study = studied(OptunaSampler("random"), 5)
    study.sampler = pickle.loads(pickle.dumps(OptunaSampler("spy")))  # noqa: S301 - our own
    study.optimize(objective, n_trials=1, catch=ValueError)
    assert len(told(spies)) == 6
    assert sum(attempt.score is not None for attempt in told(spies)) == 5


def test_trials_side_by_side(spies: list[Spy]) -> None:
    study = optuna.create_study(sampler=OptunaSampler("spy"))
    study.optimize(objective, n_trials=12, n_jobs=3, catch=ValueError)
    assert all(trial.state.is_finished() for trial in study.trials)
    running = [study.ask(DISTRIBUTIONS) for _ in range(2)]
    assert [attempt.score is None for attempt in told(spies)][-2:] == [True, True]
    study.tell(running[0], state=TrialState.FAIL)


def test_what_it_cannot_do_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: OptunaSampler("tpee"), r"unknown searcher 'tpee'.*Did you mean 'tpe'"),
        (lambda: OptunaSampler("tpe", startup=3), r"unknown option of searcher 'tpe' 'startup'"),
        (lambda: OptunaSampler("tpe+default"), r"call study.enqueue_trial"),
        (lambda: OptunaSampler("tpe", {"a": tune.sample_from(lambda _: 1)}), r"a: tune.sample_from"),
        (lambda: OptunaSampler("tpe", {}), r"has nothing to search"),
        (lambda: OptunaSampler("hpo-llama"), r"asks an LLM service and was given none"),
    ]
    for make, message in bad:
        with pytest.raises(SearcherError, match=message):
            make()
    with caplog.at_level(logging.WARNING):
        study = studied(OptunaSampler("surrogate", DISTRIBUTIONS), 1)
    assert "surrogate uses no trials of earlier studies" in caplog.text
    assert study.trials[0].system_attrs[ATTRIBUTE]["past_trials"].startswith("not used")
    with pytest.raises(AttributeError, match="no attribute 'OptunaSamplers'"):
        searchers.OptunaSamplers  # noqa: B018
