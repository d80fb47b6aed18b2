"""The two trainings of a run as its plan has them: the search, then its finalists."""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass

from autommlab.cluster import ray_session
from autommlab.common.errors import LLMServiceError
from autommlab.data.records import Bag
from autommlab.llm_service import service_for
from autommlab.models.recipe import recipe_in_words
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
from autommlab.understanding.request import Metric
from searchers import own_options, without_service
from serve.client import ServiceClient


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """A run whose trainings come next.

    Attributes:
        options, folder, events, where: of the run.
        bag, choice: as they were selected.
        requirements: of the request, on figures.
        plan: how the time is spent.
        clock: how much of it is over.
        session: ends Ray, which both trainings share.
    """

    options: RunOptions
    bag: Bag
    choice: ModelChoice
    requirements: tuple[Metric, ...]
    plan: Plan
    folder: RunFolder
    events: Events
    where: Where
    clock: RunClock
    session: contextlib.ExitStack

    def search(self, fidelity: SearchFidelity) -> StudyResult:
        """Run, or go on with, the search; its winner sees TEST only where no finalists follow."""
        searcher, service = self._searcher()
        inputs = self._within(fidelity)
        own = own_options(searcher, inputs.options.searcher_options)
        if words := recipe_in_words(self.choice.entry, space=inputs.space):
            self.events.emit("note", "training", words)
        self._connect()
        return run_study(
            inputs.setup,
            inputs.space,
            inputs.options.model_copy(
                update={"searcher": searcher, "searcher_options": own, "test": self.plan.full is None}
            ),
            folder=self.folder.study,
            events=self.events,
            default_configuration=inputs.default_configuration,
            service=service,
            place=self.where.mirror.place if self.where.mirror else None,
        )

    def _searcher(self) -> tuple[str, ServiceClient | None]:
        """Who proposes, with its LLM service; one that does without where the service does not come up.

        Raises:
            LLMServiceError: it does not, and the searcher is nothing without it.
        """
        asked = self.options.searcher
        try:
            return asked, service_for([asked], tell=functools.partial(self.events.emit, "progress", "training"))
        except LLMServiceError as error:
            instead = without_service(asked)
            if instead is None:
                raise
            reason = str(error).partition("\n")[0].rstrip(".")
            self.events.emit("note", "training", f"{reason}. {instead} proposes, which needs none")
            return instead, None

    def _within(self, fidelity: SearchFidelity) -> studies.StudyInputs:
        """The study that the search is, in the time that is left for it."""
        inputs = functools.partial(
            studies.search_inputs, self.options, self.bag, self.choice, fidelity, requirements=self.requirements
        )
        if fidelity.seconds is None:
            return inputs()
        spent = self.folder.stage_seconds().get("training", 0.0) - fidelity.before_s
        left = max(1.0, fidelity.seconds - spent)
        return studies.with_time(inputs(time.time() + left), left)

    def finals(self, full: FullFidelity, searched: StudyResult | None) -> StudyResult:
        """Run, or go on with, the trainings of the finalists; the outcome of the run."""
        seconds = studies.final_seconds(self.plan, self.clock.spent_s())
        finalists = self.folder.read("finalists", studies.Finalists)
        if finalists is None:
            finalists = studies.choose_finalists(self.plan, self.options, self.choice, searched, seconds)
            self.folder.write("finalists", finalists)
        self.events.emit("note", "final", finalists.in_words())
        ends_at = time.time() + seconds
        inputs = studies.final_inputs(
            self.options, self.bag, self.choice, full, finalists, ends_at, requirements=self.requirements
        )
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
        return studies.joined_fidelities(searched, result)

    def _connect(self) -> None:
        self.session.enter_context(ray_session(self.where.address, priority=self.where.priority))
