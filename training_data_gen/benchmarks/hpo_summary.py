"""A benchmark's record: the races on its bags and what they say together."""

from __future__ import annotations

from collections.abc import Mapping

from autommlab import machine
from autommlab.race.records import RaceResult
from training_data_gen.benchmarks.hpo_contrasts import contrasts
from training_data_gen.benchmarks.hpo_overall import overall
from training_data_gen.benchmarks.hpo_records import HpoBenchOptions, HpoBenchResult, Source


def summed_up(
    options: HpoBenchOptions, races: Mapping[str, RaceResult], command: str, source: Source | None = None
) -> HpoBenchResult:
    """A benchmark's record as of today on this machine; `source` None = real trials."""
    return HpoBenchResult(
        searchers=options.searchers,
        trials=options.trials,
        races=dict(races),
        overall=overall(races, options.searchers, options.trials),
        contrasts=contrasts(races, options.searchers, options.trials),
        source=source or Source(),
        **machine.circumstances(command),
    )
