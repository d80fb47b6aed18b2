"""The two trainings of a run as its plan has them: the search, then its finalists."""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass

from autommlab.cluster import ray_session
from autommlab.data.records import Bag
from autommlab.llm_service import service_for
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.planning import studies
from autommlab.planning.records import FullFidelity, Plan, SearchFidelity
from autommlab.planning.run_time import RunClock
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.storage.run_target import Where
from autommlab.training.records import StudyResult
from autommlab.training.study import run_study


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """A run whose trainings come next.

    Attributes:
        options, folder, events, where: of the run.
        bag, choice: as they were selected.
        plan: how the time is spent.
        clock: how much of it is over.
        session: ends Ray, which both trainings share.
    """

    options: RunOptions
    bag: Bag
    choice: ModelChoice
    plan: Plan
    folder: RunFolder
    events: Events
    where: Where
    clock: RunClock
    session: contextlib.ExitStack

    def search(self, fidelity: SearchFidelity) -> StudyResult:
        """Run, or go on with, the search; its winner sees TEST only where no finalists follow."""
        tell = functools.partial(self.events.emit, "progress", "training")
        service = service_for([self.options.searcher], tell=tell)
        inputs = self._within(fidelity)
        self._connect()
        return run_study(
            inputs.setup,
            inputs.space,
            inputs.options.model_copy(update={"test": self.plan.full is None}),
            folder=self.folder.study,
            events=self.events,
            default_configuration=inputs.default_configuration,
            service=service,
            place=self.where.mirror.place if self.where.mirror else None,
        )

    def _within(self, fidelity: SearchFidelity) -> studies.StudyInputs:
        """The study that the search is, in the time that is left for it."""
        if fidelity.seconds is None:
            return studies.search_inputs(self.options, self.bag, self.choice, fidelity)
        spent = self.folder.stage_seconds().get("training", 0.0) - fidelity.before_s
        left = max(1.0, fidelity.seconds - spent)
        inputs = studies.search_inputs(self.options, self.bag, self.choice, fidelity, time.time() + left)
        return studies.with_time(inputs, left)

    def finals(self, full: FullFidelity, searched: StudyResult | None) -> StudyResult:
        """Run, or go on with, the trainings of the finalists; the outcome of the run."""
        seconds = studies.final_seconds(self.plan, self.clock.spent_s())
        finalists = self.folder.read("finalists", studies.Finalists)
        if finalists is None:
            finalists = studies.choose_finalists(self.plan, self.options, self.choice, searched, seconds)
            self.folder.write("finalists", finalists)
        self.events.emit("note", "final", finalists.in_words())
        inputs = studies.final_inputs(self.options, self.bag, self.choice, full, finalists, time.time() + seconds)
        inputs = studies.with_time(inputs, seconds)
        self._connect()
        result = run_study(
            inputs.setup,
            inputs.space,
            inputs.options,
            folder=self.folder.final,
            events=self.events,
            place=self.where.mirror.place if self.where.mirror else None,
        )
        return studies.joined(searched, result)

    def _connect(self) -> None:
        self.session.enter_context(ray_session(self.where.address, priority=self.where.priority))
