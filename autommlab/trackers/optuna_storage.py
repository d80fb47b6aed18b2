"""An Optuna storage: the search as a study that optuna-dashboard opens, finalists as a second one."""

from __future__ import annotations

import itertools
import warnings
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from autommlab.common.storage import is_uri
from autommlab.common.trial_status import is_scored
from autommlab.trackers.base import News, Outcome, RunFacts, TrackedTrial, Tracker
from autommlab.training.study_state import SPACE_FILE
from searchers.optuna_search import distributions
from searchers.space import SearchSpace

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

    from autommlab.training.records import TrialRecord

TRIAL_ATTR = "trial_id"
#: Another process may hold SQLite's file for a moment, the dashboard for one.
_LOCKED_S = 10


class OptunaStorage(Tracker):
    """Adds each trial when it ends; optuna-dashboard and `optuna.load_study` read it meanwhile.

    Args:
        where: URL of a database (sqlite:///FILE), or a file for Optuna's journal.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._studies: dict[str, Study] = {}
        self._known: dict[str, set[str]] = {}
        self._spaces: dict[str, dict[str, BaseDistribution]] = {}

    def open(self, run: RunFacts, known: str) -> str:
        """See `Tracker.open`; a run whose name is taken by another one gets a number behind it."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage, self._facts = _storage(self._where), run
        self._name = known or self._free_name(run.name)
        self._study("study")
        return self._name

    def begin(self, trial: TrackedTrial, known: str) -> str:
        """See `Tracker.begin`."""
        return trial.trial_id

    def log(self, name: str, trial: TrackedTrial, news: News) -> None:
        """Nothing: a trial's scores are written when it ends."""

    def end(self, name: str, trial: TrackedTrial) -> None:
        """See `Tracker.end`."""
        if trial.record is None:
            return
        study = self._study(trial.study)
        known = self._known[trial.study]
        if trial.trial_id not in known:
            study.add_trial(_frozen(trial, trial.record, self._distributions(trial.study)))
            known.add(trial.trial_id)

    def finish(self, outcome: Outcome) -> None:
        """See `Tracker.finish`."""
        study = self._study("study")
        for name, value in {**outcome.facts, **outcome.figures, "bundle": str(outcome.bundle)}.items():
            study.set_user_attr(name, value)

    def close(self, *, failed: bool) -> None:
        """See `Tracker.close`."""
        remove = getattr(self._storage, "remove_session", None)
        if remove is not None:
            remove()

    def _free_name(self, wanted: str) -> str:
        taken = set(optuna.get_all_study_names(self._storage))
        return next(
            name for name in itertools.chain([wanted], (f"{wanted}-{n}" for n in itertools.count(2)))
            if name not in taken
        )  # fmt: skip

    def _study(self, folder: str) -> Study:
        """That of a study's folder, made at the first call."""
        if folder not in self._studies:
            name = self._name if folder == "study" else f"{self._name}-{folder}"
            study = optuna.create_study(
                study_name=name, storage=self._storage, direction="maximize", load_if_exists=True
            )
            for key, value in self._facts.parameters.items():
                study.set_user_attr(key, value)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "set_metric_names is experimental"
                study.set_metric_names([self._facts.score_name])
            self._known[folder] = {str(one.user_attrs.get(TRIAL_ATTR)) for one in study.get_trials(deepcopy=False)}
            self._studies[folder] = study
        return self._studies[folder]

    def _distributions(self, folder: str) -> dict[str, BaseDistribution]:
        if folder not in self._spaces:
            text = (self._facts.folder / folder / SPACE_FILE).read_text(encoding="utf-8")
            self._spaces[folder] = distributions(SearchSpace.model_validate_json(text))
        return self._spaces[folder]


def _storage(where: str) -> BaseStorage:
    if not is_uri(where):
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        Path(where).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(where))
    from optuna.storages import RDBStorage

    if not where.startswith("sqlite:"):
        return RDBStorage(where)
    Path(where.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return RDBStorage(where, engine_kwargs={"connect_args": {"timeout": _LOCKED_S}})


def _frozen(trial: TrackedTrial, record: TrialRecord, space: dict[str, BaseDistribution]) -> FrozenTrial:
    scored = is_scored(record.status)
    state = TrialState.PRUNED if record.status == "stopped" else TrialState.COMPLETE if scored else TrialState.FAIL
    params = {name: value for name, value in trial.hyperparameters.items() if name in space}
    points = trial.curve.points
    attributes: dict[str, Any] = {**trial.facts(), **trial.figures(), "number": record.number}
    if points:
        attributes["last_train_loss"] = points[-1].loss
    frozen = create_trial(
        state=state,
        value=record.score if scored else None,
        params=params,
        distributions={name: _holding(space[name], value) for name, value in params.items()},
        user_attrs=attributes,
        intermediate_values=dict(record.curve),
    )
    ended = record.ended_at or frozen.datetime_start.timestamp()  # type: ignore[union-attr]  # `create_trial` sets it
    seconds = record.train_s + record.val_s + record.setup_s
    frozen.datetime_start = datetime.fromtimestamp(ended - seconds)
    frozen.datetime_complete = datetime.fromtimestamp(ended)
    return frozen


def _holding(distribution: BaseDistribution, value: Any) -> BaseDistribution:
    """The distribution with bounds that hold the value: those of a run that goes on with another plan differ."""
    if not isinstance(distribution, IntDistribution | FloatDistribution) or distribution._contains(value):
        return distribution
    low, high = min(distribution.low, value), max(distribution.high, value)
    return type(distribution)(low, high, log=distribution.log)
