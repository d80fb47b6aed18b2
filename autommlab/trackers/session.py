"""The trackers of a run, from before its training to its end."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from autommlab.common.wording import hyperparameters_line
from autommlab.deployment.records import Deployment
from autommlab.options import RunOptions
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.trackers.base import Outcome, RunFacts, Tracker
from autommlab.trackers.follower import Follower
from autommlab.trackers.targets import Target, targets_of
from autommlab.training.objective import Objective
from autommlab.training.records import StudyResult

if TYPE_CHECKING:
    from autommlab.data.records import Bag
    from autommlab.models.records import ModelChoice
    from autommlab.storage.run_target import Where
    from autommlab.understanding.request import ModelRequest


class Tracking:
    """All trackers of one run; of a run without any it does nothing.

    Args:
        folder: of the run.
        followers: started.
    """

    def __init__(self, folder: RunFolder, followers: list[Follower]) -> None:
        self._folder, self._followers = folder, followers

    def finish(self, study: StudyResult, deployment: Deployment) -> None:
        """Tell the result, and wait until the trackers have it or time is up."""
        self._end(_outcome(self._folder, study, deployment))

    def leave(self) -> None:
        """The run ends early, unless `finish` was called."""
        self._end(None)

    def _end(self, outcome: Outcome | None) -> None:
        followers, self._followers = self._followers, []
        for follower in followers:
            follower.end(outcome)
        for follower in followers:
            follower.wait()


@contextlib.contextmanager
def tracking(
    options: RunOptions, folder: RunFolder, events: Events, where: Where, facts: tuple[ModelRequest, Bag, ModelChoice]
) -> Iterator[Tracking]:
    """Inside the block the run's trackers follow it.

    Args:
        options: of the run.
        folder: opened.
        events: told where a tracker fails.
        where: the run's storage, of which it has its name.
        facts: what was understood and chosen.

    Raises:
        TrackerError: one of them does not take the run.
    """
    session = Tracking(folder, [])
    targets = targets_of(options.track, options.optuna_storage)
    if not targets:
        yield session
        return
    try:
        run = _facts(options, folder, where, *facts)
        for target in targets:
            follower = Follower(
                target,
                tracker_of(target),
                run,
                [folder.study, *_final_studies(folder)],
                lambda words: events.emit("warning", "training", words),
            )
            follower.start()
            session._followers.append(follower)
        yield session
    finally:
        session.leave()


def tracker_of(target: Target) -> Tracker:
    """What tells the tracker; its client is imported only here, as it takes seconds."""
    match target.kind:
        case "tensorboard":
            from autommlab.trackers.tensorboard_files import TensorBoard

            return TensorBoard(target.where)
        case "mlflow":
            from autommlab.trackers.mlflow_runs import MlflowRuns

            return MlflowRuns(target.mlflow_uri)
        case "wandb":
            from autommlab.trackers.wandb_runs import WandbRuns

            return WandbRuns(target.where)
        case "optuna":
            from autommlab.trackers.optuna_storage import OptunaStorage

            return OptunaStorage(target.where)


def _final_studies(folder: RunFolder) -> list[Path]:
    """Of the finalists: earlier ones that were set aside, and those to come."""
    return [*sorted(folder.path.glob(f"{folder.final.name}-*")), folder.final]


def _facts(
    options: RunOptions, folder: RunFolder, where: Where, request: ModelRequest, bag: Bag, choice: ModelChoice
) -> RunFacts:
    name = folder.path.name
    if where.mirror is not None:  # its folder here is called by a digest
        name = PurePosixPath(where.mirror.place.path).name or name
    objective = Objective(request.model.task, request.model.metrics, len(bag.classes))
    parameters = {
        "request": options.text,
        "task": bag.task.value,
        "classes": ", ".join(bag.classes),
        "datasets": ", ".join(bag.datasets),
        "train_images": str(bag.splits["train"].images),
        "model": choice.entry.name,
        "profile": options.profile,
        "searcher": options.searcher,
        "scheduler": options.scheduler,
        "seed": str(options.seed),
        "objective": objective.name,
    }
    return RunFacts(name, folder.path, {key: value for key, value in parameters.items() if value}, objective.score_name)


def _outcome(folder: RunFolder, study: StudyResult, deployment: Deployment) -> Outcome:
    best, verification = study.best, deployment.verification
    figures = {f"test/{name}": value for name, value in study.test_metrics.items()}
    figures |= {f"val/{name}": value for name, value in study.val_metrics.items()}
    figures |= {"seconds/training": study.seconds, "bundle/p50_ms": verification.p50_ms}
    figures |= {f"bundle/{verification.metric}": verification.bundle_metric}
    stage = "final" if study.finals else "search"
    facts = {
        "best_trial": f"{stage} {best.number}",
        "best_trial_id": best.trial_id,
        "best_proposed_by": best.proposed_by,
        "best_hyperparameters": hyperparameters_line(best.as_trained.model_dump()),
        "summary": study.summary(),
        "val_figures_by": study.val_name if study.cross_validation else "",
        "engine": deployment.engine.value,
        "requirements": "; ".join(
            f"{check.name} {check.wanted}: {check.got}, {'met' if check.holds else 'not met'}"
            for check in deployment.limits
            if check.holds is not None
        ),
    }
    told = json.dumps([deployment.files, figures], sort_keys=True)
    return Outcome(
        figures=figures,
        facts={name: text for name, text in facts.items() if text},
        bundle=deployment.bundle,
        report=folder.report,
        digest=hashlib.sha256(told.encode()).hexdigest()[:16],
    )
