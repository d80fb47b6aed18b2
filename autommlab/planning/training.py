"""The trainings of a run as its plan has them: the search, then its finalists; with little data these over folds, and
then the winner's configuration on train and val.
"""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autommlab.cluster import ray_session
from autommlab.common.errors import LLMServiceError
from autommlab.data.records import Bag
from autommlab.llm_service import service_for
from autommlab.models.recipe import recipe_in_words
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.planning import refit_studies, studies
from autommlab.planning.records import FullFidelity, Plan, Refit, SearchFidelity
from autommlab.planning.run_time import RunClock
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.storage.run_target import Where
from autommlab.training.cross_validation import cross_validate
from autommlab.training.ledger import read_ledger
from autommlab.training.records import CrossValidation, StudyResult
from autommlab.training.study import run_study
from autommlab.training.study_at_work import LEDGER_FILE
from autommlab.understanding.request import Metric
from searchers import own_options, without_service
from serve.client import ServiceClient

if TYPE_CHECKING:
    from autommlab.common.storage import Place


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """A run whose trainings come next.

    Attributes:
        options, folder, events, where: of the run.
        bag, choice: as they were selected.
        requirements: of the request, on figures.
        plan: how the time is spent.
        clock: how much of it is over.
        session: ends Ray, which all trainings share.
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
            place=self._place,
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
        inputs = studies.final_inputs(
            self.options, self.bag, self.choice, full, finalists, time.time() + seconds, requirements=self.requirements
        )
        return studies.joined_fidelities(searched, self._trained(inputs, seconds))

    def cross_validated(self, refit: Refit, searched: StudyResult | None) -> CrossValidation:
        """Run, or go on with, the trainings that compare the finalists of a run with little data."""
        seconds = studies.final_seconds(self.plan, self.clock.spent_s())
        finalists = self.folder.read("finalists", studies.Finalists)
        if finalists is None:
            folds, why = refit_studies.folds_of(refit, searched)
            each_s = refit_studies.turns(self.plan, refit, folds, seconds).each_s
            chosen = studies.choose_finalists(self.plan, self.options, self.choice, searched, each_s)
            finalists = chosen.model_copy(update={"folds": folds, "why": why})
            self.folder.write("finalists", finalists)
        for words in (finalists.why, finalists.in_words()):
            if words:
                self.events.emit("note", "folds", words)
        asked = refit_studies.comparison(
            self.options,
            self.bag,
            self.choice,
            refit,
            finalists,
            refit_studies.turns(self.plan, refit, finalists.folds, seconds),
            time.time(),
            requirements=self.requirements,
        )
        self._connect()
        return cross_validate(asked, self.folder.folds, self.events, self._place)

    def refit(self, full: FullFidelity, searched: StudyResult | None, validated: CrossValidation) -> StudyResult:
        """Run, or go on with, the training of the winner's configuration on train and val; the outcome of the run."""
        seconds = studies.final_seconds(self.plan, self.clock.spent_s())
        trained = read_ledger(self.folder.folds / LEDGER_FILE).records
        winner = self.folder.read("refit", studies.Finalists)
        if winner is None:
            winner = refit_studies.winner_alone(self.options, self.choice, self.plan, validated, trained, seconds)
            self.folder.write("refit", winner)
        for words in (validated.in_words, winner.in_words()):
            self.events.emit("note", "final", words)
        inputs = refit_studies.refit_inputs(
            self.options,
            self.bag,
            self.choice,
            full,
            winner,
            time.time() + seconds,
            validated,
            requirements=self.requirements,
        )
        return refit_studies.joined_refit(searched, validated, trained, self._trained(inputs, seconds))

    def _trained(self, inputs: studies.StudyInputs, seconds: float) -> StudyResult:
        """The study of the final stage, within so many seconds."""
        inputs = studies.with_time(inputs, seconds)
        self._connect()
        return run_study(
            inputs.setup,
            inputs.space,
            inputs.options,
            folder=self.folder.final,
            events=self.events,
            place=self._place,
        )

    @property
    def _place(self) -> Place | None:
        """Of the run on a storage."""
        return self.where.mirror.place if self.where.mirror else None

    def _connect(self) -> None:
        self.session.enter_context(ray_session(self.where.address, priority=self.where.priority))
