"""The Ray Tune callback that writes `curves.jsonl`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune

from autommlab.common.errors import StorageError
from autommlab.progress.events import Events
from autommlab.training.ledger import Ledger
from autommlab.training.loss_curve import CURVES_FILE, CurvePiece, append_piece
from autommlab.training.records import Hyperparameters

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


class CurveLog(tune.Callback):
    """Adds a line when a trial starts and at each of its reports; a file that cannot be written costs no trial.

    Args:
        folder: of the study.
        ledger: its finished trials, which are only replayed.
        searcher: asked who proposed a trial.
        events: told where the file cannot be written, once.
        stage: of that event.
    """

    def __init__(self, folder: Path, ledger: Ledger, searcher: Any, events: Events, stage: str) -> None:
        self._path, self._ledger, self._searcher = folder / CURVES_FILE, ledger, searcher
        self._events, self._stage = events, stage
        self._started: set[str] = set()
        self._broken = False

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A worker begins with a trial, or goes on with it."""
        if trial.trial_id in self._started:
            return
        self._started.add(trial.trial_id)
        point = Hyperparameters.model_validate({name: trial.config[name] for name in Hyperparameters.model_fields})
        proposed_by = self._searcher.proposed_by(trial.trial_id)
        self._append(trial, CurvePiece(trial_id=trial.trial_id, hyperparameters=point, proposed_by=proposed_by))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial reports."""
        scores = [(int(i), float(score)) for i, score in result.get("curve", ())[-1:] if math.isfinite(score)]
        losses = result.get("losses", ())
        if losses or scores:
            self._append(trial, CurvePiece(trial_id=trial.trial_id, losses=tuple(losses), scores=tuple(scores)))

    def _append(self, trial: Trial, piece: CurvePiece) -> None:
        if self._broken or self._ledger.find(trial.config) is not None:
            return
        try:
            append_piece(self._path, piece)
        except StorageError as error:
            self._broken = True
            self._events.emit("warning", self._stage, f"the curves of the trials end here: {error}")
