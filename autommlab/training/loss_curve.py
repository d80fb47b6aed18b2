"""How the loss of a trial fell: a curve of bounded length, and the file that holds those of a study.

`curves.jsonl` lies beside `trials.jsonl`. A trial adds a line when it starts and one at each report, so a trial that is
at work can be watched, and a crash loses no line that was written. A trial that goes on from a checkpoint writes what
follows the checkpoint once more; of two figures at one iteration the later one counts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from autommlab.common import jsonl
from autommlab.common.stored import record_of
from autommlab.training.records import Hyperparameters

CURVES_FILE = "curves.jsonl"
#: Points of a trial, but for one more at each report: about 6 KB a trial.
MOST_POINTS = 200
_LARGEST = 1e17


class LossPoint(NamedTuple):
    """Some steps of the optimiser, up to and including `iteration`.

    Attributes:
        iteration: of the last of them, from 1.
        loss: mean over them.
        lr: learning rate of the last of them: the peak rate times the schedule's factor.
    """

    iteration: int
    loss: float
    lr: float


class LossCurve:
    """Collects the loss of each step into points.

    Args:
        iterations: of the whole training.
    """

    def __init__(self, iterations: int) -> None:
        self._span = max(1, math.ceil(iterations / MOST_POINTS))
        self._points: list[LossPoint] = []
        self._sum, self._steps = 0.0, 0
        self._iteration, self._lr = 0, 0.0

    def add(self, iteration: int, loss: float, lr: float) -> None:
        """One step.

        Args:
            iteration: from 1; where a deadline makes the schedule pass over positions, some are missing.
            loss: finite.
            lr: that it was taken with.
        """
        if self._steps and self._window(iteration) != self._window(self._iteration):
            self._close()
        self._sum += loss
        self._steps += 1
        self._iteration, self._lr = iteration, lr

    def take(self) -> tuple[LossPoint, ...]:
        """The points since the last call."""
        self._close()
        points, self._points = self._points, []
        return tuple(points)

    def _window(self, iteration: int) -> int:
        return (iteration - 1) // self._span

    def _close(self) -> None:
        if self._steps:
            self._points.append(LossPoint(self._iteration, _short(self._sum / self._steps), _short(self._lr)))
        self._sum, self._steps = 0.0, 0


def _short(value: float) -> float:
    """Six digits are more than a plot shows; no stored record holds a number beyond some size (`common.stored`)."""
    return float(f"{max(-_LARGEST, min(_LARGEST, value)):.6g}")


class CurvePiece(BaseModel):
    """One line of `curves.jsonl`.

    Attributes:
        trial_id: Ray's id, as in `trials.jsonl`.
        time: seconds since the epoch.
        hyperparameters, proposed_by: in the line that a trial starts with.
        losses: since the line before.
        scores: (iteration, score on VAL), likewise.
    """

    model_config = ConfigDict(frozen=True)

    trial_id: str
    time: float = 0.0
    hyperparameters: Hyperparameters | None = None
    proposed_by: str = ""
    losses: tuple[LossPoint, ...] = ()
    scores: tuple[tuple[int, float], ...] = ()


@dataclass
class TrialCurve:
    """All that a study's file knows of one trial, finished or not.

    Attributes:
        losses: by iteration.
        scores: likewise.
        started: seconds since the epoch.
    """

    trial_id: str
    hyperparameters: Hyperparameters | None = None
    proposed_by: str = ""
    started: float = 0.0
    losses: dict[int, LossPoint] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)

    def add(self, piece: CurvePiece) -> None:
        """One more line of its file."""
        self.hyperparameters = piece.hyperparameters or self.hyperparameters
        self.proposed_by = piece.proposed_by or self.proposed_by
        self.started = self.started or piece.time
        self.losses |= {point.iteration: point for point in piece.losses}
        self.scores |= dict(piece.scores)

    @property
    def points(self) -> tuple[LossPoint, ...]:
        """In order."""
        return tuple(self.losses[iteration] for iteration in sorted(self.losses))


def append_piece(path: Path, piece: CurvePiece) -> None:
    """Add a line, whose time is now.

    Raises:
        StorageError: the file cannot be written.
    """
    told = piece.model_copy(update={"time": round(time.time(), 3)})
    jsonl.append(path, [told.model_dump_json(exclude_defaults=True)], durable=False)


def pieces_of(content: bytes) -> list[CurvePiece]:
    """The lines of a file, or of a part of one; damaged ones are passed over."""
    return jsonl.parsed(content, partial(record_of, CurvePiece)).records


def curves_of(pieces: Iterable[CurvePiece]) -> dict[str, TrialCurve]:
    """The trials of some lines by their ids, in order of their start."""
    curves: dict[str, TrialCurve] = {}
    for piece in pieces:
        curves.setdefault(piece.trial_id, TrialCurve(piece.trial_id)).add(piece)
    return curves


def read_curves(study: Path) -> dict[str, TrialCurve]:
    """The curves of the study in a folder, which may be at work; none of one that an older version trained.

    Raises:
        OSError: the file cannot be read.
    """
    path = study / CURVES_FILE
    return curves_of(pieces_of(path.read_bytes())) if path.exists() else {}
