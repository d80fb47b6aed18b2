"""An MLflow server or store: the run as a parent, each trial as a run below it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from autommlab.common.trial_status import is_scored
from autommlab.trackers.base import LOSS, RATE, SCORE, News, Outcome, RunFacts, TrackedTrial, Tracker

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

EXPERIMENT = "autommlab"
#: By which a trial's run is found again.
TRIAL_TAG = "trial_id"
_PARENT_TAG, _NOTE_TAG = "mlflow.parentRunId", "mlflow.note.content"
#: Its client would wait for minutes, tell its makers of its use, and print an address for each trial.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
#: Most that the server takes at once, and most characters of a value.
_METRICS_AT_ONCE, _FACTS_AT_ONCE, _LONGEST = 1000, 100, 5000
_NOT_IN_A_NAME = re.compile(r"[^\w\-. :/]")
_PAGE = 1000
Item = TypeVar("Item")


class MlflowRuns(Tracker):
    """Runs of an experiment, `MLFLOW_EXPERIMENT_NAME` or "autommlab".

    Args:
        uri: of the server, or of a store that MLflow's client opens itself.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._children: dict[str, str] = {}

    def open(self, run: RunFacts, known: str) -> str:
        """See `Tracker.open`."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=self._uri)
        if known:
            self._client.update_run(known, status="RUNNING")
            self._experiment = self._client.get_run(known).info.experiment_id
            self._children = self._find_children(known)
            self._run = known
        else:
            self._experiment = _experiment(self._client, os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT)
            tags = {_NOTE_TAG: run.parameters.get("request", "")}
            self._run = self._client.create_run(self._experiment, tags=tags, run_name=run.name).info.run_id
        self._log_facts(self._run, parameters=run.parameters)
        return self._run

    def begin(self, trial: TrackedTrial, known: str) -> str:
        """See `Tracker.begin`."""
        run = known or self._children.get(trial.trial_id)
        if not run:
            tags = {_PARENT_TAG: self._run, TRIAL_TAG: trial.trial_id}
            run = self._client.create_run(
                self._experiment, start_time=_milliseconds(trial.curve.started), tags=tags, run_name=trial.title
            ).info.run_id
            self._children[trial.trial_id] = run
        self._log_facts(run, parameters=trial.hyperparameters, tags=trial.facts())
        return run

    def log(self, name: str, trial: TrackedTrial, news: News) -> None:
        """See `Tracker.log`."""
        points = [(key, value, p.iteration) for p in news.losses for key, value in ((LOSS, p.loss), (RATE, p.lr))]
        points += [(SCORE, score, iteration) for iteration, score in news.scores]
        self._log_figures(name, points)

    def end(self, name: str, trial: TrackedTrial) -> None:
        """See `Tracker.end`."""
        last = max(trial.curve.scores, default=0)
        figures = {figure: value for figure, value in trial.figures().items() if figure != SCORE}
        self._log_figures(name, [(figure, value, last) for figure, value in figures.items()])
        self._log_facts(name, tags=trial.facts())
        record = trial.record
        status = "KILLED" if record is None else "FINISHED" if is_scored(record.status) else "FAILED"
        self._client.update_run(name, name=trial.title)
        ended = _milliseconds(record.ended_at) if record is not None and record.ended_at else None
        self._client.set_terminated(name, status, end_time=ended)

    def finish(self, outcome: Outcome) -> None:
        """See `Tracker.finish`."""
        self._log_figures(self._run, [(figure, value, 0) for figure, value in outcome.figures.items()])
        self._log_facts(self._run, tags=outcome.facts)
        self._client.log_artifacts(self._run, str(outcome.bundle), "bundle")
        if outcome.report.exists():
            self._client.log_artifact(self._run, str(outcome.report))

    def close(self, *, failed: bool) -> None:
        """See `Tracker.close`."""
        self._client.set_terminated(self._run, "FAILED" if failed else "FINISHED")

    def _find_children(self, parent: str) -> dict[str, str]:
        """Runs of trials by their ids."""
        found: dict[str, str] = {}
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{_PARENT_TAG}` = '{parent}'", max_results=_PAGE, page_token=token
            )
            found |= {run.data.tags.get(TRIAL_TAG, ""): run.info.run_id for run in page}
            token = page.token
            if not token:
                return found

    def _log_figures(self, run: str, figures: Sequence[tuple[str, float, int]]) -> None:
        """Add (name, value, step)."""
        from mlflow.entities import Metric

        now = _milliseconds(time.time())
        metrics = [Metric(_NOT_IN_A_NAME.sub("_", name), value, now, step) for name, value, step in figures]
        for some in _batches(metrics, _METRICS_AT_ONCE):
            self._client.log_batch(run, metrics=some)

    def _log_facts(
        self, run: str, *, parameters: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        from mlflow.entities import Param, RunTag

        kept = [Param(name, str(value)[:_LONGEST]) for name, value in (parameters or {}).items()]
        for params in _batches(kept, _FACTS_AT_ONCE):
            self._client.log_batch(run, params=params)
        told = [RunTag(name, value[:_LONGEST]) for name, value in (tags or {}).items()]
        for some in _batches(told, _FACTS_AT_ONCE):
            self._client.log_batch(run, tags=some)


def _experiment(client: MlflowClient, name: str) -> str:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    if known is None:
        try:
            return client.create_experiment(name)
        except MlflowException:  # another run has made it meanwhile
            known = client.get_experiment_by_name(name)
            if known is None:
                raise
    if known.lifecycle_stage != "active":
        raise ValueError(f"the experiment {name} is deleted there; restore it or set MLFLOW_EXPERIMENT_NAME")
    return known.experiment_id


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _milliseconds(seconds: float) -> int:
    return round((seconds or time.time()) * 1000)
