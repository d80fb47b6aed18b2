"""Typed records of the training stage."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from autommlab.common.llm_usage import LlmUsage
from autommlab.common.run_path import RunPath
from autommlab.common.trial_status import TrialStatus
from autommlab.tasks import TASK_METRICS, Task


class Hyperparameters(BaseModel):
    """The paper's six (arXiv 2402.15351, section 3.4).

    Attributes:
        iterations: optimiser steps.
        batch_size: images a step.
        optimizer: SGD, Adam, AdamW or RMSprop.
        lr: peak learning rate.
        weight_decay: L2 (SGD, Adam, RMSprop) or decoupled (AdamW).
        lr_schedule: MultiStepLR, CosineAnnealingLR, StepLR or PolyLR.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: int
    batch_size: int
    optimizer: Literal["SGD", "Adam", "AdamW", "RMSprop"]
    lr: float
    weight_decay: float
    lr_schedule: Literal["MultiStepLR", "CosineAnnealingLR", "StepLR", "PolyLR"]


class TrialRecord(BaseModel):
    """One line of `trials.jsonl`.

    Attributes:
        number: 1-based in order of completion.
        trial_id: Ray's id.
        score: what the study maximises (`objective.Objective.score`), on VAL at the trial's last report; the finite
            worst (0) if it failed.
        metrics: all measured figures on VAL, canonical names, fractions; of a training on train and val those that its
            configuration reached in cross-validation (`TrialSetup.val_figures`).
        curve: (iteration, score) at each report.
        fold: of train and val, from 1, that took the place of VAL (`data.folds`); 0 = VAL itself.
        status, reason: how it ended; `reason` is one sentence for a person.
        proposed_by: searcher that proposed it, and in which phase ("tpe:start-up", "hpo-llama:fallback").
        proposal: what the proposal cost and came from, as the searcher tells it: for a language model
            `adapter`, `prompt_hash`, `prompt_tokens`, `tokens`, `seconds`, `fallback` (its reason, if it is one).
        readback: optimizer, lr_schedule, batch_size, iterations, lr, weight_decay as read from the
            built Runner.
        execution: how it ran: device, precision, loading_processes, micro_batches (parts of a batch, 1 = undivided),
            memory_mb (most that torch held, GPUs only), notes (what had to be changed, sentences).
        skipped: (file, reason) of training and validation images that failed in the worker: another one took
            the place in training, a blank one in validation.
        resampled: the score on resamples of VAL's pictures, the same for all trials of a study (`resampling`); empty
            where the trial did not reach its last report.
        train_s, val_s, setup_s: seconds in the training loop, in validation, and in building.
        ended_at: seconds since the epoch at the last report.
        worker: host and process that ran it.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    trial_id: str
    hyperparameters: Hyperparameters
    score: float
    metrics: dict[str, float] = {}
    curve: tuple[tuple[int, float], ...] = ()
    fold: int = 0
    status: TrialStatus
    reason: str = ""
    proposed_by: str = ""
    proposal: dict[str, Any] = {}
    readback: dict[str, Any] = {}
    execution: dict[str, Any] = {}
    skipped: tuple[tuple[str, str], ...] = ()
    resampled: tuple[float, ...] = ()
    train_s: float = 0.0
    val_s: float = 0.0
    setup_s: float = 0.0
    seed: int = 0
    ended_at: float = 0.0
    worker: str = ""

    @property
    def as_trained(self) -> Hyperparameters:
        """With the optimiser steps that were done: positions of the schedule that a deadline passed over are none."""
        steps = self.hyperparameters.iterations - int(self.readback.get("passed_over", 0))
        return self.hyperparameters.model_copy(update={"iterations": steps})

    @property
    def fallback(self) -> str:
        """Why a fallback proposed this trial instead of the language model; "" if none did."""
        return str(self.proposal.get("fallback") or "")


class Interval(BaseModel):
    """The 95 % bootstrap interval of a figure over the pictures of its split (`resampling.intervals`)."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    pictures: int

    def __str__(self) -> str:
        return f"{self.low:.3f} to {self.high:.3f}"


class TestResult(BaseModel):
    """A model's figures on TEST.

    Attributes:
        figures: canonical name -> fraction.
        intervals: of those figures that can be worked out again from single pictures.
    """

    model_config = ConfigDict(frozen=True)
    __test__ = False  # pytest takes it for a class of tests

    figures: dict[str, float]
    intervals: dict[str, Interval] = {}

    @model_validator(mode="before")
    @classmethod
    def _of_older_versions(cls, stored: Any) -> Any:
        """Files of older versions hold the figures alone."""
        return {"figures": stored} if isinstance(stored, dict) and "figures" not in stored else stored


class Lead(BaseModel):
    """How sure the choice of the winner is.

    Attributes:
        pictures: of VAL, which chose.
        rivals: numbers of the trials that the winner does not surpass beyond the noise of so many pictures, the best
            first: in more than 2.5 % of the resamples they score as high.
    """

    model_config = ConfigDict(frozen=True)

    pictures: int
    rivals: tuple[int, ...]

    def in_words(self, trial: str = "trial", pictures: str = "val pictures") -> str:
        """One sentence; "" where no trial comes near.

        Args:
            trial: what is numbered.
            pictures: that chose.
        """
        if not self.rivals:
            return ""
        numbers = ", ".join(map(str, self.rivals))
        trials = f"{trial}s {numbers} are" if len(self.rivals) > 1 else f"{trial} {numbers} is"
        return f"The lead of the winner lies inside the noise of {self.pictures} {pictures}: {trials} as good."


class CrossValidated(BaseModel):
    """A finalist over all folds: means of its trainings, one a fold.

    Attributes:
        number: from 1, in the order of the finalists.
        origin: where its configuration comes from, in words.
        hyperparameters: of each training; the iterations are the mean of the steps that were done.
        status, reason: "ok"; those of a training that failed, if one did.
        scores: of the trainings, fold after fold.
        score: their mean; the worst one (0) if one failed.
        metrics: mean figures, canonical names, fractions.
        resampled: mean score on resamples of each fold's pictures, the same for all finalists.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    origin: str
    hyperparameters: Hyperparameters
    status: TrialStatus
    reason: str = ""
    scores: tuple[float, ...]
    score: float
    metrics: dict[str, float] = {}
    resampled: tuple[float, ...] = ()


class CrossValidation(BaseModel):
    """The finalists of a run that trains the delivered model on train and val: compared by trainings that leave a part
    of these pictures out.

    Attributes:
        folds: of train and val that take turns as VAL; 1 = VAL as it is.
        finished: folds on which all finalists were trained before the time ended; these count.
        pictures: that were left out in turn, all finished folds together.
        finalists: all that were compared.
        best: number of the finalist with the highest score.
        lead: of that one.
        why: so many folds, a sentence.
        seconds: wall-clock, of the call that finished it.
    """

    model_config = ConfigDict(frozen=True)

    folds: int
    finished: int
    pictures: int
    finalists: tuple[CrossValidated, ...]
    best: int
    lead: Lead | None = None
    why: str = ""
    seconds: float = 0.0

    @property
    def winner(self) -> CrossValidated:
        """The finalist whose configuration is trained on train and val."""
        return next(finalist for finalist in self.finalists if finalist.number == self.best)

    @property
    def measured_by(self) -> str:
        """What the val figures of the run are, in a few words."""
        if self.folds == 1:
            return "val, left out of training"
        whole = self.finished == self.folds
        return f"{self.folds}-fold cross-validation" if whole else f"{self.finished} of {self.folds} folds"

    @property
    def in_words(self) -> str:
        """What the delivered model is trained on, and whose figures those on val are; sentences."""
        steps = f"of {self.winner.hyperparameters.iterations:,} steps"
        whose = f"those of a training of its configuration on train alone, {steps}"
        if self.folds > 1:
            cut = "" if self.finished == self.folds else f" {self.finished} of"
            whose = (
                f"means over{cut} {self.folds} folds of train and val, each measured by a training of its "
                f"configuration on the other folds, {steps}"
            )
        return (
            "The delivered model is trained on train and val, to the end of its schedule; its last weights are taken. "
            f"No val picture is new to it: the val figures are {whose}."
        )

    def summary(self) -> str:
        """One line."""
        winner = self.winner
        return f"{winner.origin} with {winner.score:.3f}, the best of {len(self.finalists)} by {self.measured_by}"

    @model_validator(mode="after")
    def _has_its_winner(self) -> Self:
        if self.best not in {finalist.number for finalist in self.finalists}:
            raise ValueError(f"its best finalist {self.best} is none of the {len(self.finalists)} finalists")
        return self


class StudyResult(BaseModel):
    """The outcome of a study: all trials, the winner, its one evaluation on TEST.

    Attributes:
        objective: canonical name of the figure that was searched for: the request's first, else the task's default.
        score_name: what the trials' scores are called: the objective where they are that figure itself, else "score";
            "" in records of older versions, whose scores are the objective.
        searched: one sentence on what the scores are.
        trials: of the search.
        finals: trainings at the full fidelity, of the finalists or, after a cross-validation, of its winner; none where
            the best trial itself is delivered.
        best: record of the winner: the best of `finals`, or of `trials` where there are none.
        checkpoint: weights of the winner (`state_dict` only), absolute path.
        config_file: dumped OpenMMLab config of the winner, absolute path.
        val_metrics, test_metrics: canonical name -> fraction; no TEST figures of a search that finalists follow.
        test_intervals: of the figures on TEST; empty in records of older versions.
        lead: of the winner; None where it is not known.
        cross_validation: where the winner is trained on train and val: what chose it, and what `val_metrics` are; None
            where VAL was left out of training.
        llm: zero for searchers that ask none.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    objective: str
    trials: tuple[TrialRecord, ...]
    finals: tuple[TrialRecord, ...] = ()
    best: TrialRecord
    checkpoint: RunPath
    config_file: RunPath
    val_metrics: dict[str, float]
    test_metrics: dict[str, float]
    seconds: float
    llm: LlmUsage = LlmUsage()
    score_name: str = ""
    searched: str = ""
    test_intervals: dict[str, Interval] = {}
    lead: Lead | None = None
    cross_validation: CrossValidation | None = None

    @property
    def val_figure(self) -> float:
        """The objective of the winner on VAL, or of its configuration in cross-validation."""
        return self.val_metrics.get(self.objective, self.best.score)

    @property
    def val_name(self) -> str:
        """What measured `val_metrics`, in a few words."""
        return self.cross_validation.measured_by if self.cross_validation else "val"

    @property
    def test_in_words(self) -> str:
        """The objective on TEST with its interval."""
        test, interval = self.test_metrics[self.objective], self.test_intervals.get(self.objective)
        if interval is None:
            return f"{test:.3f} on test"
        return f"{test:.3f} on test (95 % interval {interval}, {interval.pictures} pictures)"

    @property
    def warning(self) -> str:
        """What a reader must know of the winner's choice; "" if nothing."""
        if self.lead is None:
            return ""
        if self.cross_validation is None:
            return self.lead.in_words()
        return self.lead.in_words("finalist", "pictures that were left out in turn")

    @model_validator(mode="after")
    def _has_its_figure(self) -> Self:
        if self.objective not in {metric.name for metric in TASK_METRICS[self.task]}:
            raise ValueError(f"its objective {self.objective!r} is no figure of {self.task}")
        if self.test_metrics and self.objective not in self.test_metrics:
            raise ValueError(f"its objective {self.objective!r} was not measured on test")
        return self

    def summary(self) -> str:
        """One line: the winner's figures on validation and test."""
        tested = f", {self.test_in_words}" if self.objective in self.test_metrics else ""
        compared = len(self.cross_validation.finalists if self.cross_validation else self.finals)
        many = f"{compared} finalists of " if compared > bool(self.cross_validation) else ""
        by = f"by {self.val_name}" if self.cross_validation else "on val"
        return f"{self.objective} {self.val_figure:.3f} {by}{tested}, best of {many}{len(self.trials)} trials"


@dataclass(frozen=True, slots=True)
class GroupShape:
    """The workers of a trial, and the CPUs, GPUs and custom resources of each."""

    workers: int
    cpus: float
    gpus: float
    custom: dict[str, float] = field(default_factory=dict)
