"""The benchmark of many trials at once, tiny but on a real Ray Tune."""

import json
from pathlib import Path

import pytest

from autommlab.speed.scale import ScaleResult, last_end
from tests.helpers.program import autommlab


def test_overhead_is_what_goes_beyond_the_ideal() -> None:
    result = ScaleResult(
        searcher="random", trials=8, finished=8, slots=4, trial_s=10, seconds=23, ideal_s=20,
        started_ideal_s=21.5, slots_used=4, start_s=(1, 1), waiting=0, longest_s=0, driver_cpu=0.1,
        memory_mb=(1, 1, 1, 1), state_mb=1,
    )  # fmt: skip
    assert result.overhead == pytest.approx(0.15)
    assert result.driver_overhead == pytest.approx(23 / 21.5 - 1)


@pytest.mark.parametrize(
    ("starts", "trials", "end"),
    [([0.0, 0.0], 4, 20.0), ([0.0, 0.0], 5, 30.0), ([0.0, 4.0], 4, 24.0), ([0.0, 25.0], 3, 30.0), ([3.0], 2, 23.0)],
)
def test_last_end_gives_each_trial_to_the_slot_that_is_free_first(starts: list[float], trials: int, end: float) -> None:
    assert last_end(starts, trials, 10.0) == end


@pytest.mark.slow
def test_the_command_counts_all_trials(home: Path, tmp_path: Path) -> None:
    done = autommlab(home, "bench", "scale", "--trials", "24", "--slots", "4", "--seconds", "0.5", "--json")
    assert done.returncode == 0, done.stderr
    result = ScaleResult.model_validate(json.loads(done.stdout))
    assert result.finished == 24
    assert result.slots_used == 4  # though workers start more slowly than trials end
    assert result.ideal_s == pytest.approx(3)
    assert result.seconds >= result.ideal_s
    assert all(megabytes > 50 for megabytes in result.memory_mb)
    assert result.state_mb > 0
