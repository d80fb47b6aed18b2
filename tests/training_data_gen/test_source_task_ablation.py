"""Rehearsals: landscapes of training bags, the same start for all, nothing of a held-out bag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from searchers.space import SearchSpace
from training_data_gen.benchmarks.source_task_ablation import Rehearsed, Scaled, range_of, rehearse, table
from training_data_gen.benchmarks.surrogate_benchmark import Smooth, value_of
from training_data_gen.trials.records import Triplet
from training_data_gen.trials.statistics import by_bag, main_seed
from training_data_gen.trials.store import read_triplets

DATA = Path(__file__).parents[2] / "training_data_gen" / "data"


@pytest.fixture(scope="module")
def triplets() -> list[Triplet]:
    return read_triplets(DATA)


def test_a_smooth_landscape_goes_through_its_trials(triplets: list[Triplet]) -> None:
    own = main_seed(by_bag(triplets)["classification-00"])
    landscape = Smooth(own)
    expected = [landscape(row.point).score for row in own]
    assert np.corrcoef(expected, [value_of(row).score for row in own])[0, 1] > 0.9


def test_luck_belongs_to_the_point_and_the_seed(triplets: list[Triplet]) -> None:
    own = main_seed(by_bag(triplets)["classification-00"])
    space, landscape = SearchSpace(parameters=own[0].parameters), Smooth(own)
    low, high = range_of(landscape, space)
    one, again, other = (Scaled(landscape, low, high, seed) for seed in (0, 0, 1))
    assert one(own[0].point) == one(own[0].point) == again(own[0].point)
    assert one(own[0].point) != other(own[0].point)
    assert one.shares == other.shares * 3


@pytest.mark.slow
def test_all_studies_of_a_bag_begin_alike_and_no_held_out_bag_is_touched(triplets: list[Triplet]) -> None:
    found = rehearse(triplets, 1, 1, lambda _: None)
    assert {one.landscape for one in found} == {"gp", "forest"}
    assert not {t.planned for t in triplets if t.held_out} & {one.bag for one in found}
    for kind in ("gp", "forest"):
        starts = [one.shares[:2] for one in found if one.landscape == kind and " 4 " not in one.searcher]
        assert len(starts) == 3
        assert len(set(starts)) == 1
    ended = [one.shares[-1] for one in found]
    assert len(set(ended)) > 2, "it makes no difference who proposes"


def test_the_table_tells_differences_to_the_first_with_their_error() -> None:
    found = [
        Rehearsed("gp", bag, searcher, (0.5, 0.6, share))
        for bag, searcher, share in [("a", "x", 0.7), ("a", "y", 0.8), ("b", "x", 0.7), ("b", "y", 0.9)]
    ]
    lines = table(found).splitlines()
    assert lines[0] == "gp, 2 bags: after 5, 10, 20"
    assert lines[1].split() == ["x", "0.500,", "0.600,", "0.700;", "+0.000", "+-", "0.000"]
    assert lines[2].split() == ["y", "0.500,", "0.600,", "0.850;", "+0.150", "+-", "0.050"]
