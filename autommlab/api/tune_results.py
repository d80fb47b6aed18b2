"""The trials of a run as Ray Tune's `ResultGrid`, which Ray's own tools and habits work with.

Ray Tune's state of a study is deleted when the study ends, because the checkpoints in it are large; nothing is left
that `Tuner.restore` could read. So each trial is made again from its record: its hyperparameters, its score at each
validation, all figures of its last one, its error. Only the best trial has a checkpoint, for no weights of the others
are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
from ray.train._internal.session import _TrainingResult
from ray.tune import Checkpoint, ExperimentAnalysis, ResultGrid
from ray.tune.experiment import Trial

from autommlab.common.errors import TrainingError, UnfinishedError
from autommlab.common.trial_status import SCORE, is_scored
from autommlab.training.ledger import best_record
from autommlab.training.records import TrialRecord
from autommlab.training.study import SEARCH_FILE
from autommlab.training.study_at_work import BEST_FOLDER

_REASON = "reason"


class _RecordedAnalysis(ExperimentAnalysis):
    """Has the reports of a trial from its record, where Ray Tune reads log files."""

    def __init__(self, folder: Path, trials: list[Trial], reports: dict[str, list[dict[str, Any]]]) -> None:
        self._reports = reports
        # The path of a file that is not read, for the trials are given; its folder is that of the experiment.
        super().__init__(str(folder / SEARCH_FILE), trials=trials, default_metric=SCORE, default_mode="max")

    def _fetch_trial_dataframe(self, trial: Trial) -> pd.DataFrame:
        return pd.json_normalize(self._reports[trial.trial_id], sep="/")


class _RecordedGrid(ResultGrid):
    @staticmethod
    def _populate_exception(trial: Trial) -> Any:
        return TrainingError(trial.last_result[_REASON]) if trial.status == Trial.ERROR else None


def result_grid(records: Sequence[TrialRecord], study: Path) -> ResultGrid:
    """The finished trials of a study.

    Args:
        records: of its trials.
        study: its folder, with the weights of the best trial.

    Raises:
        UnfinishedError: no trial is finished.
    """
    if not records:
        raise UnfinishedError(f"the study in {study} has no finished trial yet")
    reports = {record.trial_id: list(_reports(record)) for record in records}
    best = best_record(list(records))
    trials = [_trial(record, reports[record.trial_id], study, is_best=record is best) for record in records]
    return _RecordedGrid(_RecordedAnalysis(study, trials, reports))


def _reports(record: TrialRecord) -> Iterator[dict[str, Any]]:
    """What the trial told Ray Tune, validation by validation; the last one has everything."""
    *earlier, last = record.curve or ((0, record.score),)
    for number, (iteration, score) in enumerate(earlier, start=1):
        yield {SCORE: score, "iteration": iteration, "training_iteration": number, "done": False}
    yield {
        SCORE: record.score,
        "iteration": last[0],
        "training_iteration": len(earlier) + 1,
        "done": True,
        **record.metrics,
        "status": record.status,
        _REASON: record.reason,
        "proposed_by": record.proposed_by,
        "time_total_s": record.setup_s + record.train_s + record.val_s,
        "timestamp": record.ended_at,
        "trial_id": record.trial_id,
        "config": record.hyperparameters.model_dump(),
    }


def _trial(record: TrialRecord, reports: Sequence[dict[str, Any]], study: Path, *, is_best: bool) -> Trial:
    storage: Any = SimpleNamespace(trial_fs_path=str(study))
    trial = Trial(
        "autommlab",
        config=record.hyperparameters.model_dump(),
        trial_id=record.trial_id,
        storage=storage,
        stub=True,
    )
    for report in reports:
        trial.update_last_result(dict(report))
    trial.set_status(Trial.TERMINATED if is_scored(record.status) else Trial.ERROR)
    kept = trial.run_metadata.checkpoint_manager
    if kept is not None and is_best and (study / BEST_FOLDER).is_dir():
        weights = Checkpoint.from_directory(str(study / BEST_FOLDER))
        kept.register_checkpoint(_TrainingResult(weights, dict(reports[-1])))
    return trial
