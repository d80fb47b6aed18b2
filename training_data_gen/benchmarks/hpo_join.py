"""Benchmarks of different bags or searchers as one: `bench hpo` can run in parts, on several days or machines."""

from __future__ import annotations

from collections.abc import Sequence

from autommlab.errors import RequestError
from autommlab.race.records import RaceResult
from autommlab.race.standings import standings
from training_data_gen.benchmarks.hpo_records import HpoBenchOptions, HpoBenchResult
from training_data_gen.benchmarks.hpo_summary import summed_up


def joined(results: Sequence[HpoBenchResult], command: str) -> HpoBenchResult:
    """All their bags, with the searchers that ran on each of them.

    Args:
        results: at least one; each bag keeps the commands of its parts, and the date and machine of the first.
        command: what a reader would type to join them again.

    Raises:
        RequestError: they differ in trials or in what the scores are, have the same study twice, mean different bags by
            one name, or have no searcher in common.
    """
    first = results[0]
    trials, sources = {result.trials for result in results}, [result.source for result in results]
    if len(trials) > 1:
        raise RequestError(f"--join: trials of a study differ: {sorted(trials)}; join results of equal budgets")
    if any(source != first.source for source in sources):
        raise RequestError("--join: real trials and replays cannot be joined")
    races: dict[str, RaceResult] = {}
    for result in results:
        for bag, race in result.races.items():
            races[bag] = _with_more_laps(bag, races[bag], race) if bag in races else race
    ran = [{lap.searcher for lap in race.laps} for race in races.values()]
    common = [name for name in dict.fromkeys(n for r in results for n in r.searchers) if all(name in r for r in ran)]
    if not common:
        raise RequestError("--join: the results have no searcher in common")
    for bag, race in races.items():
        laps = tuple(lap for lap in race.laps if lap.searcher in common)
        races[bag] = race.model_copy(update={"laps": laps, "standings": standings(laps, common, first.trials)})
    options = HpoBenchOptions(searchers=tuple(common), trials=first.trials)
    return summed_up(options, races, command, first.source)


def _with_more_laps(bag: str, race: RaceResult, other: RaceResult) -> RaceResult:
    facts, others = ((one.task, one.objective, one.data, one.model) for one in (race, other))
    if facts != others:
        raise RequestError(f"--join: two results mean different data or models by {bag}: {facts} and {others}")
    there = {(lap.searcher, lap.seed) for lap in race.laps}
    for lap in other.laps:
        if (lap.searcher, lap.seed) in there:
            raise RequestError(
                f"--join: {bag}, {lap.searcher}, seed {lap.seed} is in two results; name one of them, "
                "or run the missing searchers alone"
            )
    commands = dict.fromkeys((*race.command.splitlines(), *other.command.splitlines()))
    more = {"laps": (*race.laps, *other.laps), "seeds": min(race.seeds, other.seeds), "command": "\n".join(commands)}
    return race.model_copy(update=more)
