"""One stage: its record is read if it is there, else made, stored and told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from autommlab.data.records import Bag
from autommlab.deployment.records import Deployment
from autommlab.models.records import ModelChoice
from autommlab.planning.records import Plan
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.training.records import CrossValidation, StudyResult
from autommlab.understanding.request import ModelRequest

Record = TypeVar("Record", ModelRequest, Bag, ModelChoice, Plan, CrossValidation, StudyResult, Deployment)
_DOING = {
    "understanding": "reading the request",
    "data": "finding images of the asked-for classes",
    "model": "measuring candidates",
    "plan": "measuring a few steps",
    "training": "starting workers",
    "folds": "starting workers",
    "final": "starting workers",
    "deployment": "exporting and verifying",
}
STAGES = tuple(_DOING)


def recorded(
    stage: str,
    name: str,
    kind: type[Record],
    folder: RunFolder,
    events: Events,
    make: Callable[[], Record],
    limit_s: float | None = None,
) -> Record:
    """The record of a stage: read if it is there, else made and stored.

    Args:
        stage: one of `STAGES`.
        name, kind: of its record.
        folder: of the run, opened.
        events: who is told.
        make: does the stage's work.
        limit_s: wall-clock seconds of the stage, told to the display; None = no limit.
    """
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
