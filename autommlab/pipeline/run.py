"""From a sentence to a verified model: all stages, or those before training alone."""

from __future__ import annotations

import contextlib
from pathlib import Path

from autommlab.common.errors import AutoMMLabError
from autommlab.common.stopping import stopped
from autommlab.deployment.records import Deployment
from autommlab.llm_service import start_ahead
from autommlab.options import RunOptions
from autommlab.pipeline.recorded import recorded
from autommlab.pipeline.records import RunAtWork, RunOutcome, RunPlan
from autommlab.pipeline.reopening import reopen
from autommlab.pipeline.selection import plan_in
from autommlab.pipeline.timing import most_images, with_time
from autommlab.pipeline.trainings import trained
from autommlab.planning.run_time import RunClock
from autommlab.progress.events import EventLog, Events
from autommlab.storage.mirror import Mirroring
from autommlab.storage.run_folder import RunFolder
from autommlab.storage.run_target import HERE, Where
from autommlab.trackers.session import tracking
from autommlab.training.records import StudyResult
from autommlab.understanding.understand import NOBODY, Lent


def run_pipeline(
    options: RunOptions,
    out: Path,
    events: Events,
    *,
    where: Where = HERE,
    person: Lent = NOBODY,
    keep_typos: bool = False,
) -> RunOutcome:
    """From a sentence to a verified model, or on from where an earlier call was interrupted.

    Args:
        options: what to do.
        out: run folder; created, or continued if it holds the same run.
        events: who is told.
        where: the cluster, and the run folder's copy on a storage, which is kept up to date.
        person: how they are asked about an unclear request.
        keep_typos: keep the folder of a new run that fails by what was asked, before there is data.

    Raises:
        AutoMMLabError: a stage failed; what is finished stays and `--resume` goes on.
    """
    folder = RunFolder(out)
    is_new = not folder.exists
    changed = folder.open(options, may_extend=True)
    events.add(EventLog(folder.events))
    if where.mirror is not None:
        events.add(Mirroring(where.mirror, events))
    try:
        if changed:
            events.emit("note", "", f"goes on with other settings: {'; '.join(changed)}")
        run = RunAtWork(options, folder, events, where, RunClock(sum(folder.stage_seconds().values())))
        reopen(run, extended=bool(changed))
        return _all_stages(run, person)
    except BaseException as error:
        if is_new and not keep_typos and where.mirror is None and _came_to_nothing(error, folder):
            folder.discard()
            raise
        with contextlib.suppress(AutoMMLabError, OSError):  # the first error is the one to tell
            _report(options, folder, problem=str(error) or type(error).__name__)
            if where.mirror is not None:
                where.mirror.push()
        raise
    finally:
        folder.close()


def plan(options: RunOptions, scratch: Path, events: Events, *, where: Where = HERE, person: Lent = NOBODY) -> RunPlan:
    """The stages before training only (`--dry-run`), in a folder that the caller throws away."""
    clock = RunClock()
    folder = RunFolder(scratch)
    folder.open(options)
    try:
        selected = plan_in(folder, options, events, person, images=most_images(options))
        return with_time(selected, RunAtWork(options, folder, events, where, clock))
    finally:
        folder.close()


def _all_stages(run: RunAtWork, person: Lent) -> RunOutcome:
    options, folder, events = run.options, run.folder, run.events
    selected = plan_in(
        folder,
        options,
        events,
        person,
        data_ready=lambda: _start_service_ahead(options, folder, events),
        images=most_images(options),
    )
    selected = with_time(selected, run)
    with tracking(options, folder, events, run.where, (selected.request, selected.bag, selected.choice)) as trackers:
        planned, study = trained(selected, run)
        deployment = recorded(
            "deployment", "deployment", Deployment, folder, events, lambda: _deploy(planned, study, run)
        )
        _report(options, folder)
        trackers.finish(study, deployment)
    events.emit("done", "", f"bundle: {deployment.bundle}", bundle=str(deployment.bundle), report=str(folder.report))
    return RunOutcome(
        folder=folder.path,
        bag=planned.bag,
        plan=planned.made,
        study=study,
        deployment=deployment,
        report=folder.report,
    )


def _came_to_nothing(error: BaseException, folder: RunFolder) -> bool:
    """Whether a new run failed by what was asked, before there was anything to see: a typo leaves no folder."""
    typo = isinstance(error, AutoMMLabError) and not error.may_pass and stopped() is None
    return typo and not (folder.path / "bag.json").exists()


def _start_service_ahead(options: RunOptions, folder: RunFolder, events: Events) -> None:
    """Begin to start the LLM service while the model is chosen, if the searcher is going to ask it."""
    if options.searches and folder.read("study", StudyResult) is None:
        start_ahead([options.searcher], lambda words: events.emit("note", "model", words))


def _deploy(plan: RunPlan, study: StudyResult, run: RunAtWork) -> Deployment:
    from autommlab.deployment.stage import deploy

    run.folder.forget("analysis")  # of an older bundle
    return deploy(
        plan.request,
        plan.bag,
        plan.delivered,
        study,
        folder=run.folder.path,
        events=run.events,
        keep=lambda found: run.folder.write("analysis", found),
        policy=run.options.quantize_policy,
    )


def _report(options: RunOptions, folder: RunFolder, problem: str = "") -> None:
    from autommlab.report.run_report import write_run_report

    write_run_report(options, folder, problem)
