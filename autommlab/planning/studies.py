"""From a plan to what `run_study` takes: the search at its fidelity, the finalists at the full one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from autommlab.common.trial_status import is_scored
from autommlab.data.bag_part import with_part
from autommlab.data.records import Bag
from autommlab.models.recipe import default_configuration
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.planning.circumstances import SHORTEST_FINAL_S
from autommlab.planning.rates import SIDE_BY_SIDE
from autommlab.planning.records import FullFidelity, Plan, SearchFidelity
from autommlab.planning.sizes import cost_at
from autommlab.tasks import Task
from autommlab.training.pace import Deadline
from autommlab.training.records import StudyResult, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import search_space
from autommlab.training.study_options import StudyOptions
from autommlab.understanding.request import Metric
from searchers.space import Configuration, SearchSpace

#: Measured speed is believed within these factors of the planned one; beyond them a few odd trials decided.
_FASTEST, _SLOWEST = 0.7, 4.0
#: A final training has a schedule for so many times the steps that are expected: where it is faster than measured, it
#: fills its time; else its deadline passes over the others (`pace`).
AHEAD = 1.5
#: A study that does not end by its deadline is ended by Ray Tune so much later.
_GRACE, _GRACE_S = 0.05, 10.0


class StudyInputs(NamedTuple):
    """What `run_study` takes, worked out from a plan."""

    setup: TrialSetup
    space: SearchSpace
    options: StudyOptions
    default_configuration: Configuration


class Finalists(BaseModel):
    """Who is trained at the full fidelity; decided once, so that a run that goes on trains the same ones.

    Attributes:
        configurations: the best of the search first; their iterations follow from the time.
        origins: where each comes from, in words.
        folds: of train and val on which each is trained; 1 = on train alone.
        why: so many folds, a sentence; "" where there is no choice.
    """

    model_config = ConfigDict(frozen=True)

    configurations: tuple[Configuration, ...]
    origins: tuple[str, ...]
    folds: int = 1
    why: str = ""

    def in_words(self) -> str:
        """Who they are, and how long each is trained."""
        steps = [f"at most {configuration['iterations']:,} steps" for configuration in self.configurations]
        each = [f"{who} ({most})" for who, most in zip(self.origins, steps, strict=True)]
        on = f" on each of {self.folds} folds of train and val" if self.folds > 1 else ""
        return f"trained from the start at the full fidelity{on}: {'; '.join(each)}"


def fixed_search(options: RunOptions, task: Task) -> SearchFidelity:
    """The search of a run that is limited by its trials: all bounds are the profile's or the person's."""
    budget = options.budget.tasks[task]
    return SearchFidelity(
        input_size=budget.input_size,
        iterations=budget.iterations,
        batch_size=budget.batch_size,
        reports=budget.reports,
        trials=options.budget.trials,
        concurrent=options.concurrent,
    )


def fixed_plan(options: RunOptions, task: Task) -> Plan:
    """The plan of a run that is limited by its trials: its best trial is delivered as it is."""
    reason = f"The budget is that of {options.budget.name}: so many trials, whatever time they take."
    return Plan(search=fixed_search(options, task), reasons=(reason,))


def search_inputs(
    options: RunOptions,
    bag: Bag,
    choice: ModelChoice,
    search: SearchFidelity,
    ends_at: float | None = None,
    *,
    requirements: tuple[Metric, ...] = (),
) -> StudyInputs:
    """The study that a search is.

    Args:
        options: of the run.
        bag, choice: of the run, as they were selected.
        search: its fidelity.
        ends_at: when it has to be over, seconds since the epoch; None = no limit.
        requirements: of the request, on figures.
    """
    budget = options.budget.tasks[bag.task]
    bounds = {"iterations": search.iterations, "batch_size": search.batch_size}
    space = search_space(budget.model_copy(update=bounds))
    setup = TrialSetup(
        bag=with_part(bag, "val", search.val_images),
        choice=choice.model_copy(update={"input_size": search.input_size}),
        reports=search.reports,
        seed=options.seed,
        deadline=None if ends_at is None else Deadline(ends_at=ends_at),
        requirements=requirements,
        acceleration=options.budget.acceleration,
        cfg_options=options.cfg_options,
    )
    study = StudyOptions(
        searcher=options.searcher,
        searcher_options=options.searcher_options,
        scheduler=options.scheduler,
        trials=search.trials,
        trial_s=search.trial_s,
        max_concurrent=options.concurrent,
        cpus_per_trial=options.budget.cpus_per_trial,
        gpus_per_trial=options.budget.gpus_per_trial,
        workers_per_trial=options.workers_per_trial,
    )
    return StudyInputs(setup, space, study, default_configuration(choice.entry, space=space))


def final_inputs(
    options: RunOptions,
    bag: Bag,
    choice: ModelChoice,
    full: FullFidelity,
    finalists: Finalists,
    ends_at: float,
    *,
    requirements: tuple[Metric, ...] = (),
) -> StudyInputs:
    """The study that the trainings of the finalists are.

    Args:
        options, bag, choice: of the run.
        full: the fidelity.
        finalists: are trained all.
        ends_at: when the last one has to be over, seconds since the epoch.
        requirements: of the request, on figures.
    """
    space = full_space(options, bag.task, full)
    setup = TrialSetup(
        bag=with_part(bag, "val", full.val_images),
        choice=at_full_size(choice, full),
        reports=full.reports,
        seed=options.seed,
        deadline=Deadline(ends_at=ends_at, validation_s=full.validation_s),
        requirements=requirements,
        acceleration=options.budget.acceleration,
        cfg_options=options.cfg_options,
    )
    many = len(finalists.configurations)
    study = StudyOptions(
        searcher=options.searcher,
        trials=many,
        finalists=finalists.configurations,
        max_concurrent=many,
        # Several workers have what each of them was given.
        cpus_per_trial=full.cpus if options.workers_per_trial == 1 else options.budget.cpus_per_trial,
        gpus_per_trial=full.gpus if options.workers_per_trial == 1 else options.budget.gpus_per_trial,
        workers_per_trial=options.workers_per_trial,
    )
    return StudyInputs(setup, space, study, finalists.configurations[0])


def with_time(inputs: StudyInputs, seconds: float) -> StudyInputs:
    """The study, ended by Ray Tune where its trials do not end by themselves within the time and a little more."""
    limit = max(1.0, seconds) * (1 + _GRACE) + _GRACE_S
    return inputs._replace(options=inputs.options.model_copy(update={"time_budget_s": limit}))


def at_full_size(choice: ModelChoice, full: FullFidelity) -> ModelChoice:
    """The model as it is delivered: its input size, and what it costs there."""
    return choice.model_copy(update={"input_size": full.input_size, "measured": full.measured})


def full_space(options: RunOptions, task: Task, full: FullFidelity) -> SearchSpace:
    """The configurations that a final training may have."""
    budget = options.budget.tasks[task]
    return search_space(budget.model_copy(update={"iterations": full.iterations}))


def final_seconds(plan: Plan, spent_s: float) -> float:
    """What is left for the final stage now, TEST, export and report still to come.

    Args:
        plan: of the run, with a time.
        spent_s: of the run until now.
    """
    if plan.time is None or plan.full is None:
        raise ValueError("a run without a time has no final stage")
    left = plan.time.asked_s - spent_s - plan.time.after_training_s
    return max(left, plan.full.start_s + SHORTEST_FINAL_S)


def choose_finalists(
    plan: Plan, options: RunOptions, choice: ModelChoice, search: StudyResult | None, seconds: float
) -> Finalists:
    """The best of the search, the default configuration, then the next best, as many as are planned.

    They train until one is chosen: for delivery, or before the winner's configuration is trained on train and val.
    The search is short, and what learns fastest is not always what learns most. The default configuration is
    therefore a finalist wherever there are two: the delivered model is then no worse on val than one without a search.

    Args:
        plan: with a full fidelity.
        options, choice: of the run.
        search: with its trials; None where there was no time for one.
        seconds: of the final stage, or of one training where they take turns.
    """
    full = plan.compared
    if full is None:
        raise ValueError("a plan without a full fidelity has no finalists")
    space = full_space(options, choice.entry.task, full)
    scored = [trial for trial in search.trials if is_scored(trial.status)] if search else []
    ranked = sorted(scored, key=lambda trial: (-trial.score, trial.number))
    found = [(trial.hyperparameters.model_dump(), f"trial {trial.number} of the search") for trial in ranked]
    found.insert(1, (dict(default_configuration(choice.entry, space=space)), "the default configuration"))
    # They train side by side, once their workers are there.
    each_s, slower = max(1.0, seconds - full.start_s), slower_than_planned(plan, scored)
    chosen: dict[str, tuple[Configuration, str]] = {}
    for values, origin in found:
        steps = positions(options, full, int(values["batch_size"]), each_s, slower)
        configuration = space.clip({**values, "iterations": steps})
        chosen.setdefault(repr(sorted(configuration.items())), (configuration, origin))
    taken = list(chosen.values())[: full.finalists]
    return Finalists(configurations=tuple(c for c, _ in taken), origins=tuple(origin for _, origin in taken))


def positions(options: RunOptions, full: FullFidelity, batch_size: int, seconds: float, slower: float) -> int:
    """Of the schedule of a training at the full fidelity: what its deadline is expected to allow, and `AHEAD`.

    Args:
        options: several workers cannot pass over positions, so theirs are those that are expected.
        full: the fidelity.
        batch_size, seconds, slower: see `FullFidelity.steps`.
    """
    ahead = AHEAD if options.workers_per_trial == 1 else 1.0
    return full.steps(batch_size, seconds, slower / ahead)


def joined_fidelities(search: StudyResult | None, finals: StudyResult) -> StudyResult:
    """The outcome of both fidelities; without a search the trainings at the full one are its trials."""
    if search is None:
        return finals
    seconds = search.seconds + finals.seconds
    own = {"trials": search.trials, "finals": finals.trials, "seconds": seconds, "llm": search.llm}
    return finals.model_copy(update=own)


def slower_than_planned(plan: Plan, trials: Sequence[TrialRecord]) -> float:
    """By which factor the steps of the search took longer than those that were measured; 1 where nobody knows."""
    if plan.search is None or not plan.costs:
        return 1.0
    return slower_than(cost_at(plan.search.input_size, plan.costs).train_s * SIDE_BY_SIDE, trials)


def slower_than(planned_s: float, trials: Sequence[TrialRecord]) -> float:
    """By which factor a picture took longer in these trainings than planned; 1 where nobody knows."""
    factors = []
    for trial in trials:
        done = trial.as_trained
        if trial.status == "ok" and done.iterations > 0:
            factors.append(trial.train_s / (done.iterations * done.batch_size * planned_s))
    return min(max(statistics.median(factors), _FASTEST), _SLOWEST) if factors else 1.0
