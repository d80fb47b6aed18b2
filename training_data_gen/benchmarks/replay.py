"""`bench hpo --replay`: searchers on held-out tasks without training, hundreds of seeds in minutes.

Where the trials hold a dense table of a bag (`autommlab trials --held-out --per-dataset 200`), a proposal is worth what
its nearest real training reached; else a surrogate fitted to all trials answers. Which of the two it was, and how
wrong it is, stands in the result. For developing searchers; claims need real trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from autommlab.common.errors import DataError
from autommlab.common.files import write_text
from autommlab.compare.across_records import HpoBenchOptions, HpoBenchResult, Source
from autommlab.compare.across_tasks import hpo_bench_record
from autommlab.compare.records import Comparison, StudySummary
from autommlab.compare.run_compare import ComparedOn, comparison_record
from autommlab.models import zoo
from autommlab.models.recipe import default_configuration
from searchers import takes_service
from searchers.context import StudyContext
from searchers.space import SearchSpace
from training_data_gen.benchmarks.ask_tell import StudyProblem, ask_tell_study
from training_data_gen.benchmarks.surrogate_benchmark import BlackBox, SurrogateBenchmark, Table
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import by_bag, main_seed
from training_data_gen.trials.surrogate import Surrogate, surrogate_error

if TYPE_CHECKING:
    from serve.client import ServiceClient

RESULT_FILE = "bench-hpo-replay.json"
#: A bag with so many trainings is read off a table.
DENSE = 100
#: Studies that ask the LLM service at once; it answers them in one batch.
_ASKERS = 8


class ReplayBag(NamedTuple):
    """A held-out task without its images."""

    first: RecordedTrial
    problem: StudyProblem
    black_box: BlackBox


def run_replay(
    options: HpoBenchOptions,
    recorded: Sequence[RecordedTrial],
    out: Path,
    *,
    service: ServiceClient | None,
    command: str,
    tell: Callable[[str], None] = lambda _: None,
) -> HpoBenchResult:
    """All searchers and seeds on the held-out tasks of `trials`.

    Args:
        options: tasks, bags, searchers, budget, seeds, and trials at once.
        recorded: all that there are; the held-out tasks among them are searched.
        out: folder; gets `bench-hpo-replay.json`.
        service: the LLM service, for searchers that ask one.
        command: what a reader would type to repeat it.
        tell: told bag by bag how far it is.

    Raises:
        DataError: no held-out task among the trials, or too few trials.
        StorageError: the folder cannot be written.
    """
    bags, source = replay_bags(options, recorded)
    comparisons: dict[str, Comparison] = {}
    for number, (name, bag) in enumerate(bags.items(), start=1):
        tell(f"bag {number} of {len(bags)}: {name}")
        comparisons[name] = _comparison(bag, options, service, command)
    result = hpo_bench_record(options, comparisons, command, source)
    write_text(out / RESULT_FILE, result.model_dump_json(indent=1))
    return result


def replay_bags(options: HpoBenchOptions, recorded: Sequence[RecordedTrial]) -> tuple[dict[str, ReplayBag], Source]:
    """The held-out tasks of the asked-for tasks, all on tables or all on one surrogate.

    Raises:
        DataError: no held-out task among the trials, or too few trials.
    """
    chosen = _held_out(options, recorded)
    if all(len(main_seed(own)) >= DENSE for own in chosen.values()):
        tables = {name: Table(own) for name, own in chosen.items()}
        coarse = sum(table.spacing() for table in tables.values()) / len(tables)
        rows = min(len(main_seed(own)) for own in chosen.values())
        source = Source(kind="table", figures={"trainings a task, at least": rows, "mean spacing": round(coarse, 3)})
        return {name: _bag(own, tables[name]) for name, own in chosen.items()}, source
    try:
        error = surrogate_error(recorded)
    except ValueError as problem:
        raise DataError(f"no surrogate can be fitted: {problem}. Train more with: autommlab trials") from problem
    surrogate = Surrogate(recorded)
    bags = {name: _bag(own, SurrogateBenchmark(surrogate, name)) for name, own in chosen.items()}
    return bags, Source(kind="surrogate", figures=error.model_dump())


def _held_out(options: HpoBenchOptions, recorded: Sequence[RecordedTrial]) -> Mapping[str, list[RecordedTrial]]:
    known = {name: own for name, own in by_bag(recorded).items() if own[0].held_out}
    found = {name: known[name] for name in options.chosen({name: own[0].task for name, own in known.items()})}
    if not found:
        tasks = ", ".join(options.tasks)
        raise DataError(f"the trials have no held-out task for {tasks}; train them with: autommlab trials --held-out")
    return found


def problem_of(own: Sequence[RecordedTrial]) -> StudyProblem:
    """What a study of a task goes by, from the task's recorded trials."""
    first = own[0]
    space = SearchSpace(parameters=first.parameters)
    default = default_configuration(zoo.entry(first.model.name, first.task), space=space)
    return StudyProblem(space, StudyContext(facts=first.context), default)


def _bag(own: Sequence[RecordedTrial], black_box: BlackBox) -> ReplayBag:
    return ReplayBag(own[0], problem_of(own), black_box)


def _comparison(bag: ReplayBag, options: HpoBenchOptions, service: ServiceClient | None, command: str) -> Comparison:
    asking = [name for name in options.searchers if service is not None and takes_service(name)]
    quick = [name for name in options.searchers if name not in asking]

    def study(name: str, seed: int) -> StudySummary:
        return ask_tell_study(
            bag.problem, bag.black_box, name, seed,
            trials=options.budget(name), at_once=options.concurrent, service=service,
        )  # fmt: skip

    studies = [study(name, seed) for name in quick for seed in range(options.seeds)]
    with ThreadPoolExecutor(_ASKERS) as pool:
        jobs = [pool.submit(study, name, seed) for name in asking for seed in range(options.seeds)]
        studies += [job.result() for job in jobs]
    facts = bag.first
    compared_on = ComparedOn(facts.task, facts.bag.dataset, facts.bag.classes, facts.model.title)
    return comparison_record(compared_on, options.trials, studies, options.searchers, options.seeds, command)
