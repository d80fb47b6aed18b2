"""`autommlab.run`, `autommlab.plan` and `autommlab.resume`: what the commands do, as functions."""

from __future__ import annotations

import os
from typing import Unpack

from autommlab.api.arguments import AnyPath, ChangeArguments, Request, RunArguments
from autommlab.api.call import RunCall, read_call
from autommlab.api.errors import our_errors
from autommlab.api.progress import Progress, told
from autommlab.api.runs import Run
from autommlab.pipeline.records import RunPlan
from autommlab.understanding.understand import Ask


def run(
    request: Request = "",
    *,
    progress: Progress = False,
    ask: Ask | None = None,
    **arguments: Unpack[RunArguments],
) -> Run:
    """Turn one sentence into a trained, tuned, exported and verified vision model, as `autommlab run` does.

    Args:
        request: what you want, in plain words; or what `understand` returned.
        progress: True shows what the command line shows; a function gets each event; else nothing is printed.
        ask: puts a question about an unclear request to a person, for instance `input`; None = nobody is there.
        arguments: the options of `autommlab run`: data, time (minutes), trials, searcher, out ...; see `RunArguments`.

    Returns:
        The finished run.

    Raises:
        AutoMMLabError: the arguments cannot work, or a stage failed; what is finished stays, and `resume` goes on.
    """
    with our_errors():
        return _done(read_call(request, arguments), progress, ask)


def resume(
    folder: AnyPath | Run,
    *,
    progress: Progress = False,
    ask: Ask | None = None,
    **arguments: Unpack[ChangeArguments],
) -> Run:
    """Go on with an interrupted run, or with a finished one that is given more time or trials.

    Args:
        folder: of the run, or its URI on a storage, or the run itself.
        progress, ask: as for `run`.
        arguments: what takes the place of the run's own options.

    Raises:
        AutoMMLabError: as for `run`; a ResumeError where the folder holds no run, or one with other settings.
    """
    name = folder.name if isinstance(folder, Run) else os.fspath(folder)
    with our_errors():
        return _done(read_call("", arguments, resume=name), progress, ask)


def plan(
    request: Request = "",
    *,
    progress: Progress = False,
    ask: Ask | None = None,
    **arguments: Unpack[RunArguments],
) -> RunPlan:
    """What `run` would train with the same arguments: the request, its data, the model, and how the time is spent.

    Nothing is trained but the few steps that the plan is measured on, and nothing is kept.

    Args:
        request, progress, ask, arguments: as for `run`.

    Raises:
        AutoMMLabError: as for `run`.
    """
    with our_errors(), told(progress, ask) as (events, person):
        return read_call(request, arguments).plan(events, person)


def _done(call: RunCall, progress: Progress, ask: Ask | None) -> Run:
    target = call.target()
    with told(progress, ask) as (events, person):
        call.execute(target, events, person)
    return Run(target.folder, target.name)
