"""Past trials and this study's results together: what each of them says about a configuration."""

from __future__ import annotations

import random

import numpy as np
import pytest

from searchers.space import Configuration
from searchers.testing import SPACE
from searchers.transfer.residual_gp import ResidualGP, Result
from searchers.transfer.transfer_surrogate import TransferSurrogate
from tests.helpers.past_trials import past_lines, score_of, worth


@pytest.fixture(scope="module")
def score() -> TransferSurrogate:
    return score_of(past_lines())


def at(lr: float) -> Configuration:
    return {**SPACE.sample(random.Random(0)), "lr": lr}


def told(score: TransferSurrogate, reached: dict[float, float]) -> list[Result]:
    return [Result(at(lr), value, *score.values([at(lr)])) for lr, value in reached.items()]


GRID = [at(lr) for lr in np.geomspace(1e-5, 1e-1, 21)]


def best_rate(model: ResidualGP) -> float:
    return float(GRID[int(np.argmax(model.improvement(GRID)))]["lr"])


def test_where_results_say_nothing_past_trials_decide(score: TransferSurrogate) -> None:
    model = ResidualGP(SPACE, score, told(score, {1e-5: worth(at(1e-5))}))
    assert 1e-4 <= best_rate(model) <= 1e-2


def test_results_that_contradict_past_trials_count_more(score: TransferSurrogate) -> None:
    """Past trials are best at 1e-3, these here get better and better below it."""
    here = told(score, {1e-2: 0.1, 1e-3: 0.2, 5e-4: 0.3, 1e-4: 0.6, 5e-5: 0.7})
    assert best_rate(ResidualGP(SPACE, score, here)) <= 1e-4


@pytest.mark.parametrize(("unit", "shift"), [(100.0, 0.0), (1.0, -7.0)])
def test_the_unit_of_the_objective_does_not_matter(score: TransferSurrogate, unit: float, shift: float) -> None:
    here = told(score, {1e-4: 0.5, 1e-3: 0.9, 1e-2: 0.6})
    plain = ResidualGP(SPACE, score, here).improvement(GRID)
    usual, score.usual_range = score.usual_range, score.usual_range * unit
    try:
        other = [Result(r.config, r.value * unit + shift, r.normalised) for r in here]
        np.testing.assert_allclose(ResidualGP(SPACE, score, other).improvement(GRID), plain * unit, rtol=1e-6)
    finally:
        score.usual_range = usual


def test_a_config_that_is_being_tried_promises_less(score: TransferSurrogate) -> None:
    here = told(score, {1e-4: 0.5, 1e-2: 0.6})
    alone = ResidualGP(SPACE, score, here).improvement([at(1e-3)])
    tried = ResidualGP(SPACE, score, here, [at(1e-3)]).improvement([at(1e-3)])
    assert tried[0] < 0.7 * alone[0]


def test_results_that_are_all_alike_are_no_hindrance(score: TransferSurrogate) -> None:
    model = ResidualGP(SPACE, score, told(score, {1e-4: 0.0, 1e-3: 0.0, 1e-2: 0.0}))
    assert np.all(np.isfinite(model.improvement(GRID)))
    assert np.all(model.improvement(GRID) >= 0)


def test_the_usual_range_is_that_of_studies_in_the_units_of_the_objective() -> None:
    percent = [{**line, "score": 100 * line["score"]} for line in past_lines()]
    assert score_of(percent).usual_range == pytest.approx(100 * score_of(past_lines()).usual_range)
    assert 0.3 < score_of(past_lines()).usual_range < 1.1
