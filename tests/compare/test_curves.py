"""Best-so-far curves and their statistics, on figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.compare.curves import best_so_far, checkpoints, estimate, normalised_regret, trials_to_match, wins
from autommlab.compare.records import StudySummary
from autommlab.compare.standings import standings

scores = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def study(searcher: str, seed: int, values: list[float], **more: object) -> StudySummary:
    plain = {"statuses": ("ok",) * len(values), "proposed_by": {searcher: len(values)}, "test": max(values)}
    return StudySummary(searcher=searcher, seed=seed, scores=tuple(values), seconds=1.0, **{**plain, **more})


@given(scores)
def test_best_so_far_never_falls_and_ends_at_the_best(values: list[float]) -> None:
    curve = best_so_far(values)
    assert len(curve) == len(values)
    assert curve == sorted(curve)
    assert curve[-1] == max(values)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=12))
def test_an_interval_holds_its_mean_and_stays_within_the_values(values: list[float]) -> None:
    found = estimate(values)
    assert min(values) - 1e-12 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= max(values) + 1e-12


def test_two_seeds_get_no_interval() -> None:
    assert estimate([0.2, 0.4]).low is None
    assert str(estimate([0.2, 0.4])) == "0.300"


@pytest.mark.parametrize(
    ("trials", "expected"), [(1, [1]), (4, [1, 3, 4]), (10, [1, 3, 5, 10]), (12, [1, 3, 5, 10, 12])]
)
def test_checkpoints_end_at_the_budget(trials: int, expected: list[int]) -> None:
    assert checkpoints(trials) == expected


def test_a_tied_seed_is_shared_and_regret_is_a_share_of_the_range() -> None:
    finals = {"a": [0.8, 0.5], "b": [0.8, 0.6]}
    assert wins(finals) == {"a": 0.5, "b": 1.5}
    assert normalised_regret(finals, best=0.8, worst=0.4)["a"].mean == pytest.approx((0 + 0.75) / 2)


def test_trials_to_match_is_the_first_that_reaches_the_target() -> None:
    assert trials_to_match([0.1, 0.5, 0.5, 0.7], 0.5) == 2
    assert trials_to_match([0.1, 0.5], 0.6) is None


def test_standings_compare_only_seeds_that_every_searcher_has() -> None:
    studies = [
        study("a", 0, [0.1, 0.5]),
        study("a", 1, [0.9, 0.9]),
        study("b", 0, [0.4, 0.4], statuses=("ok", "diverged"), proposed_by={"b": 1, "b:fallback": 1}),
    ]
    first, second = standings(studies, ["a", "b"], trials=2)
    assert first.best_after[2].mean == 0.5
    assert (first.wins, second.wins) == (1.0, 0.0)
    assert second.failed == second.fallbacks == 0.5
    assert first.trials_to_match == 2
    assert second.trials_to_match is None
    assert second.regret.mean == pytest.approx((0.5 - 0.4) / (0.5 - 0.1))


def test_a_study_that_ended_early_stays_where_it_was() -> None:
    (only,) = standings([study("a", 0, [0.3])], ["a"], trials=3)
    assert only.best_after[3].mean == 0.3
