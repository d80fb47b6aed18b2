"""The stages in order; each leaves a record, and a record that exists is not made again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from autommlab.cfg_options import read_option
from autommlab.common.errors import AutoMMLabError, NoResultError, ResumeError
from autommlab.common.stopping import stopped
from autommlab.data.records import Bag
from autommlab.deployment.delivered import damaged
from autommlab.deployment.records import Deployment
from autommlab.llm_service import start_ahead
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.planning.records import Plan
from autommlab.planning.run_time import RunClock
from autommlab.progress.events import EventLog, Events
from autommlab.settings import Images
from autommlab.storage.mirror import Mirroring
from autommlab.storage.run_folder import RunFolder, before
from autommlab.storage.run_target import HERE, Where
from autommlab.training.records import StudyResult
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.said_back import said_back
from autommlab.understanding.settle import settled
from autommlab.understanding.understand import NOBODY, Lent, understand

if TYPE_CHECKING:
    from autommlab.planning.again import Earlier
    from autommlab.planning.stage import TimeOfRun
    from autommlab.planning.studies import StudyInputs
    from autommlab.planning.training import PlannedTraining

Record = TypeVar("Record", ModelRequest, Bag, ModelChoice, Plan, StudyResult, Deployment)
_DOING = {
    "understanding": "reading the request",
    "data": "finding images of the asked-for classes",
    "model": "measuring candidates",
    "plan": "measuring a few steps",
    "training": "starting workers",
    "final": "starting workers",
    "deployment": "exporting and verifying",
}
STAGES = tuple(_DOING)


class RunPlan(BaseModel):
    """The outcome of the stages before training: what would be trained, and how."""

    request: ModelRequest
    bag: Bag
    choice: ModelChoice
    plan: Plan | None = None

    @property
    def made(self) -> Plan:
        """How the time is spent.

        Raises:
            ValueError: that is not planned yet.
        """
        if self.plan is None:
            raise ValueError("the time of this run is not planned yet")
        return self.plan

    @property
    def delivered(self) -> ModelChoice:
        """The model at the input size that it is delivered with."""
        from autommlab.planning.studies import at_full_size

        return at_full_size(self.choice, self.made.full) if self.made.full else self.choice


class RunOutcome(BaseModel):
    """A finished run."""

    folder: Path
    bag: Bag
    plan: Plan
    study: StudyResult
    deployment: Deployment
    report: Path


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
    mirror = where.mirror
    if mirror is not None:
        events.add(Mirroring(mirror, events))
    try:
        if changed:
            events.emit("note", "", f"goes on with other settings: {'; '.join(changed)}")
        clock = RunClock(sum(folder.stage_seconds().values()))
        _reopen(options, folder, events, clock, extended=bool(changed))
        plan = plan_in(
            folder,
            options,
            events,
            person,
            data_ready=lambda: _start_service_ahead(options, folder, events),
            images=_images(options),
        )
        plan = _with_time(plan, options, folder, events, where, clock)
        plan, study = _trained(options, plan, folder, events, where, clock)
        deployment = _recorded(
            "deployment", "deployment", Deployment, folder, events, lambda: _deploy(plan, study, folder, events)
        )
        _report(options, folder)
        events.emit(
            "done", "", f"bundle: {deployment.bundle}", bundle=str(deployment.bundle), report=str(folder.report)
        )
        return RunOutcome(
            folder=folder.path,
            bag=plan.bag,
            plan=plan.made,
            study=study,
            deployment=deployment,
            report=folder.report,
        )
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


def _reopen(options: RunOptions, folder: RunFolder, events: Events, clock: RunClock, *, extended: bool) -> None:
    """Drop the records of stages that have to be done again: more was asked for, or their files are gone."""
    if extended and (more := _more_of(options, folder, clock)):
        events.emit("note", "plan", more)
        return
    if folder.read("study", StudyResult) is not None:
        _forget_damaged_bundle(folder, events)


def _more_of(options: RunOptions, folder: RunFolder, clock: RunClock) -> str:
    """What is done again as more is asked for, in words; "" if nothing is."""
    from autommlab.planning.again import has_more

    earlier = _earlier(folder, "plan")
    if earlier is None:
        return ""
    if has_more(options, earlier, clock.spent_s()):
        folder.retire("plan")
        folder.forget("search", "study", "finalists", "deployment")
        folder.retire_final()
        return f"{earlier.trials} trials are finished and count; the rest of the time is planned anew"
    if earlier.plan.time is not None:
        return ""
    folder.forget("plan")  # it says no more than the options
    wanted = options.budget.trials
    if folder.read("study", StudyResult) is None or earlier.trials >= wanted:
        return ""
    folder.forget("study", "deployment")
    return f"{earlier.trials} trials are finished, {wanted} are asked for: searches on"


def _earlier(folder: RunFolder, name: str) -> Earlier | None:
    """What a run has done by the plan in that record."""
    from autommlab.planning.again import Earlier
    from autommlab.training.ledger import Ledger

    plan = folder.read(name, Plan)
    if plan is None:
        return None
    trials = len(Ledger(folder.study / "trials.jsonl").records)
    return Earlier(plan, trials, folder.stage_seconds().get("training", 0.0))


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


def plan(options: RunOptions, scratch: Path, events: Events, *, where: Where = HERE, person: Lent = NOBODY) -> RunPlan:
    """The stages before training only (`--dry-run`), in a folder that the caller throws away."""
    clock = RunClock()
    folder = RunFolder(scratch)
    folder.open(options)
    try:
        plan = plan_in(folder, options, events, person, images=_images(options))
        return _with_time(plan, options, folder, events, where, clock)
    finally:
        folder.close()


def _images(options: RunOptions) -> Images | None:
    """Most pictures of a run that is limited by its time."""
    from autommlab.planning.run_time import PLANNED_IMAGES, asked_seconds

    return None if asked_seconds(options) is None else PLANNED_IMAGES


def _start_service_ahead(options: RunOptions, folder: RunFolder, events: Events) -> None:
    """Begin to start the LLM service while the model is chosen, if the searcher is going to ask it."""
    if folder.read("study", StudyResult) is None:
        start_ahead([options.searcher], lambda words: events.emit("note", "model", words))


def plan_in(
    folder: RunFolder,
    options: RunOptions,
    events: Events,
    person: Lent = NOBODY,
    data_ready: Callable[[], None] = lambda: None,
    images: Images | None = None,
) -> RunPlan:
    """Stages 1 to 3 in an opened run folder; records that are there are read, not made again.

    Args:
        folder, options, events, person: as for `run_pipeline`.
        data_ready: called once the request is understood and there is data for it.
        images: most pictures of train, val and test where the person names none; None = the profile's.
    """
    from autommlab.data.embedded import of_drawings

    profile = options.budget

    def select_data() -> Bag:
        from autommlab.data.at_work import telling
        from autommlab.data.bag import select_bag

        budget = profile.tasks[request.model.task]
        if images is not None and options.fixed(request.model.task).images is None:
            budget = budget.model_copy(update={"images": images})
        with telling(lambda words: events.emit("progress", "data", words)):
            bag = select_bag(request, budget=budget, folder=folder.bag, seed=options.seed, data=options.data)
        for note in () if of_drawings(bag) else bag.notes:  # what became of a person's own pictures
            events.emit("note", "data", note)
        return bag

    def select_model() -> ModelChoice:
        from autommlab.models.select import select_model as select

        choice = select(request, bag, profile=profile, weights=options.weights, model=options.model, events=events)
        return _overridden(choice, request, bag, options)

    request = _recorded(
        "understanding", "request", ModelRequest, folder, events, lambda: _understand(options, folder, events, person)
    )
    events.emit("note", "understanding", said_back(request))
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
    from autommlab.training.cfg_check import with_cfg_options

    return with_cfg_options(choice, request, bag, [read_option(text) for text in options.cfg_options])


def study_inputs(options: RunOptions, plan: RunPlan) -> StudyInputs:
    """Setup, space, budget and default configuration of a study by trials, not by time: what searchers are compared on.

    Args:
        options: of the run.
        plan: of its first three stages.
    """
    from autommlab.planning.studies import fixed_search, search_inputs

    request = plan.request.model
    search = fixed_search(options, request.task)
    return search_inputs(options, plan.bag, plan.choice, search, requirements=request.metrics)


def _understand(options: RunOptions, folder: RunFolder, events: Events, person: Lent) -> ModelRequest:
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
    lent = replace(person, tell=lambda doing: events.emit("progress", "understanding", doing), meanwhile=meanwhile)
    outcome = understand(
        options.text,
        parse=options.parse,
        needs_object=options.data is None and not options.classes,
        task=known.task,
        lent=lent,
    )
    outcome = settled(with_overrides(outcome, options, known), lent)
    folder.write("understanding", outcome)
    if outcome.effort is not None:
        effort = outcome.effort
        events.emit("note", "understanding", effort.in_words(), **effort.model_dump(mode="json"))
    for warning in (*outcome.warnings(), *foreseen(outcome.request, data=options.data)):
        events.emit("warning", "understanding", warning)
    if outcome.unused:
        events.emit("note", "understanding", f"not used of the text: {', '.join(outcome.unused)}")
    return outcome.request


def _with_time(
    plan: RunPlan, options: RunOptions, folder: RunFolder, events: Events, where: Where, clock: RunClock
) -> RunPlan:
    """The run's plan with how its time is spent."""
    from autommlab.data.bag_part import with_part
    from autommlab.planning.again import seconds_now
    from autommlab.planning.stage import TimeOfRun
    from autommlab.planning.studies import fixed_plan

    def make() -> Plan:
        earlier = _earlier(folder, before("plan"))
        asked_s = seconds_now(options, earlier, clock.spent_s())
        # Trials without a plan are those of a release before there were plans: its bounds are the profile's.
        if asked_s is None or (earlier is None and (folder.study / "trials.jsonl").exists()):
            return fixed_plan(options, plan.request.model.task)
        made = _planned(plan, options, events, where, TimeOfRun(asked_s, clock.spent_s, earlier))
        for words in made.lacking:
            events.emit("warning", "plan", words)
        for words in (*made.reasons, *made.more):
            events.emit("note", "plan", words)
        for fidelity in (made.search, made.full):  # before nodes that do not share the disk look for the lists
            if fidelity is not None:
                with_part(plan.bag, "val", fidelity.val_images)
        return made

    return plan.model_copy(update={"plan": _recorded("plan", "plan", Plan, folder, events, make)})


def _planned(plan: RunPlan, options: RunOptions, events: Events, where: Where, time_of_run: TimeOfRun) -> Plan:
    from autommlab.planning.machine import machine_at_hand
    from autommlab.planning.stage import make_plan

    with machine_at_hand(options, where.address, where.priority) as machine:
        return make_plan(
            options,
            plan.request,
            plan.bag,
            plan.choice,
            time=time_of_run,
            machine=machine,
            events=events,
        )


def _trained(
    options: RunOptions, plan: RunPlan, folder: RunFolder, events: Events, where: Where, clock: RunClock
) -> tuple[RunPlan, StudyResult]:
    """The search, then the finalists; each where the plan has it. Also the plan, less what came to nothing."""
    from autommlab.planning.training import PlannedTraining

    with contextlib.ExitStack() as session:
        wanted = plan.request.model.metrics
        run = PlannedTraining(options, plan.bag, plan.choice, wanted, plan.made, folder, events, where, clock, session)
        full = plan.made.full
        if full is None:
            return plan, _searched(run, "study")
        searched = _searched_if_possible(run)
        try:
            study = _recorded(
                "final", "study", StudyResult, folder, events, lambda: run.finals(full, searched), limit_s=full.seconds
            )
        except NoResultError as error:
            if searched is None:
                raise
            reason = str(error).partition("\n")[0].rstrip(":")
            events.emit("warning", "final", f"{reason}: the best trial of the search is delivered as it is")
            plan = plan.model_copy(update={"plan": plan.made.model_copy(update={"full": None})})
            folder.write("plan", plan.made)
            return plan, _searched(replace(run, plan=plan.made), "study")
        return plan, study


def _searched(run: PlannedTraining, name: str) -> StudyResult:
    search = run.plan.search
    if search is None:
        raise ValueError("a plan without finalists has a search")
    return _recorded(
        "training", name, StudyResult, run.folder, run.events, lambda: run.search(search), limit_s=search.seconds
    )


def _searched_if_possible(run: PlannedTraining) -> StudyResult | None:
    """The search of a run whose finalists follow; None where there is none, or none of its trials has a result."""
    if run.plan.search is None:
        return None
    try:
        return _searched(run, "search")
    except NoResultError as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        run.events.emit("warning", "training", f"{reason}: the default configuration is trained alone")
        return None


def _deploy(plan: RunPlan, study: StudyResult, folder: RunFolder, events: Events) -> Deployment:
    from autommlab.deployment.stage import deploy

    folder.forget("analysis")  # of an older bundle
    return deploy(
        plan.request,
        plan.bag,
        plan.delivered,
        study,
        folder=folder.path,
        events=events,
        keep=lambda found: folder.write("analysis", found),
    )


def _recorded(
    stage: str,
    name: str,
    kind: type[Record],
    folder: RunFolder,
    events: Events,
    make: Callable[[], Record],
    limit_s: float | None = None,
) -> Record:
    """The record of a stage: read if it is there, else made and stored; `limit_s` is told to the display."""
    number = STAGES.index(stage) + 1
    known = folder.read(name, kind)
    if known is not None:
        events.emit("stage-skipped", stage, "done before", number=number, total=len(STAGES))
        return known
    limit = {} if limit_s is None else {"limit_s": limit_s}
    events.emit("stage-started", stage, _DOING[stage], number=number, total=len(STAGES), **limit)
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
