"""`ReportContent`: everything a run knows of itself when its report is written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.common.trial_status import is_scored

if TYPE_CHECKING:
    from PIL import Image

    from autommlab.analysis.records import Analysis
    from autommlab.data.records import Bag
    from autommlab.deployment.records import Deployment
    from autommlab.models.records import ModelChoice
    from autommlab.planning.records import Plan
    from autommlab.settings import Profile
    from autommlab.training.loss_curve import LossPoint
    from autommlab.training.objective import Objective
    from autommlab.training.records import CrossValidation, StudyResult, TrialRecord
    from autommlab.understanding.outcome import Understood
    from autommlab.understanding.request import ModelRequest


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its annotation or prediction already drawn into it.

    Attributes:
        image: RGB.
        caption: a few words below it.
        path: the file it was drawn from.
        right: for a prediction, whether it equals the truth; None where that has no yes or no.
    """

    image: Image.Image
    caption: str
    path: Path
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a finished or unfinished run knows; what is missing was not reached.

    Attributes:
        text: the sentence as the person wrote it; "" where only a parse was given.
        sample_images: training images with their annotations, see `samples.training_pictures`.
        plan: how the time of the run is spent.
        trials, finals: trials and trainings of finalists so far, read only while `study` is None.
        validated: where data are little: the finalists over folds, likewise.
        losses: training loss of the search's trials, by Ray's ids; those of older versions have none.
        sample_predictions: test images with predictions, see `samples.predicted_pictures`.
        analysis: what the bundle gets right and wrong.
        mistakes, worst: of the analysis, drawn, see `gallery.mistake_pictures`.
        budget: what the run may use; None where that is not known.
        planned_trials: trials that the study may use.
        versions: package -> version, and other facts on the machine.
        command: command line of the run, as typed.
        settings: searcher, scheduler, profile, seed ... -> value.
        stage_seconds: stage -> wall-clock seconds, in order.
        usage: CPU and GPU hours of the trials, in words; "" before the first one.
        problem: why the run ended early, in one sentence; "" if it did not.
        run_folder: for the commands that continue the run.
        notes: sentences on the report itself, such as pictures that could not be drawn.
        written: seconds since the epoch.
    """

    text: str
    request: ModelRequest | None = None
    understood: Understood | None = None
    bag: Bag | None = None
    sample_images: tuple[Picture, ...] = ()
    choice: ModelChoice | None = None
    plan: Plan | None = None
    study: StudyResult | None = None
    trials: tuple[TrialRecord, ...] = ()
    finals: tuple[TrialRecord, ...] = ()
    validated: CrossValidation | None = None
    losses: Mapping[str, tuple[LossPoint, ...]] = field(default_factory=dict)
    budget: Profile | None = None
    planned_trials: int | None = None
    deployment: Deployment | None = None
    sample_predictions: tuple[Picture, ...] = ()
    analysis: Analysis | None = None
    mistakes: tuple[Picture, ...] = ()
    worst: tuple[Picture, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    usage: str = ""
    problem: str = ""
    run_folder: Path | None = None
    notes: tuple[str, ...] = ()
    written: float = field(default_factory=time.time)

    @property
    def all_trials(self) -> tuple[TrialRecord, ...]:
        """Trials of the finished study, or those so far, by number."""
        trials = self.study.trials if self.study else self.trials
        return tuple(sorted(trials, key=lambda trial: trial.number))

    @property
    def all_finals(self) -> tuple[TrialRecord, ...]:
        """Trainings of the finalists at the full fidelity, or those so far, by number."""
        finals = self.study.finals if self.study else self.finals
        return tuple(sorted(finals, key=lambda trial: trial.number))

    @property
    def cross_validation(self) -> CrossValidation | None:
        """What compared the finalists before the winner was trained on train and val; None where val was left out."""
        return self.study.cross_validation if self.study else self.validated

    @property
    def best(self) -> TrialRecord | None:
        """The winner, or the best so far; None while no training has a real score."""
        if self.study:
            return self.study.best
        return _best(self.all_finals) or self.best_trial

    @property
    def best_trial(self) -> TrialRecord | None:
        """Of the search; None while none has a real score."""
        return _best(self.all_trials)

    @property
    def objective(self) -> str:
        """Canonical name of the figure that is searched for, "score" while the task is not known."""
        if self.study:
            return self.study.objective
        return self._objective.name if self._objective else "score"

    @property
    def score_name(self) -> str:
        """What the scores of trials are called."""
        if self.study:
            return self.study.score_name or self.study.objective
        return self._objective.score_name if self._objective else "score"

    @property
    def searched(self) -> str:
        """One sentence on what the scores are; "" where nobody knows."""
        if self.study:
            return self.study.searched
        return self._objective.in_words if self._objective else ""

    @property
    def _objective(self) -> Objective | None:
        """What the request lets a study search for, None while it is not understood."""
        from autommlab.training.objective import Objective

        if not self.request:
            return None
        part = self.request.model
        return Objective(part.task, part.metrics, len(self.bag.classes) if self.bag else None)


def _best(trials: tuple[TrialRecord, ...]) -> TrialRecord | None:
    real = [trial for trial in trials if is_scored(trial.status)]
    return max(real, key=lambda trial: trial.score, default=None)
