"""A run folder as its study writes it, trial by trial, without any training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autommlab.trackers import follower
from autommlab.trackers.base import Outcome, RunFacts, Tracker
from autommlab.trackers.follower import Follower
from autommlab.trackers.session import tracker_of
from autommlab.trackers.targets import Target
from autommlab.training.ledger import Ledger
from autommlab.training.loss_curve import CURVES_FILE, CurvePiece, LossPoint, append_piece
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.study_state import SPACE_FILE
from tests.helpers.tiny_trials import point, small_space

ITERATIONS = 8
RUN = "bricks"


class RunWriter:
    """What a study leaves in its folder.

    Attributes:
        folder: of the run.
        warnings: that trackers gave.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.warnings = folder / RUN, list[str]()
        (self.folder / "bundle").mkdir(parents=True)
        (self.folder / "bundle" / "bundle.json").write_text("{}")
        (self.folder / "report.html").write_text("<p>report</p>")
        self.enter("study")

    def enter(self, study: str) -> None:
        """The study that what follows belongs to."""
        self._study = self.folder / study
        self._study.mkdir()
        (self._study / SPACE_FILE).write_text(small_space((ITERATIONS, ITERATIONS)).model_dump_json())
        self._ledger = Ledger(self._study / "trials.jsonl")

    def begin(self, trial_id: str) -> None:
        piece = CurvePiece(trial_id=trial_id, hyperparameters=hyperparameters(trial_id), proposed_by="tpe:start-up")
        append_piece(self._study / CURVES_FILE, piece)

    def report(self, trial_id: str, iterations: range) -> None:
        losses = tuple(LossPoint(i, loss(i), 0.01 / i) for i in iterations)
        piece = CurvePiece(trial_id=trial_id, losses=losses, scores=((iterations[-1], iterations[-1] / 10),))
        append_piece(self._study / CURVES_FILE, piece)

    def end(self, trial_id: str, status: str = "ok") -> None:
        self._ledger.append(
            TrialRecord.model_validate(
                {
                    "number": self._ledger.next_number, "trial_id": trial_id, "status": status,
                    "hyperparameters": hyperparameters(trial_id), "score": 0.8 if status == "ok" else 0.0,
                    "metrics": {"accuracy": 0.8, "top-5 accuracy": 1.0} if status == "ok" else {},
                    "curve": [(4, 0.4), (8, 0.8)], "proposed_by": "tpe:start-up", "proposal": {"source": "tpe"},
                    "reason": "" if status == "ok" else "the loss became nan", "train_s": 2.0,
                    "ended_at": 1_790_000_000,
                }
            )
        )  # fmt: skip

    def trial(self, trial_id: str, status: str = "ok") -> None:
        """From its begin to its end."""
        self.begin(trial_id)
        self.report(trial_id, range(1, 5))
        self.report(trial_id, range(5, 9))
        self.end(trial_id, status)

    def outcome(self) -> Outcome:
        return Outcome(
            figures={"test/accuracy": 0.75, "val/accuracy": 0.8},
            facts={"best_trial": "search 1", "best_proposed_by": "tpe:start-up"},
            bundle=self.folder / "bundle",
            report=self.folder / "report.html",
            digest="0123",
        )

    def follower(self, target: Target, tracker: Tracker | None = None) -> Follower:
        facts = RunFacts(RUN, self.folder, {"request": "tell bricks apart", "searcher": "tpe"}, "accuracy")
        studies = [self.folder / "study", self.folder / "final"]
        return Follower(target, tracker or tracker_of(target), facts, studies, self.warnings.append)

    @contextmanager
    def followed(self, target: Target, tracker: Tracker | None = None) -> Iterator[None]:
        """Inside the block a tracker follows; it ends with the run's outcome, or early at an exception."""
        follows = self.follower(target, tracker)
        follows.start()
        outcome = None
        try:
            yield
            outcome = self.outcome()
        except Interrupted:
            pass
        finally:
            follows.end(outcome)
            follows.wait()


class Interrupted(Exception):
    """Ends a `followed` block early, as a signal does a run."""


def hyperparameters(trial_id: str) -> Hyperparameters:
    """Others for each trial."""
    number = int(trial_id.rpartition("_")[2])
    return point(iterations=ITERATIONS, lr_schedule="PolyLR").model_copy(update={"lr": round(0.001 * (number + 1), 6)})


def loss(iteration: int) -> float:
    return round(math.exp(-iteration / 4), 6)


LOSSES = {iteration: loss(iteration) for iteration in range(1, ITERATIONS + 1)}


def quick(monkeypatch: Callable[..., None]) -> None:
    """Look at the files, and try again, several times a second."""
    monkeypatch(follower, "LOOK_S", 0.05)
    monkeypatch(follower, "RETRY_S", 0.1)
