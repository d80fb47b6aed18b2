"""The five stages in order; each leaves a record, and a record that exists is not made again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydantic import BaseModel

from autommlab.cfg_options import read_option
from autommlab.cluster import ray_session
from autommlab.common.errors import AutoMMLabError, ResumeError
from autommlab.common.stopping import stopped
from autommlab.data.records import Bag
from autommlab.deployment.delivered import damaged
from autommlab.deployment.records import Deployment
from autommlab.llm_service import service_for, start_ahead
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.progress.events import EventLog, Events
from autommlab.storage.mirror import Mirroring
from autommlab.storage.run_folder import RunFolder
from autommlab.storage.run_target import HERE, Where
from autommlab.training.records import StudyResult
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.understand import Ask, Lent, understand

if TYPE_CHECKING:
    from autommlab.training.runner_config import TrialSetup
    from autommlab.training.study import StudyOptions
    from searchers.space import Configuration, SearchSpace

Record = TypeVar("Record", ModelRequest, Bag, ModelChoice, StudyResult, Deployment)
_DOING = {
    "understanding": "reading the request",
    "data": "finding images of the asked-for classes",
    "model": "measuring candidates",
    "training": "starting workers",
    "deployment": "exporting and verifying",
}
STAGES = tuple(_DOING)


class RunPlan(BaseModel):
    """The outcome of the first three stages: what would be trained."""

    request: ModelRequest
    bag: Bag
    choice: ModelChoice


class RunOutcome(BaseModel):
    """A finished run."""

    folder: Path
    bag: Bag
    study: StudyResult
    deployment: Deployment
    report: Path


def run_pipeline(
    options: RunOptions,
    out: Path,
    events: Events,
    *,
    where: Where = HERE,
    ask: Ask | None = None,
    keep_typos: bool = False,
) -> RunOutcome:
    """From a sentence to a verified model, or on from where an earlier call was interrupted.

    Args:
        options: what to do.
        out: run folder; created, or continued if it holds the same run.
        events: who is told.
        where: the cluster, and the run folder's copy on a storage, which is kept up to date.
        ask: puts a question about an unclear request to the person; None where nobody can answer.
        keep_typos: keep the folder of a new run that fails by what was asked, before there is data.

    Raises:
        AutoMMLabError: a stage failed; what is finished stays and `--resume` goes on.
    """
    folder = RunFolder(out)
    is_new = not folder.exists
    changed = folder.open(options, may_extend=True)
    events.add(EventLog(folder.events))
    mirror = where.mirror
    if mirror is not None:
        events.add(Mirroring(mirror, events))
    try:
        if changed:
            events.emit("note", "", f"goes on with other settings: {'; '.join(changed)}")
        _reopen(options, folder, events, extended=bool(changed))
        plan = plan_in(folder, options, events, ask, data_ready=lambda: _start_service_ahead(options, folder, events))
        study = _recorded(
            "training",
            "study",
            StudyResult,
            folder,
            events,
            lambda: _train(options, plan, folder, events, where),
        )
        deployment = _recorded(
            "deployment", "deployment", Deployment, folder, events, lambda: _deploy(plan, study, folder, events)
        )
        _report(options, folder)
        events.emit(
            "done", "", f"bundle: {deployment.bundle}", bundle=str(deployment.bundle), report=str(folder.report)
        )
        return RunOutcome(folder=folder.path, bag=plan.bag, study=study, deployment=deployment, report=folder.report)
    except BaseException as error:
        if is_new and not keep_typos and mirror is None and _came_to_nothing(error, folder):
            folder.discard()
            raise
        with contextlib.suppress(AutoMMLabError, OSError):  # the first error is the one to tell
            _report(options, folder, problem=str(error) or type(error).__name__)
            if mirror is not None:
                mirror.push()
        raise
    finally:
        folder.close()


def _reopen(options: RunOptions, folder: RunFolder, events: Events, *, extended: bool) -> None:
    """Drop the records of stages that have to be done again: more was asked for, or their files are gone."""
    study = folder.read("study", StudyResult)
    if study is None:
        return
    wanted = options.budget.trials
    if extended and len(study.trials) < wanted and not _out_of_time(options, folder):
        events.emit("note", "training", f"{len(study.trials)} trials are finished, {wanted} are asked for: searches on")
        folder.forget("study", "deployment")
        return
    _forget_damaged_bundle(folder, events)


def _forget_damaged_bundle(folder: RunFolder, events: Events) -> None:
    """A bundle of which something is lost or changed is no result: its stage is done again."""
    known = folder.read("deployment", Deployment)
    lost = damaged(folder.bundle, known.files) if known else []
    if lost:
        named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        events.emit("warning", "deployment", f"lost or changed since it was delivered: {named}; it is made again")
        folder.forget("deployment")


def _came_to_nothing(error: BaseException, folder: RunFolder) -> bool:
    """Whether a new run failed by what was asked, before there was anything to see: a typo leaves no folder."""
    typo = isinstance(error, AutoMMLabError) and not error.may_pass and stopped() is None
    return typo and not (folder.path / "bag.json").exists()


def _seconds_left(options: RunOptions, folder: RunFolder) -> float | None:
    """Of the time for training, None without a limit."""
    if options.time_min is None:
        return None
    return max(0.0, options.time_min * 60 - folder.stage_seconds().get("training", 0.0))


def _out_of_time(options: RunOptions, folder: RunFolder) -> bool:
    return _seconds_left(options, folder) == 0


def plan(options: RunOptions, scratch: Path, events: Events, *, ask: Ask | None = None) -> RunPlan:
    """Stages 1 to 3 only (`--dry-run`), in a folder that the caller throws away."""
    folder = RunFolder(scratch)
    folder.open(options)
    try:
        return plan_in(folder, options, events, ask)
    finally:
        folder.close()


def _start_service_ahead(options: RunOptions, folder: RunFolder, events: Events) -> None:
    """Begin to start the LLM service while the model is chosen, if the searcher is going to ask it."""
    if folder.read("study", StudyResult) is None:
        start_ahead([options.searcher], lambda words: events.emit("note", "model", words))


def plan_in(
    folder: RunFolder,
    options: RunOptions,
    events: Events,
    ask: Ask | None = None,
    data_ready: Callable[[], None] = lambda: None,
) -> RunPlan:
    """Stages 1 to 3 in an opened run folder; records that are there are read, not made again.

    Args:
        folder, options, events, ask: as for `run_pipeline`.
        data_ready: called once the request is understood and there is data for it.
    """
    from autommlab.data.embedded import of_drawings

    profile = options.budget

    def select_data() -> Bag:
        from autommlab.data.bag import select_bag

        budget = profile.tasks[request.model.task]
        return select_bag(request, budget=budget, folder=folder.bag, seed=options.seed, data=options.data)

    def select_model() -> ModelChoice:
        from autommlab.models.select import select_model as select

        choice = select(request, bag, profile=profile, weights=options.weights, model=options.model, events=events)
        return _overridden(choice, request, bag, options)

    request = _recorded(
        "understanding", "request", ModelRequest, folder, events, lambda: _understand(options, folder, events, ask)
    )
    bag = _recorded("data", "bag", Bag, folder, events, select_data)
    if words := of_drawings(bag):
        events.emit("warning", "data", words)
    if bag.folder.resolve() != folder.bag:  # workers write what is missing of a bag into its folder
        raise ResumeError(
            f"{folder.path / 'bag.json'} tells another folder than this run's, {bag.folder}: it was moved, or written "
            "by somebody else. Start a new run with --out"
        )
    data_ready()
    choice = _recorded("model", "model", ModelChoice, folder, events, select_model)
    return RunPlan(request=request, bag=bag, choice=choice)


def _overridden(choice: ModelChoice, request: ModelRequest, bag: Bag, options: RunOptions) -> ModelChoice:
    """The choice as `--cfg-options` change its model."""
    if not options.cfg_options:
        return choice
    from autommlab.compat import import_toolboxes

    import_toolboxes(bag.task)
    from autommlab.training.cfg_check import with_overrides

    return with_overrides(choice, request, bag, [read_option(text) for text in options.cfg_options])


class StudyInputs(NamedTuple):
    """What `run_study` takes, worked out from a plan."""

    setup: TrialSetup
    space: SearchSpace
    options: StudyOptions
    default_configuration: Configuration


def study_inputs(options: RunOptions, plan: RunPlan) -> StudyInputs:
    """Setup, space, budget and default configuration of the study that a plan asks for."""
    from autommlab.models.recipe import default_configuration
    from autommlab.training.runner_config import TrialSetup
    from autommlab.training.search_space import search_space
    from autommlab.training.study import StudyOptions

    profile = options.budget
    budget = profile.tasks[plan.request.model.task]
    space = search_space(budget)
    study = StudyOptions(
        searcher=options.searcher,
        scheduler=options.scheduler,
        trials=profile.trials,
        time_budget_s=None if options.time_min is None else options.time_min * 60,
        max_concurrent=options.concurrent,
        cpus_per_trial=profile.cpus_per_trial,
        gpus_per_trial=profile.gpus_per_trial,
        workers_per_trial=options.workers_per_trial,
    )
    setup = TrialSetup(
        bag=plan.bag, choice=plan.choice, reports=budget.reports, seed=options.seed, cfg_options=options.cfg_options
    )
    return StudyInputs(setup, space, study, default_configuration(plan.choice.entry, space=space))


def _understand(options: RunOptions, folder: RunFolder, events: Events, ask: Ask | None) -> ModelRequest:
    from autommlab.data.overrides import known_set, with_overrides
    from autommlab.foreseen import foreseen

    def meanwhile() -> None:
        from autommlab.compat import import_toolboxes
        from autommlab.llm_service import STARTING
        from autommlab.tasks import Task

        events.emit("note", "understanding", STARTING)
        # The task is not known yet; mmpretrain and what it imports serve every task.
        import_toolboxes(Task.CLASSIFICATION)

    known = known_set(options)
    outcome = understand(
        options.text,
        parse=options.parse,
        needs_object=options.data is None and not options.classes,
        task=known.task,
        lent=Lent(ask=ask, tell=lambda doing: events.emit("progress", "understanding", doing), meanwhile=meanwhile),
    )
    outcome = with_overrides(outcome, options, known)
    folder.write("understanding", outcome)
    if outcome.effort is not None:
        effort = outcome.effort
        events.emit("note", "understanding", effort.in_words(), **effort.model_dump(mode="json"))
    for warning in (*outcome.warnings(), *foreseen(outcome.request, data=options.data)):
        events.emit("warning", "understanding", warning)
    return outcome.request


def _train(options: RunOptions, plan: RunPlan, folder: RunFolder, events: Events, where: Where) -> StudyResult:
    from autommlab.training.study import run_study

    setup, space, study, default_configuration = study_inputs(options, plan)
    left = _seconds_left(options, folder)
    if left is not None:  # an earlier call has used some; Ray Tune takes no 0
        study = study.model_copy(update={"time_budget_s": max(1.0, left)})
    service = service_for([study.searcher], tell=lambda words: events.emit("progress", "training", words))
    with ray_session(where.address, priority=where.priority):
        return run_study(
            setup,
            space,
            study,
            folder=folder.study,
            events=events,
            default_configuration=default_configuration,
            service=service,
            place=where.mirror.place if where.mirror else None,
        )


def _deploy(plan: RunPlan, study: StudyResult, folder: RunFolder, events: Events) -> Deployment:
    from autommlab.deployment.stage import deploy

    return deploy(plan.request, plan.bag, plan.choice, study, folder=folder.path, events=events)


def _recorded(
    stage: str, name: str, kind: type[Record], folder: RunFolder, events: Events, make: Callable[[], Record]
) -> Record:
    """The record of a stage: read if it is there, else made and stored."""
    number = STAGES.index(stage) + 1
    known = folder.read(name, kind)
    if known is not None:
        events.emit("stage-skipped", stage, "done before", number=number, total=len(STAGES))
        return known
    events.emit("stage-started", stage, _DOING[stage], number=number, total=len(STAGES))
    started = time.monotonic()
    try:
        record = make()
        folder.write(name, record)
    finally:
        folder.add_seconds(stage, time.monotonic() - started)
    seconds = time.monotonic() - started
    events.emit("stage-finished", stage, record.summary(), number=number, total=len(STAGES), seconds=seconds)
    return record


def _report(options: RunOptions, folder: RunFolder, problem: str = "") -> None:
    from autommlab.report.run_report import write_run_report

    write_run_report(options, folder, problem)
