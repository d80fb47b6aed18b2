"""Weights & Biases: a run of W&B for each trial, all in one group, and one for the result."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from autommlab.common.trial_status import is_scored
from autommlab.trackers.base import LOSS, RATE, SCORE, News, Outcome, RunFacts, TrackedTrial, Tracker

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

PROJECT = "autommlab"
_ID_DIGITS = 8


class WandbRuns(Tracker):
    """Runs of a project. What W&B writes lies in WANDB_DIR, else in `wandb/` beside the run's folder, not in it: there
    are links in it that lead elsewhere.

    Args:
        project: "" = `WANDB_PROJECT` or "autommlab"; ENTITY/PROJECT names an entity as well.
    """

    def __init__(self, project: str) -> None:
        entity, slash, name = project.rpartition("/")
        self._entity = entity if slash else None
        self._project = name or os.environ.get("WANDB_PROJECT") or PROJECT
        self._open: dict[str, Run] = {}

    def open(self, run: RunFacts, known: str) -> str:
        """See `Tracker.open`."""
        os.environ.setdefault("WANDB_SILENT", "true")  # it would write into the progress display
        self._facts = run
        self._group = known or f"{run.name}-{uuid.uuid4().hex[:_ID_DIGITS]}"
        # A first run now: a wrong key or project is told before anything is trained.
        self._begin("run", "run", run.parameters).finish()
        return self._group

    def begin(self, trial: TrackedTrial, known: str) -> str:
        """See `Tracker.begin`."""
        config = {**trial.hyperparameters, **trial.facts()}
        self._open[trial.trial_id] = self._begin(trial.trial_id, trial.title, config, trial.stage)
        return self._open[trial.trial_id].id

    def log(self, name: str, trial: TrackedTrial, news: News) -> None:
        """See `Tracker.log`; W&B drops steps that it has."""
        told: dict[int, dict[str, float]] = {}
        for point in news.losses:
            told.setdefault(point.iteration, {}).update({LOSS: point.loss, RATE: point.lr})
        for iteration, score in news.scores:
            told.setdefault(iteration, {})[SCORE] = score
        for iteration in sorted(told):
            self._open[trial.trial_id].log(told[iteration], step=iteration)

    def end(self, name: str, trial: TrackedTrial) -> None:
        """See `Tracker.end`."""
        run = self._open.pop(trial.trial_id)
        run.name = trial.title
        run.config.update(trial.facts(), allow_val_change=True)
        run.summary.update(trial.figures())
        record = trial.record
        run.finish(exit_code=0 if record is not None and is_scored(record.status) else 1)

    def finish(self, outcome: Outcome) -> None:
        """See `Tracker.finish`."""
        import wandb

        run = self._begin("result", f"{self._facts.name} result", {**self._facts.parameters, **outcome.facts})
        run.summary.update(dict(outcome.figures))
        bundle = wandb.Artifact(f"bundle-{self._group}"[:128], type="model", metadata=dict(outcome.facts))
        bundle.add_dir(str(outcome.bundle))
        if outcome.report.exists():
            bundle.add_file(str(outcome.report))
        run.log_artifact(bundle)
        run.finish()

    def close(self, *, failed: bool) -> None:
        """See `Tracker.close`."""
        for run in self._open.values():
            run.finish(exit_code=1 if failed else 0)
        self._open.clear()

    def _begin(self, name: str, title: str, config: Mapping[str, object], kind: str = "run") -> Run:
        import wandb

        return wandb.init(
            entity=self._entity,
            project=self._project,
            group=self._group,
            job_type=kind,
            id=f"{self._group[-_ID_DIGITS:]}-{name}",
            name=title,
            config=dict(config),
            resume="allow",
            reinit="create_new",
            dir=os.environ.get("WANDB_DIR") or str(self._facts.folder.parent),
            settings=wandb.Settings(
                console="off", silent=True, save_code=False, disable_git=True, x_disable_stats=True
            ),
        )
