"""Typed records of the training stage."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from autommlab.common.llm_usage import LlmUsage
from autommlab.common.run_path import RunPath
from autommlab.common.trial_status import TrialStatus
from autommlab.tasks import Task, objective


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
        score: the objective on VAL at the trial's last report; the finite worst (0) if it failed.
        metrics: all measured figures on VAL, canonical names, fractions.
        curve: (iteration, objective) at each report.
        status, reason: how it ended; `reason` is one sentence for a person.
        proposed_by: searcher that proposed it, and in which phase ("tpe:start-up", "hpo-llama:fallback").
        proposal: what the proposal cost and came from, as the searcher tells it: for a language model
            `adapter`, `prompt_hash`, `prompt_tokens`, `tokens`, `seconds`, `fallback` (its reason, if it is one).
        readback: optimizer, lr_schedule, batch_size, iterations, lr, weight_decay as read from the
            built Runner.
        skipped: (file, reason) of training and validation images that failed in the worker: another one took
            the place in training, a blank one in validation.
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
    status: TrialStatus
    reason: str = ""
    proposed_by: str = ""
    proposal: dict[str, Any] = {}
    readback: dict[str, Any] = {}
    skipped: tuple[tuple[str, str], ...] = ()
    train_s: float = 0.0
    val_s: float = 0.0
    setup_s: float = 0.0
    seed: int = 0
    ended_at: float = 0.0
    worker: str = ""

    @property
    def fallback(self) -> str:
        """Why a fallback proposed this trial instead of the language model; "" if none did."""
        return str(self.proposal.get("fallback") or "")


class StudyResult(BaseModel):
    """The outcome of a study: all trials, the winner, its one evaluation on TEST.

    Attributes:
        objective: canonical name of the maximised figure.
        best: record of the winner.
        checkpoint: weights of the winner (`state_dict` only), absolute path.
        config_file: dumped OpenMMLab config of the winner, absolute path.
        val_metrics, test_metrics: canonical name -> fraction.
        llm: zero for searchers that ask none.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    objective: str
    trials: tuple[TrialRecord, ...]
    best: TrialRecord
    checkpoint: RunPath
    config_file: RunPath
    val_metrics: dict[str, float]
    test_metrics: dict[str, float]
    seconds: float
    llm: LlmUsage = LlmUsage()

    @model_validator(mode="after")
    def _has_its_figure(self) -> Self:
        if self.objective != objective(self.task).name or self.objective not in self.test_metrics:
            raise ValueError(
                f"its objective {self.objective!r} is not that of {self.task}, or was not measured on test"
            )
        return self

    def summary(self) -> str:
        """One line: the winner's scores on validation and test."""
        test = self.test_metrics[self.objective]
        return f"{self.objective} {self.best.score:.3f} on val, {test:.3f} on test, best of {len(self.trials)}"


@dataclass(frozen=True, slots=True)
class GroupShape:
    """The workers of a trial, and the CPUs, GPUs and custom resources of each."""

    workers: int
    cpus: float
    gpus: float
    custom: dict[str, float] = field(default_factory=dict)
