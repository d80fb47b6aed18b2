"""Rehearsals: black boxes of source tasks, the same start for all, nothing of a held-out task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from searchers.space import SearchSpace
from training_data_gen.benchmarks.source_task_ablation import (
    AblationStudy,
    NoisyBlackBox,
    ablation_table,
    range_of,
    run_ablation,
)
from training_data_gen.benchmarks.surrogate_benchmark import GpBenchmark, training_value
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import by_bag, main_seed
from training_data_gen.trials.store import read_trials

DATA = Path(__file__).parents[2] / "training_data_gen" / "data"


@pytest.fixture(scope="module")
def recorded() -> list[RecordedTrial]:
    return read_trials(DATA)


def test_a_smooth_black_box_goes_through_its_trials(recorded: list[RecordedTrial]) -> None:
    own = main_seed(by_bag(recorded)["classification-00"])
    black_box = GpBenchmark(own)
    expected = [black_box(row.config).score for row in own]
    assert np.corrcoef(expected, [training_value(row).score for row in own])[0, 1] > 0.9


def test_noise_belongs_to_the_config_and_the_seed(recorded: list[RecordedTrial]) -> None:
    own = main_seed(by_bag(recorded)["classification-00"])
    space, black_box = SearchSpace(parameters=own[0].parameters), GpBenchmark(own)
    low, high = range_of(black_box, space)
    one, again, other = (NoisyBlackBox(black_box, low, high, seed) for seed in (0, 0, 1))
    assert one(own[0].config) == one(own[0].config) == again(own[0].config)
    assert one(own[0].config) != other(own[0].config)
    assert one.normalised == other.normalised * 3


@pytest.mark.slow
def test_all_studies_of_a_bag_begin_alike_and_no_held_out_bag_is_touched(recorded: list[RecordedTrial]) -> None:
    found = run_ablation(recorded, 1, 1, lambda _: None)
    assert {one.black_box for one in found} == {"gp", "surrogate"}
    assert not {t.planned for t in recorded if t.held_out} & {one.bag for one in found}
    for kind in ("gp", "surrogate"):
        starts = [one.normalised[:2] for one in found if one.black_box == kind and " 4 " not in one.searcher]
        assert len(starts) == 3
        assert len(set(starts)) == 1
    ended = [one.normalised[-1] for one in found]
    assert len(set(ended)) > 2, "it makes no difference who proposes"


def test_the_table_tells_differences_to_the_first_with_their_error() -> None:
    found = [
        AblationStudy("gp", bag, searcher, (0.5, 0.6, share))
        for bag, searcher, share in [("a", "x", 0.7), ("a", "y", 0.8), ("b", "x", 0.7), ("b", "y", 0.9)]
    ]
    lines = ablation_table(found).splitlines()
    assert lines[0] == "gp, 2 bags: after 5, 10, 20"
    assert lines[1].split() == ["x", "0.500,", "0.600,", "0.700;", "+0.000", "+-", "0.000"]
    assert lines[2].split() == ["y", "0.500,", "0.600,", "0.850;", "+0.150", "+-", "0.050"]
