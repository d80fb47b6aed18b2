"""The trials of a run as records, as tables of pandas, and as Ray Tune's `ResultGrid`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.common.errors import RequestError, UnfinishedError
from autommlab.storage.run_folder import RunFolder
from autommlab.training.ledger import best_record
from autommlab.training.records import StudyResult, TrialRecord

if TYPE_CHECKING:
    import pandas as pd
    from ray.tune import ResultGrid


@dataclass(frozen=True, slots=True, repr=False)
class Study:
    """The trials of a run, as far as they are finished.

    Attributes:
        run: folder of the run.
        searched: trials of the search, in order of completion.
        finals: trainings of the finalists at the full fidelity.
    """

    run: Path
    searched: tuple[TrialRecord, ...]
    finals: tuple[TrialRecord, ...]
    stored: StudyResult | None = None

    def __repr__(self) -> str:
        best = self.best
        told = f", best score {best.score:.4f}" if best else ""
        return f"<Study of {self.run}: {len(self.searched)} trials, {len(self.finals)} finalists{told}>"

    @property
    def best(self) -> TrialRecord | None:
        """The winner; of a study that goes on the best until now, None where no trial has a result."""
        if self.stored is not None:
            return self.stored.best
        return best_record(list(self.finals)) or best_record(list(self.searched))

    @property
    def result(self) -> StudyResult:
        """The outcome, with the figures on TEST.

        Raises:
            UnfinishedError: the study goes on.
        """
        if self.stored is None:
            raise UnfinishedError(f"the study in {self.run} has not finished: {len(self.searched)} trials until now")
        return self.stored

    def trials(self) -> pd.DataFrame:
        """A row for each trial.

        Columns: `stage` ("search" or "final"), `number`, `trial_id`, `status`, `score`, `params_*` (the
        hyperparameters), `val_*` (each figure on VAL), `proposed_by`, `fallback`, `reason`, `setup_s`, `train_s`,
        `val_s`, `ended_at` (UTC), `worker`, `seed`. A failed trial has the worst score, 0, and no figures.

        Raises:
            RequestError: pandas is not installed.
        """
        pandas = _pandas()
        frame = pandas.DataFrame(list(self._rows()))
        if "ended_at" in frame:
            frame["ended_at"] = pandas.to_datetime(frame["ended_at"], unit="s", utc=True)
        return frame

    def curves(self) -> pd.DataFrame:
        """A row for each validation: `stage`, `number` of the trial, `iteration`, `score`.

        Raises:
            RequestError: pandas is not installed.
        """
        points = [
            {"stage": stage, "number": trial.number, "iteration": iteration, "score": score}
            for stage, trial in self._staged()
            for iteration, score in trial.curve
        ]
        return _pandas().DataFrame(points, columns=["stage", "number", "iteration", "score"])

    def result_grid(self) -> ResultGrid:
        """The trials of the search as what `ray.tune.Tuner.fit` returns, made from their records.

        See `autommlab.api.tune_results`: Ray Tune's own state of a study is deleted when it ends.
        """
        from autommlab.api.tune_results import result_grid

        return result_grid(self.searched, RunFolder(self.run).study)

    def _staged(self) -> Iterable[tuple[str, TrialRecord]]:
        yield from (("search", trial) for trial in self.searched)
        yield from (("final", trial) for trial in self.finals)

    def _rows(self) -> Iterable[dict[str, Any]]:
        for stage, trial in self._staged():
            yield {
                "stage": stage,
                "number": trial.number,
                "trial_id": trial.trial_id,
                "status": trial.status,
                "score": trial.score,
                **{f"params_{name}": value for name, value in trial.hyperparameters.model_dump().items()},
                **{f"val_{name}": value for name, value in trial.metrics.items()},
                "proposed_by": trial.proposed_by,
                "fallback": trial.fallback,
                "reason": trial.reason.partition("\n")[0],
                "setup_s": trial.setup_s,
                "train_s": trial.train_s,
                "val_s": trial.val_s,
                "ended_at": trial.ended_at,
                "worker": trial.worker,
                "seed": trial.seed,
            }


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise RequestError(
            "tables of trials need pandas, which comes with ray[tune] and is not installed here: pip install pandas. "
            "Without it: run.study.searched has the records"
        ) from error
    return pandas
