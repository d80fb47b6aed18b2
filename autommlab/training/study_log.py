"""The Ray Tune callback that turns finished trials into records, and keeps the best one's files."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune

from autommlab.common.files import write_stream
from autommlab.common.trial_status import SCORE, WORST_SCORE, TrialStatus, is_scored
from autommlab.progress.events import Events
from autommlab.training.config_file import write_config
from autommlab.training.failures import WorkerLostError
from autommlab.training.ledger import TEST_FILE, Ledger, best_record
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.study_metrics import StudyMetrics
from autommlab.training.trainable import COMPLETE, CONFIG_FILE

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

CHECKPOINT_FILE = "checkpoint.pth"
_TRIAL_WEIGHTS = "trial.pth"
_SHOWN_FILES = 3
#: So many first trials that all fail by an error mean a broken set-up.
HOPELESS_AFTER = 3
_HOPELESS: tuple[TrialStatus, ...] = ("failed", "worker-died")


class StudyLog(tune.Callback):
    """Writes `trials.jsonl`, keeps `best/`, deletes the checkpoints of the others, tells listeners.

    Args:
        ledger: where records go.
        best_folder: gets `checkpoint.pth` and `config.py` of the best trial so far.
        events: who is told.
        total: trials of the study, for the progress display.
        metric: what a score is called, likewise.
        searcher: asked who proposed a trial (`proposed_by`).
        stage: of the events.
        all_folder: gets the same two files of every trial with a real score, under its number; None = of none.
    """

    def __init__(
        self,
        ledger: Ledger,
        best_folder: Path,
        events: Events,
        total: int,
        metric: str,
        searcher: Any,
        stage: str = "training",
        all_folder: Path | None = None,
    ) -> None:
        self._ledger, self._best_folder, self._events = ledger, best_folder, events
        self._total, self._searcher = total, searcher
        self._metric, self._stage, self._all_folder = metric, stage, all_folder
        self._told_files: set[str] = set()
        # RUN/study/best: the run's own name tells studies apart.
        name = best_folder.resolve().parents[1].name
        self._metrics = StudyMetrics(name, lambda words: events.emit("warning", stage, words))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial ended by itself, by a scheduler, or by the time budget."""
        result = trial.last_result or {}
        if SCORE not in result:
            self._finish(trial, {}, "failed", "the trial ended without a report")
            return
        status = result["status"]
        stopped = status == "ok" and not result.get(COMPLETE)
        self._finish(trial, result, "stopped" if stopped else status, result.get("reason", ""))

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial lost its worker and is tried again: the reason is told now, the trial may yet end well."""
        message = f"a trial lost its worker and goes on from its last checkpoint: {_last_line(trial)}"
        self._events.emit("warning", self._stage, message)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial's worker died more often than is allowed."""
        reason = f"its worker died {trial.num_failures} times; last: {_last_line(trial)}"
        self._finish(trial, trial.last_result or {}, "worker-died", reason)

    def _finish(self, trial: Trial, result: dict[str, Any], status: TrialStatus, reason: str) -> None:
        if self._ledger.find(trial.config) is None:
            record = self._record(trial, result, status, reason)
            self._keep_if_best(trial, record)
            if self._all_folder is not None and is_scored(record.status):
                _keep(trial, self._all_folder / str(record.number))
            self._ledger.append(record)
            self._tell(record)
        _discard_checkpoint(trial)

    def _record(self, trial: Trial, result: dict[str, Any], status: TrialStatus, reason: str) -> TrialRecord:
        real = is_scored(status)
        return TrialRecord(
            number=self._ledger.next_number,
            trial_id=trial.trial_id,
            hyperparameters=Hyperparameters.model_validate(
                {name: trial.config[name] for name in Hyperparameters.model_fields}
            ),
            score=result.get(SCORE, WORST_SCORE) if real else WORST_SCORE,
            # JSON has no NaN: a line that holds one could not be read back, and the trial would be done again.
            metrics={name: value for name, value in result.get("metrics", {}).items() if real and math.isfinite(value)},
            curve=tuple((int(i), float(s)) for i, s in result.get("curve", ()) if math.isfinite(s)),
            status=status,
            reason=reason + (f"\n{result['trace']}" if result.get("trace") else ""),
            proposed_by=self._searcher.proposed_by(trial.trial_id),
            proposal=_details(self._searcher, trial.trial_id),
            readback=result.get("readback", {}),
            execution=result.get("execution", {}),
            skipped=tuple((str(file), str(why)) for file, why in result.get("skipped", ())),
            resampled=tuple(result.get("resampled", ())),
            train_s=result.get("train_s", 0.0),
            val_s=result.get("val_s", 0.0),
            setup_s=result.get("setup_s", 0.0),
            seed=result.get("seed", 0),
            ended_at=result.get("ended_at", 0.0),
            worker=f"{result.get('hostname', '')}:{result.get('pid', '')}",
        )

    def _keep_if_best(self, trial: Trial, record: TrialRecord) -> None:
        best = best_record([*self._ledger.records, record])
        if best is not None and best.number == record.number:
            (self._best_folder / TEST_FILE).unlink(missing_ok=True)  # of the best one before
            _keep(trial, self._best_folder)

    def _tell(self, record: TrialRecord) -> None:
        if reason := record.fallback:
            source = record.proposal.get("source", "another searcher")
            message = f"trial {record.number} has no proposal of the LLM ({reason}): a point of {source} took its place"
            self._events.emit("warning", self._stage, message, number=record.number)
        self._tell_skipped(record)
        self._tell_changes(record)
        done = len(self._ledger.records)
        best = best_record(self._ledger.records)
        self._metrics.add(record, best.score if best else None)
        self._events.emit(
            "trial",
            self._stage,
            f"trial {done} of {self._total}: {record.status}, {record.score:.4f}",
            number=record.number,
            total=self._total,
            metric=self._metric,
            score=record.score,
            status=record.status,
            reason=record.reason.splitlines()[0] if record.reason else "",
            hyperparameters=record.as_trained.model_dump(),
            proposed_by=record.proposed_by,
            best=best.score if best else None,
            seconds=record.train_s + record.val_s + record.setup_s,
        )

    def _tell_skipped(self, record: TrialRecord) -> None:
        """Name the files that failed in a worker; each of them once a study."""
        fresh = [f"{file} ({why})" for file, why in record.skipped if file not in self._told_files]
        self._told_files |= {file for file, _ in record.skipped}
        if fresh:
            more = f" and {len(fresh) - _SHOWN_FILES} more" if len(fresh) > _SHOWN_FILES else ""
            message = f"trial {record.number} skipped {len(fresh)} images: {'; '.join(fresh[:_SHOWN_FILES])}{more}"
            self._events.emit("warning", self._stage, message, number=record.number)

    def _tell_changes(self, record: TrialRecord) -> None:
        """What a trial could not do as planned on its device."""
        parts = record.execution.get("micro_batches", 1)
        said = list(record.execution.get("notes", ()))
        if parts > 1:
            said.insert(0, f"its batch of {record.hyperparameters.batch_size} did not fit into memory: {parts} parts")
        for words in said:
            self._events.emit("note", "training", f"trial {record.number}: {words}", number=record.number)


def _details(searcher: Any, trial_id: str) -> dict[str, Any]:
    """What the proposal cost and came from; a searcher of somebody else's may not tell."""
    tell = getattr(searcher, "proposal_details", None)
    return dict(tell(trial_id)) if tell is not None else {}


def _keep(trial: Trial, folder: Path) -> None:
    """Copy a trial's weights and config, each swapped in whole."""
    if trial.checkpoint is None:
        return
    source: Any = trial.checkpoint  # Ray annotates its storage as optional; a trial's always has one
    with source.filesystem.open_input_stream(f"{source.path}/{_TRIAL_WEIGHTS}") as stored:
        write_stream(folder / CHECKPOINT_FILE, stored)
    with source.filesystem.open_input_stream(f"{source.path}/{CONFIG_FILE}") as stored:
        write_config(folder / CONFIG_FILE, stored.read().decode())


def _discard_checkpoint(trial: Trial) -> None:
    if trial.checkpoint is not None:
        checkpoint: Any = trial.checkpoint
        with contextlib.suppress(OSError):
            checkpoint.filesystem.delete_dir(checkpoint.path)


def _last_line(trial: Trial) -> str:
    """What the worker said last; Ray Tune writes it beside the driver before it copies it to the storage."""
    local = Path(trial.error_file) if trial.error_file else None
    told = local.read_text(encoding="utf-8") if local and local.exists() else trial.get_error()
    line = (str(told or "").strip().splitlines() or ["no message"])[-1]
    return line.rpartition(f"{WorkerLostError.__name__}: ")[2][:300]


class StopWhenHopeless(tune.Stopper):
    """Ends a study whose first trials all fail by an error or lose their workers: the set-up is wrong, not the luck.

    A resumed study gets as many trials again: the cause may have been mended.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._before = ledger, len(ledger.records)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stops a single trial."""
        return False

    def stop_all(self) -> bool:
        """Whether the study has no prospect."""
        records = self._ledger.records
        tried = len(records) - self._before
        return tried >= HOPELESS_AFTER and all(record.status in _HOPELESS for record in records)


class Silent(tune.ProgressReporter):
    """Ray's own table is replaced by our events."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:
        """Never."""
        return False

    def report(self, trials: list[Trial], done: bool, *sys_info: str) -> None:
        """Nothing."""
