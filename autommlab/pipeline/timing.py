"""How a run's time is spent: its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autommlab.options import RunOptions
from autommlab.pipeline.recorded import recorded
from autommlab.pipeline.records import RunAtWork, RunPlan
from autommlab.pipeline.reopening import earlier_of
from autommlab.planning.records import Plan
from autommlab.settings import Images
from autommlab.storage.run_folder import before

if TYPE_CHECKING:
    from autommlab.planning.stage import TimeOfRun


def most_images(options: RunOptions) -> Images | None:
    """Most pictures of a run that is limited by its time; None where the profile says."""
    from autommlab.planning.run_time import PLANNED_IMAGES, asked_seconds

    return None if asked_seconds(options) is None else PLANNED_IMAGES


def with_time(plan: RunPlan, run: RunAtWork) -> RunPlan:
    """The run's plan with how its time is spent."""
    from autommlab.data.bag_part import with_part
    from autommlab.planning.again import seconds_now
    from autommlab.planning.refit_studies import write_lists
    from autommlab.planning.stage import TimeOfRun
    from autommlab.planning.studies import fixed_plan

    options, folder, events, clock = run.options, run.folder, run.events, run.clock

    def make() -> Plan:
        earlier = earlier_of(folder, before("plan"))
        asked_s = seconds_now(options, earlier, clock.spent_s())
        # Trials without a plan are those of a release before there were plans: its bounds are the profile's.
        if asked_s is None or (earlier is None and (folder.study / "trials.jsonl").exists()):
            return fixed_plan(options, plan.request.model.task)
        made = _planned(plan, run, TimeOfRun(asked_s, clock.spent_s, earlier))
        for words in made.lacking:
            events.emit("warning", "plan", words)
        for words in (*made.reasons, *made.more):
            events.emit("note", "plan", words)
        for fidelity in (made.search, made.full):  # before nodes that do not share the disk look for the lists
            if fidelity is not None:
                with_part(plan.bag, "val", fidelity.val_images)
        if made.refit is not None:
            write_lists(plan.bag, made.refit)
        return made

    return plan.model_copy(update={"plan": recorded("plan", "plan", Plan, folder, events, make)})


def _planned(plan: RunPlan, run: RunAtWork, time_of_run: TimeOfRun) -> Plan:
    from autommlab.planning.machine import machine_at_hand
    from autommlab.planning.stage import make_plan

    with machine_at_hand(run.options, run.where.address, run.where.priority) as machine:
        return make_plan(
            run.options,
            plan.request,
            plan.bag,
            plan.choice,
            time=time_of_run,
            machine=machine,
            events=run.events,
        )
