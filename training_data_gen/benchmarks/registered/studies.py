"""One study of an arm on a task, by equal trials or by equal seconds; TEST of every trial, which no searcher sees."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from autommlab.common.llm_usage import LlmUsage
from autommlab.common.trial_status import TrialStatus
from autommlab.tasks import Task
from searchers.space import Configuration, SearchSpace
from training_data_gen.benchmarks.ask_tell import StudyProblem, report, searcher_seed, study_searcher
from training_data_gen.benchmarks.registered.arms import Arm
from training_data_gen.benchmarks.surrogate_benchmark import training_value
from training_data_gen.trials.records import RecordedTrial

if TYPE_CHECKING:
    from serve.client import ServiceClient

#: trials: equal numbers of trials with the default's iterations and batch size. seconds: equal time, that of the LLM
#: included, all six hyperparameters.
Track = Literal["trials", "seconds"]
#: Not searched for under equal trials: more of either is more compute.
FIXED = ("iterations", "batch_size")
#: Of a study by seconds, whose trials may be short.
_MOST_TRIALS = 60

Train = Callable[[Configuration], RecordedTrial]


class Outcome(BaseModel):
    """One trial.

    Attributes:
        val, test: the objective; 0 and None if it failed.
        progress: at its end: number of the trial, or seconds of the study as a multiple of a default training.
        seconds: of the training, as it was recorded when it was first made.
        thought_s: of the searcher before it; of the LLM as its answer tells, whoever waited for it.
    """

    model_config = ConfigDict(frozen=True)

    val: float
    test: float | None
    status: TrialStatus
    progress: float
    seconds: float
    thought_s: float
    proposed_by: str


class RegisteredStudy(BaseModel):
    """One arm on one task under one seed.

    Attributes:
        budget: trials, or seconds as a multiple of a default training.
        outcomes: in order; by seconds, those that ended within the budget.
        default_s: seconds of the default training under this seed.
        llm_seconds, llm_tokens: what the LLM cost, prompt and answer.
        fallbacks: trials for which the LLM was to propose and gave nothing, whoever proposed them then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    track: Track
    task: str
    kind: Task
    objective: str
    arm: str
    seed: int
    budget: int
    outcomes: tuple[Outcome, ...]
    default_s: float
    llm_seconds: float = 0.0
    llm_tokens: int = 0
    fallbacks: int = 0

    @property
    def key(self) -> str:
        """Of the question, not of the result."""
        return study_key(self.track, self.task, self.arm, self.seed, self.budget)

    def best(self, progress: float) -> Outcome | None:
        """The best trial by VAL of those that had ended by then, the earlier of equals; None if all failed."""
        ended = [one for one in self.outcomes if one.progress <= progress and one.test is not None]
        return max(ended, key=lambda one: one.val, default=None)


def study_key(track: Track, task: str, arm: str, seed: int, budget: int) -> str:
    """What a study is known by."""
    return f"{track}/{task}/{arm}/{seed}/{budget}"


class StudyTask(NamedTuple):
    """What a study is played on.

    Attributes:
        problem: of the six-dimensional space.
        train: a whole configuration under the study's seed.
    """

    id: str
    kind: Task
    objective: str
    problem: StudyProblem
    train: Train


def play(
    task: StudyTask, arm: Arm, seed: int, *, track: Track, budget: int, service: ServiceClient | None
) -> RegisteredStudy:
    """Ask and tell until the budget is spent; a trial that ends behind it is lost.

    Args:
        task: the problem and its trainings.
        arm: who proposes.
        seed: of the trainings, and with the task of the searcher.
        track, budget: see `RegisteredStudy`.
        service: the LLM service, for arms that ask one.
    """
    default_s = task.train(task.problem.default_configuration).seconds
    problem, fixed = (task.problem, {}) if track == "seconds" else without_fixed(task.problem)
    searcher: Any = study_searcher(problem, arm.searcher, searcher_seed(seed, task.id), service=service, **arm.options)
    outcomes: list[Outcome] = []
    spent = 0.0
    for number in itertools.count(1):
        if number > (min(budget, arm.trials or budget) if track == "trials" else arm.trials or _MOST_TRIALS):
            break
        trial, before, began = f"trial-{number - 1}", _usage(searcher).seconds, time.monotonic()
        config = searcher.suggest(trial)
        if not isinstance(config, dict):  # nothing more to propose
            break
        waited = time.monotonic() - began
        thought = _usage(searcher).seconds - before if arm.asks_llm else waited
        training = task.train({**config, **fixed})
        spent += thought + training.seconds
        progress = float(number) if track == "trials" else spent / default_s
        if track == "seconds" and progress > budget:
            break
        searcher.on_trial_complete(trial, report(training_value(training)))
        outcomes.append(_outcome(training, progress, thought, searcher.proposed_by(trial)))
    cost = _usage(searcher)
    return RegisteredStudy(
        track=track, task=task.id, kind=task.kind, objective=task.objective, arm=arm.name, seed=seed, budget=budget,
        outcomes=tuple(outcomes), default_s=default_s,
        llm_seconds=round(cost.seconds, 2), llm_tokens=cost.prompt_tokens + cost.tokens,
        fallbacks=searcher.usage().get("fallbacks", 0) if hasattr(searcher, "usage") else 0,
    )  # fmt: skip


def without_fixed(problem: StudyProblem) -> tuple[StudyProblem, Configuration]:
    """The four-dimensional problem, and the values of the other two hyperparameters: the default's."""
    default = problem.default_configuration
    fixed = {name: default[name] for name in FIXED}
    space = SearchSpace(parameters=tuple(p for p in problem.space.parameters if p.name not in FIXED))
    own = {name: value for name, value in default.items() if name not in FIXED}
    return StudyProblem(space, problem.context, own), fixed


def _usage(searcher: Any) -> LlmUsage:
    usage = searcher.usage() if hasattr(searcher, "usage") else {}
    return LlmUsage.model_validate(usage.get("llm", {}))


def _outcome(training: RecordedTrial, progress: float, thought: float, proposed_by: str) -> Outcome:
    return Outcome(
        val=0.0 if training.failed else training.score,
        test=None if training.failed else training.test,
        status=training.status,
        progress=round(progress, 4),
        seconds=round(training.seconds, 2),
        thought_s=round(thought, 2),
        proposed_by=proposed_by,
    )
