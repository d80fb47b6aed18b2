"""The table of runs within a time on real photos (`autommlab bench time`), once there are any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from blocks import RESULTS, read, table

if TYPE_CHECKING:
    from training_data_gen.benchmarks.timed import TimedRun

_NAME = "timed.json"


def timed() -> str:
    """A line for each set and time; one sentence where there are none."""
    if not (RESULTS / _NAME).exists():
        return "No run has been made yet."
    from training_data_gen.benchmarks.timed import TimedResult

    result = TimedResult.model_validate(read(_NAME))
    rows = []
    for line in result.lines():
        if line.photos.tried:
            continue
        wish = f"{line.photos.figure} {line.photos.wish:g}"
        less = ", ".join(f"{difference:+.3f}" for difference in line.differences)
        ways = [_tests(runs) for runs in (line.search, line.alone)]
        rows.append(
            [line.photos.name, wish, str(line.minutes), *ways, less, _tests(line.trials), f"{line.most_off:+.0%}"]
        )
    header = ["photos", "wish", "minutes", "search", "alone", "search less alone", "six trials", "time missed by"]
    first, last = min(run.date for run in result.runs), max(run.date for run in result.runs)
    when = first if first == last else f"{first} to {last}"
    where = f"`{result.command}`, {when}, {result.machine['CPU cores']} CPU cores"
    return f"{table(header, rows, words=2)}\n\nMean over seeds, then each with its 95 % interval. {where}."


def _tests(runs: Mapping[int, TimedRun]) -> str:
    from training_data_gen.benchmarks.timed import mean_test

    mean = mean_test(runs)
    if mean is None:
        return ""
    each = [f"{run.test or 0:.3f}" + (f" ({run.interval})" if run.interval else "") for _, run in sorted(runs.items())]
    return f"{mean:.3f}: {'; '.join(each)}"
