"""The trainings of a run: the search, then the finalists; with little data these over folds, and the winner again."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from autommlab.common.errors import NoResultError
from autommlab.pipeline.recorded import recorded
from autommlab.pipeline.records import RunAtWork, RunPlan
from autommlab.training.records import CrossValidation, StudyResult

if TYPE_CHECKING:
    from autommlab.planning.records import FullFidelity
    from autommlab.planning.training import PlannedTraining


def trained(plan: RunPlan, run: RunAtWork) -> tuple[RunPlan, StudyResult]:
    """The search, then the finalists; each where the plan has it. Also the plan, less what came to nothing."""
    from autommlab.planning.training import PlannedTraining

    folder, events = run.folder, run.events
    with contextlib.ExitStack() as session:
        planned = PlannedTraining(
            run.options,
            plan.bag,
            plan.choice,
            plan.request.model.metrics,
            plan.made,
            folder,
            events,
            run.where,
            run.clock,
            session,
        )
        full = plan.made.full
        if full is None:
            return plan, _searched(planned, "study")
        found = _searched_if_possible(planned)
        try:
            study = _finished(planned, full, found)
        except NoResultError as error:
            if found is None:
                raise
            events.emit("warning", "final", f"{_reason(error)}: the best trial of the search is delivered as it is")
            plan = plan.model_copy(update={"plan": plan.made.model_copy(update={"full": None, "refit": None})})
            folder.write("plan", plan.made)
            return plan, _searched(replace(planned, plan=plan.made), "study")
        return plan, study


def _finished(planned: PlannedTraining, full: FullFidelity, found: StudyResult | None) -> StudyResult:
    """The trainings after the search, and the outcome of the run."""
    folder, events, refit = planned.folder, planned.events, planned.plan.refit
    if refit is None:
        make = functools.partial(planned.finals, full, found)
    else:
        validated = recorded(
            "folds",
            "folds",
            CrossValidation,
            folder,
            events,
            lambda: planned.cross_validated(refit, found),
            limit_s=refit.seconds,
        )
        make = functools.partial(planned.refit, full, found, validated)
    return recorded("final", "study", StudyResult, folder, events, make, limit_s=full.seconds)


def _searched(planned: PlannedTraining, name: str) -> StudyResult:
    search = planned.plan.search
    if search is None:
        raise ValueError("a plan without finalists has a search")
    return recorded(
        "training",
        name,
        StudyResult,
        planned.folder,
        planned.events,
        lambda: planned.search(search),
        limit_s=search.seconds,
    )


def _searched_if_possible(planned: PlannedTraining) -> StudyResult | None:
    """The search of a run whose finalists follow; None where there is none, or none of its trials has a result."""
    if planned.plan.search is None:
        return None
    try:
        return _searched(planned, "search")
    except NoResultError as error:
        planned.events.emit("warning", "training", f"{_reason(error)}: the default configuration is trained alone")
        return None


def _reason(error: NoResultError) -> str:
    return str(error).partition("\n")[0].rstrip(":")
