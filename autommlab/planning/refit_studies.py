"""From a plan for little data to trainings: finalists over folds, then the winner's configuration on train and val."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from autommlab.data.folds import with_folds, with_val_in_train
from autommlab.data.records import Bag
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.planning.records import FullFidelity, Plan, Refit
from autommlab.planning.studies import (
    Finalists,
    StudyInputs,
    final_inputs,
    full_space,
    joined_fidelities,
    positions,
    slower_than,
)
from autommlab.training.cross_validation import Comparison, Finalist
from autommlab.training.records import CrossValidation, Hyperparameters, StudyResult, TrialRecord
from autommlab.understanding.request import Metric


class Turns(NamedTuple):
    """The time of a comparison.

    Attributes:
        each_s: of one training, in a process that is there.
        seconds: of all of them.
    """

    each_s: float
    seconds: float


def write_lists(bag: Bag, refit: Refit) -> None:
    """Write the lists of pictures that the trainings need.

    Raises:
        StorageError: they cannot be written.
    """
    with_folds(bag, refit.folds)
    with_val_in_train(bag)


def folds_of(refit: Refit, search: StudyResult | None) -> tuple[int, str]:
    """Over how many folds the finalists are compared, and why: val alone does where the search has a clear winner."""
    if refit.folds == 1 or search is None:
        return 1, ""
    lead = search.lead
    if lead is None:
        return refit.folds, f"How sure the search's order is is not known: {refit.folds} folds compare the finalists."
    if lead.rivals:
        return refit.folds, f"{lead.in_words()} {refit.folds} folds of train and val compare the finalists."
    return 1, (
        f"The best trial of the search leads beyond the noise of {lead.pictures} val pictures: val alone compares the "
        "finalists."
    )


def turns(plan: Plan, refit: Refit, folds: int, finals_s: float) -> Turns:
    """The time of the trainings that compare finalists.

    Args:
        plan, refit: of the run.
        folds: over which they are compared; where those are fewer than planned, the last training gets the rest.
        finals_s: that is left for them and the last training.
    """
    part_s = finals_s * refit.seconds / plan.finals_s
    planned = math.ceil(refit.each.finalists * refit.folds / refit.concurrent)
    each_s = max(refit.each.start_s, (part_s - refit.start_s) / planned)
    rounds = math.ceil(refit.each.finalists * folds / refit.concurrent)
    return Turns(each_s, refit.start_s + rounds * each_s)


def comparison(
    options: RunOptions,
    bag: Bag,
    choice: ModelChoice,
    refit: Refit,
    finalists: Finalists,
    within: Turns,
    now: float,
    *,
    requirements: tuple[Metric, ...] = (),
) -> Comparison:
    """The trainings that compare finalists.

    Args:
        options, bag, choice: of the run.
        refit: of its plan.
        finalists: are trained all.
        within: their time.
        now: seconds since the epoch.
        requirements: of the request, on figures.
    """
    inputs = [
        final_inputs(options, fold, choice, refit.each, finalists, now + within.seconds, requirements=requirements)
        for fold in with_folds(bag, finalists.folds)
    ]
    pairs = zip(finalists.configurations, finalists.origins, strict=True)
    return Comparison(
        setups=tuple(each.setup for each in inputs),
        finalists=tuple(Finalist(Hyperparameters.model_validate(values), origin) for values, origin in pairs),
        need=inputs[0].options.need,
        concurrent=refit.concurrent,
        ends_at=now + within.seconds,
        start_s=refit.start_s,
        each_s=within.each_s,
        why=finalists.why,
    )


def winner_alone(
    options: RunOptions,
    choice: ModelChoice,
    plan: Plan,
    validated: CrossValidation,
    trained: Sequence[TrialRecord],
    seconds: float,
) -> Finalists:
    """The winner's configuration, with the steps that the time is enough for.

    Args:
        options, choice, plan: of the run.
        validated: has the winner.
        trained: what compared the finalists; tells how fast trainings are.
        seconds: of the last training.
    """
    full, refit = plan.full, plan.refit
    if full is None or refit is None:
        raise ValueError("this run does not train on train and val")
    winner = validated.winner
    slower = slower_than(refit.each.image_s, trained)
    left_s = max(1.0, seconds - full.start_s)
    steps = positions(options, full, winner.hyperparameters.batch_size, left_s, slower)
    space = full_space(options, choice.entry.task, full)
    configuration = space.clip({**winner.hyperparameters.model_dump(), "iterations": steps})
    return Finalists(configurations=(configuration,), origins=(f"{winner.origin}, on train and val",))


def refit_inputs(
    options: RunOptions,
    bag: Bag,
    choice: ModelChoice,
    full: FullFidelity,
    winner: Finalists,
    ends_at: float,
    validated: CrossValidation,
    *,
    requirements: tuple[Metric, ...] = (),
) -> StudyInputs:
    """The study that the last training is: it sees val, so nothing is measured there.

    Args:
        options, bag, choice, full, ends_at, requirements: as of `final_inputs`.
        winner: the only configuration.
        validated: has its figures.
    """
    inputs = final_inputs(options, with_val_in_train(bag), choice, full, winner, ends_at, requirements=requirements)
    setup = inputs.setup.model_copy(update={"val_figures": validated.winner.metrics})
    return inputs._replace(setup=setup)


def joined_refit(
    search: StudyResult | None, validated: CrossValidation, trained: Sequence[TrialRecord], result: StudyResult
) -> StudyResult:
    """The outcome of a run, with what chose the winner before it was trained on train and val.

    Args:
        search: without one the trainings that left pictures out are the trials.
        validated: the comparison, of `trained`.
        result: of the last training.
    """
    if search is None:
        result = result.model_copy(update={"trials": tuple(trained), "finals": result.trials})
    else:
        result = joined_fidelities(search, result)
    own = {"cross_validation": validated, "lead": validated.lead, "seconds": result.seconds + validated.seconds}
    return result.model_copy(update=own)
