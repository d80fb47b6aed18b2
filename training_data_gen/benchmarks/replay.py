"""`bench hpo --replay`: searchers on held-out bags without training, hundreds of seeds in minutes.

Where the triplets hold a dense table of a bag (`autommlab trials --held-out --per-bag 200`), a proposal is worth what
its nearest real training reached; else a surrogate fitted to all triplets answers. Which of the two it was, and how
wrong it is, stands in the result. For developing searchers; claims need real trials.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autommlab.errors import DataError
from autommlab.files import write_text
from autommlab.models import zoo
from autommlab.models.recipe import default_recipe
from autommlab.race.records import Lap, RaceResult
from autommlab.race.run_race import Raced, summed_up
from autommlab.training.records import LlmCost
from searchers import create, needs_first_points, takes_service
from searchers.context import StudyContext
from searchers.space import Point, SearchSpace
from training_data_gen.benchmarks.hpo_records import HpoBenchOptions, HpoBenchResult, Source
from training_data_gen.benchmarks.hpo_summary import summed_up as benchmark_of
from training_data_gen.benchmarks.landscape import Landscape, Modelled, Table
from training_data_gen.triplets.records import Triplet
from training_data_gen.triplets.statistics import by_bag, main_seed
from training_data_gen.triplets.surrogate import Surrogate, surrogate_error

if TYPE_CHECKING:
    from serve.client import ServiceClient

RESULT_FILE = "bench-hpo-replay.json"
#: A bag with so many trainings is read off a table.
DENSE = 100
#: Studies that ask the LLM service at once; it answers them in one batch.
_ASKERS = 8
_SCORE = "score"


class ReplayBag(NamedTuple):
    """A held-out bag without its images."""

    first: Triplet
    space: SearchSpace
    landscape: Landscape
    default_point: Point


def run_replay(
    options: HpoBenchOptions,
    triplets: Sequence[Triplet],
    out: Path,
    *,
    service: ServiceClient | None,
    command: str,
    tell: Callable[[str], None] = lambda _: None,
) -> HpoBenchResult:
    """All searchers and seeds on the held-out bags of `triplets`.

    Args:
        options: tasks, bags, searchers, budget, seeds, and trials at once (0 = one).
        triplets: all that there are; the held-out bags among them are searched.
        out: folder; gets `bench-hpo-replay.json`.
        service: the LLM service, for searchers that ask one.
        command: what a reader would type to repeat it.
        tell: told bag by bag how far it is.

    Raises:
        DataError: no held-out bag among the triplets, or too few trials.
        StorageError: the folder cannot be written.
    """
    bags, source = replay_bags(options, triplets)
    races: dict[str, RaceResult] = {}
    for number, (name, bag) in enumerate(bags.items(), start=1):
        tell(f"bag {number} of {len(bags)}: {name}")
        races[name] = _race(bag, options, service, command)
    result = benchmark_of(options, races, command, source)
    write_text(out / RESULT_FILE, result.model_dump_json(indent=1))
    return result


def replay_bags(options: HpoBenchOptions, triplets: Sequence[Triplet]) -> tuple[dict[str, ReplayBag], Source]:
    """The held-out bags of the asked-for tasks, all on tables or all on one surrogate.

    Raises:
        DataError: no held-out bag among the triplets, or too few trials.
    """
    chosen = _held_out(options, triplets)
    if all(len(main_seed(own)) >= DENSE for own in chosen.values()):
        tables = {name: Table(own) for name, own in chosen.items()}
        coarse = sum(table.spacing() for table in tables.values()) / len(tables)
        rows = min(len(main_seed(own)) for own in chosen.values())
        source = Source(kind="table", figures={"trainings a bag, at least": rows, "mean spacing": round(coarse, 3)})
        return {name: _bag(own, tables[name]) for name, own in chosen.items()}, source
    try:
        error = surrogate_error(triplets)
    except ValueError as problem:
        raise DataError(f"no surrogate can be fitted: {problem}. Train more with: autommlab trials") from problem
    surrogate = Surrogate(triplets)
    bags = {name: _bag(own, Modelled(surrogate, name)) for name, own in chosen.items()}
    return bags, Source(kind="surrogate", figures=error.model_dump())


def play(searcher: Any, landscape: Landscape, trials: int, at_once: int = 1) -> list[tuple[float, str]]:
    """(score, why it failed) of each trial; results come in the order of the proposals, `at_once` behind them.

    Args:
        searcher: as `searchers.create` makes it, for a metric "score".
        landscape: what a proposal is worth.
        trials: budget; a searcher that has nothing more to propose ends it.
        at_once: trials that run side by side.
    """
    running: deque[tuple[str, Point]] = deque()
    scores: list[tuple[float, str]] = []
    asked = 0
    while len(scores) < trials:
        while asked < trials and len(running) < at_once:
            name = f"trial-{asked}"
            point = searcher.suggest(name)
            if not isinstance(point, dict):  # None: not now; "FINISHED": never again
                break
            running.append((name, point))
            asked += 1
        if not running:
            break
        name, point = running.popleft()
        score, failure = landscape(point)
        report = {_SCORE: score} if not failure else {_SCORE: 0.0, "status": "failed", "reason": failure}
        searcher.on_trial_complete(name, report)
        scores.append((score, failure))
    return scores


def _held_out(options: HpoBenchOptions, triplets: Sequence[Triplet]) -> Mapping[str, list[Triplet]]:
    found = {name: own for name, own in by_bag(triplets).items() if own[0].held_out and own[0].task in options.tasks}
    if options.bags is not None:
        by_task = {task: [name for name, own in found.items() if own[0].task is task] for task in options.tasks}
        found = {name: found[name] for names in by_task.values() for name in names[: options.bags]}
    if not found:
        tasks = ", ".join(options.tasks)
        raise DataError(f"the triplets have no held-out bag for {tasks}; train them with: autommlab trials --held-out")
    return found


def _bag(own: Sequence[Triplet], landscape: Landscape) -> ReplayBag:
    first = own[0]
    space = SearchSpace(parameters=first.parameters)
    return ReplayBag(first, space, landscape, default_recipe(zoo.entry(first.model.name, first.task), space=space))


def _race(bag: ReplayBag, options: HpoBenchOptions, service: ServiceClient | None, command: str) -> RaceResult:
    asking = [name for name in options.searchers if service is not None and takes_service(name)]
    quick = [name for name in options.searchers if name not in asking]
    laps = [_lap(bag, name, seed, options, service) for name in quick for seed in range(options.seeds)]
    with ThreadPoolExecutor(_ASKERS) as pool:
        jobs = [
            pool.submit(_lap, bag, name, seed, options, service) for name in asking for seed in range(options.seeds)
        ]
        laps += [job.result() for job in jobs]
    facts = bag.first
    raced = Raced(facts.task, facts.bag.dataset, facts.bag.classes, facts.model.title)
    return summed_up(raced, options.trials, laps, options.searchers, options.seeds, command)


def _lap(bag: ReplayBag, name: str, seed: int, options: HpoBenchOptions, service: ServiceClient | None) -> Lap:
    began = time.monotonic()
    searcher: Any = create(
        name,
        bag.space,
        metric=_SCORE,
        seed=seed,
        first_points=[bag.default_point] if needs_first_points(name) else [],
        context=StudyContext(facts=bag.first.context),
        service=service,
    )
    played = play(searcher, bag.landscape, options.trials, max(1, options.concurrent))
    usage = searcher.usage() if hasattr(searcher, "usage") else {}
    cost = LlmCost.model_validate(usage.get("llm", {}))
    return Lap(
        searcher=name,
        seed=seed,
        scores=tuple(score for score, _ in played),
        statuses=tuple("failed" if failure else "ok" for _, failure in played),
        proposed_by=usage.get("by_origin", {}),
        test=None,
        seconds=time.monotonic() - began,
        llm_seconds=cost.seconds,
        llm_tokens=cost.prompt_tokens + cost.tokens,
    )
