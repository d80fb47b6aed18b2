"""The benchmark of many trials at once, tiny but on a real Ray Tune."""

import json

import pytest
from program import autommlab

from autommlab.bench.scale import ScaleResult


def test_overhead_is_what_goes_beyond_the_ideal() -> None:
    result = ScaleResult(
        searcher="random", trials=8, finished=8, slots=4, trial_s=10, seconds=23, ideal_s=20, start_s=(1, 1),
        waiting=0, longest_s=0, driver_cpu=0.1, memory_mb=(1, 1, 1, 1), state_mb=1,
    )  # fmt: skip
    assert result.overhead == pytest.approx(0.15)


@pytest.mark.slow
def test_the_command_counts_all_trials(home, tmp_path) -> None:
    done = autommlab(home, "bench", "scale", "--trials", "6", "--slots", "2", "--seconds", "0.5", "--json")
    assert done.returncode == 0, done.stderr
    result = ScaleResult.model_validate(json.loads(done.stdout))
    assert result.finished == 6
    assert result.ideal_s == pytest.approx(1.5)
    assert result.seconds >= result.ideal_s
    assert all(megabytes > 50 for megabytes in result.memory_mb)
    assert result.state_mb > 0
