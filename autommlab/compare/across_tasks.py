"""From races on several bags to one line a searcher: scores become shares of their bag's range."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from autommlab.common import provenance as machine
from autommlab.common.errors import RequestError
from autommlab.compare.across_records import After, Contrast, HpoBenchOptions, HpoBenchResult, Overall, Source
from autommlab.compare.curves import Estimate, estimate
from autommlab.compare.records import Lap, RaceResult
from autommlab.compare.standings import best_after, curve_of, paired, standings
from autommlab.tasks import Task

#: Searcher -> seed -> best so far after each trial, as a share of the bag's range.
Curves = dict[str, dict[int, list[float]]]


def overall(races: Mapping[str, RaceResult], searchers: Sequence[str], trials: int) -> tuple[Overall, ...]:
    """Lines per task, then over all of them; only seeds that every searcher has finished on every bag count."""
    groups: list[tuple[Task | None, list[RaceResult]]] = [
        (task, own) for task in Task if (own := [race for race in races.values() if race.task is task])
    ]
    groups.append((None, list(races.values())))
    return tuple(line for task, own in groups for line in _lines(task, own, searchers, trials))


def mean_curves(races: Sequence[RaceResult], searchers: Sequence[str], trials: int) -> dict[str, list[list[float]]]:
    """Searcher -> for each seed that all bags have, the mean share after each trial."""
    bags = [normalised_curves(race, searchers, trials) for race in races]
    seeds = common_seeds(bags)
    return {
        name: [
            [statistics.fmean(values) for values in zip(*(bag[name][seed] for bag in bags), strict=True)]
            for seed in seeds
        ]
        for name in searchers
        if seeds
    }


def normalised_curves(race: RaceResult, searchers: Sequence[str], trials: int) -> Curves:
    """A bag's curves between its worst trial (0) and its best one (1), whoever proposed them."""
    laps = paired(race.laps, searchers)
    normalise = _normaliser(laps)
    return {
        name: {lap.seed: [normalise(score) for score in curve_of(lap, trials)] for lap in own} for name, own in laps.items()
    }


def tested(race: RaceResult, searchers: Sequence[str]) -> dict[str, dict[int, float]]:
    """Searcher -> seed -> its winner's figure on TEST between the bag's worst trial (0) and best one (1) on VAL.

    NaN where it was not measured.
    """
    laps = paired(race.laps, searchers)
    normalise = _normaliser(laps)
    return {
        name: {lap.seed: math.nan if lap.test is None else normalise(lap.test) for lap in own} for name, own in laps.items()
    }


def if_all_known(values: Sequence[float]) -> Estimate | None:
    """Over seeds; None if the figure of one is missing."""
    return None if any(map(math.isnan, values)) else estimate(values)


def _normaliser(laps: Mapping[str, Sequence[Lap]]) -> Callable[[float], float]:
    """From a score to its place between the worst and the best trial of all these laps."""
    scores = [score for own in laps.values() for lap in own for score in lap.scores] or [0.0]
    worst, width = min(scores), (max(scores) - min(scores)) or 1.0
    return lambda score: (score - worst) / width


def _lines(task: Task | None, races: Sequence[RaceResult], searchers: Sequence[str], trials: int) -> list[Overall]:
    curves = mean_curves(races, searchers, trials)
    if not curves:
        return []
    bags = [normalised_curves(race, searchers, trials) for race in races]
    tests = [tested(race, searchers) for race in races]
    seeds = common_seeds(tests)
    ranks = _ranks(bags, [name for name, own in curves.items() if all(len(curve) == trials for curve in own)])
    costs = {name: [lap.llm_seconds for race in races for lap in race.laps if lap.searcher == name] for name in curves}
    return [
        Overall(
            searcher=name,
            task=task,
            bags=len(races),
            seeds=len(own),
            after=best_after(own, trials),
            test=if_all_known([statistics.fmean(bag[name][seed] for bag in tests) for seed in seeds]),
            rank=ranks.get(name),
            llm_seconds=statistics.fmean(costs[name]),
        )
        for name, own in curves.items()
    ]


def common_seeds(bags: Sequence[Mapping[str, Mapping[int, object]]]) -> list[int]:
    """Seeds that every searcher has finished on every bag."""
    found: list[set[int]] = [set(next(iter(bag.values()), {})) for bag in bags]
    return sorted(set.intersection(*found)) if found else []


def _ranks(bags: Sequence[Curves], searchers: Sequence[str]) -> dict[str, float]:
    """Mean place at the end of the budget over bags and their common seeds."""
    places: dict[str, list[float]] = {name: [] for name in searchers}
    for bag in bags:
        for seed in common_seeds(bags):
            ends = {name: bag[name][seed][-1] for name in searchers}
            for name, end in ends.items():
                better = sum(other > end for other in ends.values())
                equal = sum(other == end for other in ends.values())
                places[name].append(better + (equal + 1) / 2)
    return {name: statistics.fmean(found) for name, found in places.items()}


#: A searcher that is to prove itself, and the rival that it is measured against. Fixed before the benchmark was run,
#: but for those after the first empty line: added when `prior` had done well after 3, and with the learned score.
#: Those after the second one were added before `tpe+default` had run on held-out bags.
QUESTIONS = (
    (After("hpo-llama", 1), After("default", 1)),
    (After("hpo-llama", 1), After("random", 5)),
    (After("hpo-llama", 1), After("prior", 1)),
    (After("hpo-llama", 3), After("random", 10)),
    (After("hpo-llama", 3), After("tpe", 10)),
    (After("hpo-llama", 20), After("prior", 20)),
    (After("hpo-llama", 20), After("tpe+default", 20)),
    (After("llm+tpe", 10), After("tpe", 10)),
    (After("llm+tpe", 10), After("hpo-llama", 10)),
    (After("llm+tpe", 20), After("tpe", 20)),
    (After("llm+tpe", 20), After("hpo-llama", 20)),

    (After("hpo-llama", 3), After("prior", 3)),
    (After("hpo-llama", 1), After("forest", 1)),
    (After("hpo-llama", 3), After("forest", 3)),
    (After("hpo-llama", 1), After("hpo-llama-likely", 1)),
    (After("hpo-llama", 3), After("hpo-llama-likely", 3)),

    (After("hpo-llama", 3), After("tpe+default", 10)),
    (After("hpo-llama", 10), After("tpe+default", 10)),
    (After("llm+tpe", 10), After("tpe+default", 10)),
    (After("llm+tpe", 20), After("tpe+default", 20)),
)  # fmt: skip


def contrasts(races: Mapping[str, RaceResult], searchers: Sequence[str], trials: int) -> tuple[Contrast, ...]:
    """Answers to those questions whose searchers and numbers of trials the benchmark has.

    A difference is taken on each bag with each seed, in shares of the bag's range; its interval is over seeds.
    """
    bags = [normalised_curves(race, searchers, trials) for race in races.values()]
    seeds = common_seeds(bags)
    if not seeds:
        return ()

    def differences(one: After, other: After) -> list[list[float]]:
        """Of each bag, for each seed."""
        return [
            [bag[one.searcher][seed][one.trials - 1] - bag[other.searcher][seed][other.trials - 1] for seed in seeds]
            for bag in bags
        ]

    tests = [tested(race, searchers) for race in races.values()]
    found = []
    reached = {name: min(len(bag[name][seed]) for bag in bags for seed in seeds) for name in searchers}
    for one, other in QUESTIONS:
        if any(reached.get(asked.searcher, 0) < asked.trials for asked in (one, other)):
            continue
        by_bag = differences(one, other)
        on_test = [
            statistics.fmean(bag[one.searcher][seed] - bag[other.searcher][seed] for bag in tests) for seed in seeds
        ]
        at_the_end = all(reached[asked.searcher] == asked.trials for asked in (one, other))
        means = [statistics.fmean(own) for own in by_bag]
        found.append(
            Contrast(
                one=one,
                other=other,
                difference=estimate([statistics.fmean(values) for values in zip(*by_bag, strict=True)]),
                better=sum(mean > 0 for mean in means),
                equal=sum(mean == 0 for mean in means),
                worse=sum(mean < 0 for mean in means),
                on_test=if_all_known(on_test) if at_the_end else None,
            )
        )
    return tuple(found)


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
