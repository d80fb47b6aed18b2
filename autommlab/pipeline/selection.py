"""Stages 1 to 3: the request, its data, its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from autommlab.cfg_options import read_option
from autommlab.common.errors import ResumeError
from autommlab.data.records import Bag
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.pipeline.recorded import recorded
from autommlab.pipeline.records import RunPlan
from autommlab.progress.events import Events
from autommlab.settings import Images
from autommlab.storage.run_folder import RunFolder
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.said_back import said_back
from autommlab.understanding.settle import settled
from autommlab.understanding.understand import NOBODY, Lent, understand

if TYPE_CHECKING:
    from autommlab.planning.studies import StudyInputs


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

    request = recorded(
        "understanding", "request", ModelRequest, folder, events, lambda: _understand(options, folder, events, person)
    )
    events.emit("note", "understanding", said_back(request))
    bag = recorded("data", "bag", Bag, folder, events, lambda: _select_data(request, options, folder, events, images))
    if words := of_drawings(bag):
        events.emit("warning", "data", words)
    if bag.folder.resolve() != folder.bag:  # workers write what is missing of a bag into its folder
        raise ResumeError(
            f"{folder.path / 'bag.json'} tells another folder than this run's, {bag.folder}: it was moved, or written "
            "by somebody else. Start a new run with --out"
        )
    data_ready()
    choice = recorded(
        "model", "model", ModelChoice, folder, events, lambda: _select_model(request, bag, options, events)
    )
    return RunPlan(request=request, bag=bag, choice=choice)


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
    for warning in (*outcome.warnings(), *foreseen(outcome.request, data=options.data, quantize=options.quantize)):
        events.emit("warning", "understanding", warning)
    if outcome.unused:
        events.emit("note", "understanding", f"not used of the text: {', '.join(outcome.unused)}")
    return outcome.request


def _select_data(
    request: ModelRequest, options: RunOptions, folder: RunFolder, events: Events, images: Images | None
) -> Bag:
    from autommlab.data.at_work import telling
    from autommlab.data.bag import select_bag
    from autommlab.data.embedded import of_drawings

    task = request.model.task
    budget = options.budget.tasks[task]
    if images is not None and options.fixed(task).images is None:
        budget = budget.model_copy(update={"images": images})
    with telling(lambda words: events.emit("progress", "data", words)):
        bag = select_bag(request, budget=budget, folder=folder.bag, seed=options.seed, data=options.data)
    for note in () if of_drawings(bag) else bag.notes:  # what became of a person's own pictures
        events.emit("note", "data", note)
    return bag


def _select_model(request: ModelRequest, bag: Bag, options: RunOptions, events: Events) -> ModelChoice:
    """The choice, as `--cfg-options` change its model."""
    from autommlab.models.select import select_model

    profile = options.budget
    choice = select_model(request, bag, profile=profile, weights=options.weights, model=options.model, events=events)
    if not options.cfg_options:
        return choice
    from autommlab.compat import import_toolboxes

    import_toolboxes(bag.task)
    from autommlab.training.cfg_check import with_cfg_options

    return with_cfg_options(choice, request, bag, [read_option(text) for text in options.cfg_options])
