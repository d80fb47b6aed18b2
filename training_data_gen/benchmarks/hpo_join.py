"""Benchmarks of different bags as one: a long `bench hpo` can run in parts, on several days or machines."""

from __future__ import annotations

from collections.abc import Sequence

from autommlab.errors import RequestError
from training_data_gen.benchmarks.hpo_records import HpoBenchOptions, HpoBenchResult
from training_data_gen.benchmarks.hpo_summary import summed_up


def joined(results: Sequence[HpoBenchResult], command: str) -> HpoBenchResult:
    """All their bags, with the searchers that ran on each of them.

    Args:
        results: at least one; each bag keeps its own command, date and machine.
        command: what a reader would type to join them again.

    Raises:
        RequestError: they differ in trials or in what the scores are, share a bag, or have no searcher in common.
    """
    first = results[0]
    trials, sources = {result.trials for result in results}, [result.source for result in results]
    if len(trials) > 1:
        raise RequestError(f"--join: trials of a study differ: {sorted(trials)}; join results of equal budgets")
    if any(source != first.source for source in sources):
        raise RequestError("--join: real trials and replays cannot be joined")
    races = {}
    for result in results:
        for bag, race in result.races.items():
            if bag in races:
                raise RequestError(f"--join: the bag {bag} is in two results; name one of them")
            races[bag] = race
    common = [name for name in first.searchers if all(name in result.searchers for result in results)]
    if not common:
        raise RequestError("--join: the results have no searcher in common")
    for bag, race in races.items():
        races[bag] = race.model_copy(update={"laps": tuple(lap for lap in race.laps if lap.searcher in common)})
    options = HpoBenchOptions(searchers=tuple(common), trials=first.trials)
    return summed_up(options, races, command, first.source)
