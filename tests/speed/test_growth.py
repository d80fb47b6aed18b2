"""What proposals cost as a history grows, on real searchers."""

import pytest

from autommlab.cli.shared import count_or_names, counts_with_commas
from autommlab.common.errors import RequestError
from autommlab.speed.growth import measure_growth


def test_each_searcher_is_looked_at_at_each_length() -> None:
    found = measure_growth(["random", "tpe"], [5, 20])
    assert [(one.searcher, one.trials) for one in found] == [("random", 5), ("random", 20), ("tpe", 5), ("tpe", 20)]
    assert all(one.proposal_s > 0 and one.save_s > 0 for one in found)
    assert found[1].state_mb > found[0].state_mb


def test_a_slow_searcher_is_not_led_on() -> None:
    told: list[str] = []
    found = measure_growth(["random"], [1, 10**9], seconds=0.3, tell=told.append)
    assert [one.trials for one in found] == [1]
    assert "1000000000 are left out" in told[-1]


def test_counts_are_ascending_whole_numbers() -> None:
    assert counts_with_commas("1000, 10,10") == (10, 1000)
    for wrong in ("", "ten", "0", "-3", "1.5"):
        with pytest.raises(RequestError, match="whole numbers"):
            counts_with_commas(wrong)


def test_a_count_or_names() -> None:
    assert count_or_names("12", "--tasks") == 12
    assert count_or_names("nuclei, bees", "--tasks") == ("nuclei", "bees")
    assert count_or_names("", "--tasks") is None
    for wrong in ("0", "9" * 5000):
        with pytest.raises(RequestError, match=r"--tasks: .* or names with commas"):
            count_or_names(wrong, "--tasks")
