"""The contract of a tracker, and what one is told of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autommlab.training.loss_curve import LossPoint, TrialCurve
from autommlab.training.records import TrialRecord

LOSS, RATE, SCORE = "train/loss", "train/lr", "val/score"


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before its training.

    Attributes:
        name: how people call it.
        folder: where it works.
        parameters: what decides it: request, task, model, data, searcher, seed ...
        score_name: what its scores are called.
    """

    name: str
    folder: Path
    parameters: Mapping[str, str]
    score_name: str = "score"


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    Attributes:
        figures: name -> value: the winner's on val and test, seconds, the engine's latency.
        facts: name -> text: who won, who proposed it, engine, verdicts.
        bundle: folder of the deployed model.
        report: file.
        digest: of the bundle; another one is another outcome.
    """

    figures: Mapping[str, float]
    facts: Mapping[str, str]
    bundle: Path
    report: Path
    digest: str


@dataclass
class TrackedTrial:
    """A trial, finished or at work.

    Attributes:
        study: folder name of its study: "study" for the search, "final" for finalists.
        curve: what it has told so far.
        record: None while it is at work, and for good where the run was killed and another trial took its place.
    """

    study: str
    curve: TrialCurve
    record: TrialRecord | None = None

    @property
    def trial_id(self) -> str:
        """Ray's."""
        return self.curve.trial_id

    @property
    def stage(self) -> str:
        """In a person's words."""
        return "search" if self.study == "study" else "final"

    @property
    def hyperparameters(self) -> dict[str, int | float | str]:
        """By name."""
        point = self.record.hyperparameters if self.record else self.curve.hyperparameters
        return point.model_dump() if point else {}

    @property
    def title(self) -> str:
        """Its number once it has one, which counts the finished ones."""
        return f"{self.stage} {self.record.number}" if self.record else f"{self.stage} {self.trial_id}"

    def facts(self) -> dict[str, str]:
        """Who proposed it and how it ended."""
        told = {"stage": self.stage, "trial_id": self.trial_id, "proposed_by": self.curve.proposed_by}
        if (record := self.record) is not None:
            reason = record.reason.partition("\n")[0]
            told |= {"status": record.status, "number": str(record.number), "reason": reason}
            told |= {"proposed_by": record.proposed_by, "worker": record.worker, "fallback": record.fallback}
            told["source"] = str(record.proposal.get("source") or "")
        return {name: value for name, value in told.items() if value}

    def figures(self) -> dict[str, float]:
        """Of a finished trial: its score, all figures on val, its seconds."""
        record = self.record
        if record is None:
            return {}
        seconds = {"seconds/train": record.train_s, "seconds/val": record.val_s, "seconds/setup": record.setup_s}
        return {SCORE: record.score, **{f"val/{name}": value for name, value in record.metrics.items()}, **seconds}


@dataclass(frozen=True)
class News:
    """What of a trial a tracker lacks.

    Attributes:
        losses: in order.
        scores: (iteration, score on val), in order.
    """

    losses: Sequence[LossPoint] = field(default=())
    scores: Sequence[tuple[int, float]] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.losses or self.scores)


class Tracker(ABC):
    """One tracker of one run. `Follower` calls it, `open` in the main thread and all else in a thread of its own.

    Any method may raise anything: that costs no trial, and what was to be told is told again later. So each has to
    take what it has taken before without counting it twice.
    """

    @abstractmethod
    def open(self, run: RunFacts, known: str) -> str:
        """Begin, or go on with, the run.

        Args:
            run: of the folder.
            known: what an earlier call for this folder returned, "" if there was none.

        Returns:
            The tracker's own name of the run.
        """

    @abstractmethod
    def begin(self, trial: TrackedTrial, known: str) -> str:
        """A trial of which nothing was told in this process; arguments and result as of `open`."""

    @abstractmethod
    def log(self, name: str, trial: TrackedTrial, news: News) -> None:
        """Add to the curves of the trial that `begin` called `name`."""

    @abstractmethod
    def end(self, name: str, trial: TrackedTrial) -> None:
        """The trial is over; one without a record was given up."""

    @abstractmethod
    def finish(self, outcome: Outcome) -> None:
        """The run is over: final figures and the bundle."""

    @abstractmethod
    def close(self, *, failed: bool) -> None:
        """Nothing more comes in this process; a failed run may go on in another one."""
