"""What a run is on its way, what it has planned, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from autommlab.data.records import Bag
from autommlab.deployment.records import Deployment
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.planning.records import Plan
from autommlab.planning.run_time import RunClock
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.storage.run_target import Where
from autommlab.training.records import StudyResult
from autommlab.understanding.request import ModelRequest


@dataclass(frozen=True, slots=True)
class RunAtWork:
    """A run whose folder is open.

    Attributes:
        options: what to do.
        folder: opened, see `RunFolder.open`.
        events: who is told.
        where: the cluster, and the folder's copy on a storage.
        clock: how much of the run's time is over.
    """

    options: RunOptions
    folder: RunFolder
    events: Events
    where: Where
    clock: RunClock


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
