"""The Ray Tune Trainable that runs trials of a study, many in one process.

The toolbox is imported once per worker; `reset_config` makes the worker ready
for the next trial. A trial that fails reports its reason and a finite worst
score instead of raising, so that the worker lives on.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ray import tune

from autommlab.common.quick_imports import without_collector
from autommlab.common.trial_status import SCORE, WORST_SCORE, TrialStatus
from autommlab.training.failures import TrialFailure, WorkerLostError, fault_of, leave, trial_failure
from autommlab.training.ledger import trial_key
from autommlab.training.loss_curve import LossPoint
from autommlab.training.records import Hyperparameters, TrialRecord

if TYPE_CHECKING:
    from autommlab.common.storage import Place
    from autommlab.training.runner_config import TrialSetup

#: Key under which a trial says that it has ended by itself; Tune sets "done" for one that a scheduler stops, too.
COMPLETE = "complete"
CONFIG_FILE = "config.py"
PROGRESS_FILE = "progress.json"


class AnyTrial(Protocol):
    """A trial in progress, in this process (`Trial`) or over several workers (`GroupedTrial`)."""

    train_s: float
    val_s: float
    setup_s: float
    readback: dict[str, Any]
    resampled: tuple[float, ...]

    @property
    def execution(self) -> dict[str, Any]:
        """How it runs on its device, see `TrialRecord.execution`."""

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """(file, reason) of the samples that failed so far."""

    @property
    def iteration(self) -> int:
        """Optimiser steps done."""

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""

    def advance(self) -> dict[str, float]:
        """Train up to the next report and validate."""

    def take_losses(self) -> tuple[LossPoint, ...]:
        """Loss and learning rate since the last call; of a group, up to its last report."""

    def save(self, folder: Path) -> None:
        """Write a checkpoint."""

    def config_text(self) -> str:
        """The config as a Python file."""

    def close(self) -> None:
        """Let go of everything."""


class TrialTrainable(tune.Trainable):
    """One report a `step`; `done` after the last one or after a failure."""

    _trial: AnyTrial | None = None

    def setup(  # type: ignore[override]  # the additions come from `tune.with_parameters`
        self,
        config: dict[str, Any],
        setup: TrialSetup,
        finished: dict[str, TrialRecord],
        place: Place | None = None,
    ) -> None:
        """Take the study's settings (`tune.with_parameters`) and this trial's hyperparameters.

        Args:
            config: the six hyperparameters.
            setup: data, model and seed of the study.
            finished: trials of an interrupted study that are not to be trained again, by key.
            place: storage of the run, for nodes that do not share the driver's disk.
        """
        self._setup, self._finished, self._place = setup, finished, place
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Get ready for another trial in this process."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._drop_trial()
        self._point = {name: config[name] for name in Hyperparameters.model_fields}
        self._resume_from: Path | None = None
        self._curve: list[tuple[int, float]] = []
        self._spent = {"train_s": 0.0, "val_s": 0.0, "setup_s": 0.0}
        self._last: dict[str, Any] | None = None

    def step(self) -> dict[str, Any]:
        """Train to the next report; see `TrialRecord` for what the result holds."""
        known = self._finished.get(trial_key(self._point))
        if known is not None:
            return self._replayed(known)
        if self._last is not None and self._last["done"]:  # restored after its last report
            return self._last
        try:
            self._last = self._advance()
        except WorkerLostError:  # nothing wrong with the trial: Tune starts it again from its checkpoint
            self._drop_trial()
            raise
        except Exception as error:  # a trial may fail in any way; the study goes on and says why
            self._leave_if_faulty(error)
            self._last = self._failed(trial_failure(error))
        return self._last

    def _leave_if_faulty(self, error: Exception) -> None:
        """Raise what makes Ray Tune try this trial again, if the machine or the process is to blame."""
        fault = fault_of(error, Path(self.logdir))
        if fault is not None:
            self._drop_trial()
            raise leave(fault) from None  # the cause may hold classes that the driver cannot unpickle

    def _advance(self) -> dict[str, Any]:
        if self._trial is None:
            self._trial = self._built()
        metrics = self._trial.advance()
        score = self._setup.objective.score(metrics)
        self._curve.append((self._trial.iteration, score))
        return self._result("ok", score=score, metrics=metrics, done=self._trial.finished)

    def _built(self) -> AnyTrial:
        with without_collector():
            from autommlab.training.execution import use_part
            from autommlab.training.node_data import bring_bag
            from autommlab.training.trial import Trial

        bring_bag(self._setup.bag, self._place)
        given = self.trial_resources.required_resources if self.trial_resources is not None else {}
        cpus = use_part(given.get("CPU", 1), given.get("GPU", 0))
        point = Hyperparameters.model_validate(self._point)
        return Trial(self._setup, point, Path(self.logdir) / "openmmlab", self._resume_from, cpus=cpus)

    def _failed(self, failure: TrialFailure) -> dict[str, Any]:
        result = self._result(
            failure.status, score=WORST_SCORE, metrics={}, done=True, reason=failure.reason, trace=failure.trace
        )
        self._drop_trial()
        return result

    def _replayed(self, known: TrialRecord) -> dict[str, Any]:
        self._curve = list(known.curve)
        self._last = {
            **known.model_dump(mode="json", include=_REPORTED),
            SCORE: known.score,
            "trace": "",
            "losses": [],
            "done": True,
            COMPLETE: True,
        }
        return self._last

    def _result(
        self,
        status: TrialStatus,
        *,
        score: float,
        metrics: dict[str, float],
        done: bool,
        reason: str = "",
        trace: str = "",
    ) -> dict[str, Any]:
        trial = self._trial
        spent = {name: total + (getattr(trial, name) if trial else 0.0) for name, total in self._spent.items()}
        return {
            SCORE: score,
            "metrics": metrics,
            "curve": list(self._curve),
            "losses": list(trial.take_losses()) if trial else [],
            "status": status,
            "reason": reason,
            "trace": trace,
            "readback": trial.readback if trial else {},
            "execution": trial.execution if trial else {},
            "skipped": trial.skipped if trial else (),
            "resampled": list(trial.resampled) if trial else [],
            "seed": self._setup.seed,
            "ended_at": time.time(),
            "done": done,
            COMPLETE: done,
            **spent,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write weights (with optimiser and random state in mid-training), config and progress."""
        folder = Path(checkpoint_dir)
        try:
            if self._trial is not None:
                self._trial.save(folder)
                (folder / CONFIG_FILE).write_text(self._trial.config_text(), encoding="utf-8")
            (folder / PROGRESS_FILE).write_text(json.dumps(self._last), encoding="utf-8")
        except Exception as error:
            self._leave_if_faulty(error)
            raise

    def load_checkpoint(self, checkpoint_dir: str) -> None:  # type: ignore[override]  # Ray's annotation is older
        """Go on from a checkpoint of this trial, written by a worker that died or a stopped study."""
        source = Path(checkpoint_dir)
        self._last = json.loads((source / PROGRESS_FILE).read_text(encoding="utf-8"))
        if self._last is None or self._last["done"]:
            return
        self._curve = [(int(i), float(score)) for i, score in self._last["curve"]]
        self._spent = {name: float(self._last[name]) for name in self._spent}
        self._resume_from = Path(self.logdir) / "resumed"  # Ray may remove its copy before we build
        shutil.copytree(source, self._resume_from, dirs_exist_ok=True)

    def cleanup(self) -> None:
        """Let go of the model."""
        self._drop_trial()

    def _drop_trial(self) -> None:
        if self._trial is not None:
            self._trial.close()
        self._trial = None


_REPORTED = {"metrics", "curve", "status", "reason", "readback", "execution", "skipped", "resampled", "seed"}
_REPORTED |= {"train_s", "val_s", "setup_s"}
