"""Searchers on tables and surrogates instead of trainings: right values, honest labels, nothing of the budget lost."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autommlab.cli.main import app
from autommlab.common.errors import DataError
from autommlab.common.keyed_lines import write_compressed
from autommlab.compare.across_records import HpoBenchOptions, HpoBenchResult
from autommlab.compare.across_show import hpo_bench_table
from autommlab.tasks import Task
from searchers import create
from searchers.space import SearchSpace
from tests.helpers.trial_making import made_up
from training_data_gen.benchmarks.ask_tell import trial_values
from training_data_gen.benchmarks.replay import DENSE, replay_bags, run_replay
from training_data_gen.benchmarks.surrogate_benchmark import Table, Value
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.surrogate import Surrogate, surrogate_error

PLAN = plan_bags([Task.CLASSIFICATION])
HELD_OUT = next(bag for bag in PLAN if bag.held_out)
OTHERS = [bag for bag in PLAN if not bag.held_out][:4]


class TwoPoints:
    """A searcher that is done after two proposals, as Ray Tune's interface has it."""

    def __init__(self, config: dict) -> None:
        self.config, self.asked, self.told = config, 0, 0

    def suggest(self, _: str) -> dict | str:
        self.asked += 1
        return self.config if self.asked <= 2 else "FINISHED"

    def on_trial_complete(self, _: str, __: dict) -> None:
        self.told += 1


def test_a_table_gives_a_trained_config_its_own_figure_and_any_other_that_of_the_nearest() -> None:
    rows = made_up(HELD_OUT, 40)
    black_box = Table(rows)
    for row in rows:
        assert black_box(row.config) == (Value(0.0, row.reason, row.status) if row.failed else Value(row.score))
    row = next(row for row in rows if not row.failed)
    assert black_box({**row.config, "lr": float(row.config["lr"]) * 1.001}).score == row.score
    assert 0 < black_box.spacing() < 1


def test_a_choice_is_never_nearer_than_a_small_step() -> None:
    rows = made_up(HELD_OUT, 40)
    first = next(row for row in rows if not row.failed)
    other = first.model_copy(update={"config": {**first.config, "optimizer": "SGD"}, "score": 0.123})
    first = first.model_copy(update={"config": {**first.config, "optimizer": "AdamW"}})
    assert Table([first, other])({**first.config, "lr": 1e-3}).score == first.score


def test_a_surrogate_finds_what_decides_and_says_how_wrong_it_is() -> None:
    recorded = [t for bag in (*OTHERS, HELD_OUT) for t in made_up(bag, 40)]
    error = surrogate_error(recorded)
    assert error.trials == len(recorded)
    assert error.r2 > 0.5
    assert error.spearman > 0.7
    fitted = Surrogate(recorded)
    good, bad = fitted.values(HELD_OUT.id, [{**recorded[0].config, "lr": lr} for lr in (1e-3, 1e-5)])
    assert good > bad + 0.1


def test_a_surrogate_of_noise_says_that_it_knows_nothing() -> None:
    draw = random.Random(0)
    noise = [t.model_copy(update={"score": draw.random()}) for bag in OTHERS for t in made_up(bag, 40)]
    assert surrogate_error([t.model_copy(update={"status": "ok"}) for t in noise]).r2 < 0.1


def test_too_few_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="no bag has 10 trials"):
        surrogate_error(made_up(HELD_OUT, 5))


@pytest.mark.parametrize("at_once", [1, 3, 50])
def test_every_trial_of_the_budget_is_played_and_told(at_once: int) -> None:
    space = SearchSpace(parameters=made_up(HELD_OUT, 1)[0].parameters)
    searcher: Any = create("tpe", space, metric="score", seed=1)
    played = trial_values(searcher, Table(made_up(HELD_OUT, 40)), 12, at_once)
    assert len(played) == 12
    known = searcher.attempts()
    assert [attempt.score for attempt in known.values()] == [value.score for value in played]
    assert [attempt.failed for attempt in known.values()] == [bool(value.failure) for value in played]


def test_a_searcher_that_has_no_more_to_say_ends_its_study() -> None:
    rows = made_up(HELD_OUT, 40)
    searcher = TwoPoints(rows[0].config)
    assert len(trial_values(searcher, Table(rows), 12, at_once=3)) == 2
    assert searcher.told == 2


def test_dense_bags_are_read_off_tables_and_thin_ones_off_a_surrogate() -> None:
    options = HpoBenchOptions(tasks=(Task.CLASSIFICATION,))
    _, source = replay_bags(options, made_up(HELD_OUT, DENSE))
    assert source.kind == "table"
    assert source.figures["trainings a task, at least"] == DENSE
    _, source = replay_bags(options, made_up(HELD_OUT, 20))
    assert source.kind == "surrogate"
    assert source.figures["r2"] <= 1
    with pytest.raises(DataError, match=r"no held-out task for classification; train them with: autommlab trials"):
        replay_bags(options, made_up(OTHERS[0], 20))


def test_the_same_seeds_give_the_same_figures_and_another_searcher_its_own(tmp_path: Path) -> None:
    options = HpoBenchOptions(
        tasks=(Task.CLASSIFICATION,), searchers=("random", "tpe", "default", "random+default"), trials=6, seeds=3
    )
    recorded = made_up(HELD_OUT, DENSE)
    first, again = (run_replay(options, recorded, tmp_path, service=None, command="c") for _ in range(2))
    scores = {(study.searcher, study.seed): study.scores for study in first.comparisons[HELD_OUT.id].studies}
    assert scores == {(study.searcher, study.seed): study.scores for study in again.comparisons[HELD_OUT.id].studies}
    assert len(scores) == 12
    assert len({scores["random", seed] for seed in range(3)}) == 3
    assert all(study.test is None for study in first.comparisons[HELD_OUT.id].studies)
    assert str(hpo_bench_table(first).title).startswith("READ OFF TABLES OF REAL TRAININGS")


def test_the_command_says_what_its_figures_are(tmp_path: Path) -> None:
    file = write_compressed([t for bag in (*OTHERS, HELD_OUT) for t in made_up(bag, 20)], tmp_path / "t.jsonl.gz")
    asked = ["bench", "hpo", "--replay", str(file), "--searchers", "random,tpe", "--trials", "4", "--seeds", "3"]
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    result = HpoBenchResult.model_validate_json((tmp_path / "bench-hpo-replay.json").read_bytes())
    assert result.source.kind == "surrogate"
    assert (tmp_path / "bench-hpo-replay.png").exists()
