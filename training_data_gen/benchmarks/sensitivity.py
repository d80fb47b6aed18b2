"""Does a searcher read the results? How far its next proposal moves when they are told in the reverse order.

`python -m training_data_gen.benchmarks.sensitivity hpo-llama llm+grid surrogate-grid` asks after histories of real
trials of the development tasks, and writes `training_data_gen/results/sensitivity.json`. Nothing is trained. Sampling
moves a proposal as well, so each question is asked once more under another seed.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from autommlab.common.files import write_text
from autommlab.common.provenance import circumstances
from autommlab.llm_service import service_for
from searchers.space import Configuration
from serve.client import ServiceClient
from training_data_gen.benchmarks.ask_tell import StudyProblem, report, study_searcher
from training_data_gen.benchmarks.replay import problem_of
from training_data_gen.benchmarks.surrogate_benchmark import training_value
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import by_bag, main_seed
from training_data_gen.trials.store import read_trials

RESULTS = Path(__file__).resolve().parents[1] / "results" / "sensitivity.json"
TRIALS = Path(__file__).resolve().parents[1] / "data" / "trials.jsonl.gz"
COMMAND = "python -m training_data_gen.benchmarks.sensitivity"
#: Trials of a history, and histories of a task.
_TRIALS, _HISTORIES = 4, 5


class Told(NamedTuple):
    """A trial and the score that the searcher is told of it."""

    config: Configuration
    trial: RecordedTrial


class Change(BaseModel):
    """How far a searcher's proposals moved: medians of the absolute difference of the natural log of the learning rate.

    Attributes:
        reversed: with the results in the reverse order.
        repeated: with the same results, under another seed.
        histories: that were asked about.
    """

    model_config = ConfigDict(frozen=True)

    reversed: float
    repeated: float
    histories: int


def histories(trials: Sequence[RecordedTrial], count: int) -> list[list[RecordedTrial]]:
    """So many draws of trials that did not fail and differ in their scores, of one task.

    Args:
        trials: of the task.
        count: of histories.
    """
    sound = list({trial.score: trial for trial in main_seed(trials) if not trial.failed}.values())
    rng = random.Random(f"histories/{trials[0].planned}")  # noqa: S311 - draws trials
    return [rng.sample(sound, _TRIALS) for _ in range(count)]


def in_reverse(history: Sequence[RecordedTrial]) -> list[Told]:
    """The best result goes with the worst configuration, the second best with the second worst, and so on."""
    ranked = sorted(history, key=lambda trial: trial.score)
    turned = dict(zip((trial.key for trial in ranked), reversed(ranked), strict=True))
    return [Told(trial.config, turned[trial.key]) for trial in history]


def next_rate(
    problem: StudyProblem, name: str, told: Sequence[Told], seed: int, service: ServiceClient | None
) -> float:
    """The learning rate that a searcher proposes after these trials."""
    searcher: Any = study_searcher(problem, name, seed, service=service)
    for number, (config, trial) in enumerate(told):
        searcher.observe(f"trial-{number}", config, "history")
        searcher.on_trial_complete(f"trial-{number}", report(training_value(trial)))
    proposed = searcher.suggest("next")
    return float(proposed["lr"])


def change_of(name: str, tasks: Sequence[Sequence[RecordedTrial]], service: ServiceClient | None, count: int) -> Change:
    """How far the proposals of one searcher move, over tasks and histories.

    Args:
        name: of the searcher.
        tasks: the trials of each.
        service: the LLM service, for searchers that ask one.
        count: histories of a task.
    """
    turned, again = [], []
    for trials in tasks:
        problem = problem_of(trials)
        for history in histories(trials, count):
            told = [Told(trial.config, trial) for trial in history]
            usual = math.log(next_rate(problem, name, told, 0, service))
            turned.append(abs(math.log(next_rate(problem, name, in_reverse(history), 0, service)) - usual))
            again.append(abs(math.log(next_rate(problem, name, told, 1, service)) - usual))
    return Change(reversed=statistics.median(turned), repeated=statistics.median(again), histories=len(turned))


def main(names: Sequence[str]) -> None:
    """Measure, print and write."""
    tasks = [own for own in by_bag(read_trials(TRIALS)).values() if own[0].held_out]
    service = service_for(names, tell=print)
    found = {name: change_of(name, tasks, service, _HISTORIES) for name in names}
    for name, change in found.items():
        print(f"{name}: {change.reversed:.2f} reversed, {change.repeated:.2f} repeated ({change.histories} histories)")
    record = {**circumstances(f"{COMMAND} {' '.join(names)}"), "changes": {k: v.model_dump() for k, v in found.items()}}
    write_text(RESULTS, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:] or ["hpo-llama", "llm+grid", "surrogate-grid"])
