"""What of a run is done again when it goes on: more was asked for, or its files are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autommlab.deployment.delivered import damaged
from autommlab.deployment.records import Deployment
from autommlab.pipeline.records import RunAtWork
from autommlab.planning.records import Plan
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.training.records import StudyResult

if TYPE_CHECKING:
    from autommlab.planning.again import Earlier


def reopen(run: RunAtWork, *, extended: bool) -> None:
    """Drop the records of stages that have to be done again: more was asked for, or their files are gone.

    Args:
        run: whose folder was there.
        extended: its options are others than before.
    """
    if extended:
        _forget_other_precision(run)
    if extended and (more := _more_of(run)):
        run.events.emit("note", "plan", more)
        return
    if run.folder.read("study", StudyResult) is not None:
        forget_damaged_bundle(run.folder, run.events)


def _forget_other_precision(run: RunAtWork) -> None:
    """A bundle that was made with another `--quantize` is made again."""
    known = run.folder.read("deployment", Deployment)
    if known is not None and known.policy != run.options.quantize_policy:
        run.events.emit("note", "deployment", "another --quantize is asked for: the bundle is made again")
        run.folder.forget("deployment")


def _more_of(run: RunAtWork) -> str:
    """What is done again as more is asked for, in words; "" if nothing is."""
    from autommlab.planning.again import has_more

    folder, earlier = run.folder, earlier_of(run.folder, "plan")
    if earlier is None:
        return ""
    if has_more(run.options, earlier, run.clock.spent_s()):
        folder.retire("plan")
        folder.forget("search", "study", "finalists", "folds", "refit", "deployment")
        folder.retire_finals()
        return f"{earlier.trials} trials are finished and count; the rest of the time is planned anew"
    if earlier.plan.time is not None:
        return ""
    folder.forget("plan")  # it says no more than the options
    wanted = run.options.budget.trials
    if folder.read("study", StudyResult) is None or earlier.trials >= wanted:
        return ""
    folder.forget("study", "deployment")
    return f"{earlier.trials} trials are finished, {wanted} are asked for: searches on"


def earlier_of(folder: RunFolder, name: str) -> Earlier | None:
    """What a run has done by the plan in that record."""
    from autommlab.planning.again import Earlier
    from autommlab.training.ledger import Ledger

    plan = folder.read(name, Plan)
    if plan is None:
        return None
    trials = len(Ledger(folder.study / "trials.jsonl").records)
    return Earlier(plan, trials, folder.stage_seconds().get("training", 0.0))


def forget_damaged_bundle(folder: RunFolder, events: Events) -> None:
    """A bundle of which something is lost or changed is no result: its stage is done again."""
    known = folder.read("deployment", Deployment)
    lost = damaged(folder.bundle, known.files) if known else []
    if lost:
        named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        events.emit("warning", "deployment", f"lost or changed since it was delivered: {named}; it is made again")
        folder.forget("deployment")
