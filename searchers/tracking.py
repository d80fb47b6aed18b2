"""What nearly every searcher needs besides its idea: a ledger of proposals and their scores.

A subclass writes `_propose` and, if it learns, `_learn`. The ledger gives it
first configurations, clean finite scores, origins, and silence about results that come
twice, too late or for trials nobody suggested.
"""

from __future__ import annotations

import copy
import logging
import math
import numbers
import sys
from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from autommlab.common.errors import SearcherError
from autommlab.common.trial_status import is_scored
from searchers.base import BaseSearcher
from searchers.context import StudySettings
from searchers.space import Configuration, SearchSpace

logger = logging.getLogger(__name__)


@dataclass
class Attempt:
    """One proposal.

    Attributes:
        config: what was proposed.
        origin: who chose it, e.g. "random", "tpe", "tpe:start-up", "first configuration".
        score: finite objective; None while the trial runs. Of a `failed` one what it counts as, which gets worse as
            worse scores are reached.
        failed: the trial gave no usable score.
        reason: why it failed, for a prompt or a person.
        details: how the proposal came about, plain JSON values; empty for most searchers.
    """

    config: Configuration
    origin: str
    score: float | None = None
    failed: bool = False
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class TrackingSearcher(BaseSearcher):
    """Keeps the ledger of proposals.

    A failed trial counts as `StudySettings.worst_score` where that was given and no trial did worse. Else it counts as
    worse than the worst score by the range of all scores so far (by its size, or by 1, where there is no range), and
    is counted anew whenever a score changes that: a crash before the first score is no record of any kind.

    Args:
        space: what may be proposed.
        study: see `StudySettings`; its first configurations are proposed before anything else.
        first_origin: what `proposed_by` says of them.
        settings: see `BaseSearcher`.

    Raises:
        SearcherError: a first configuration lies outside the space.
    """

    def __init__(
        self, space: SearchSpace, study: StudySettings, *, first_origin: str = "first configuration", **settings: Any
    ) -> None:
        super().__init__(space, study, **settings)
        for config in study.first_configs:
            if problems := space.violations(config):
                raise SearcherError(
                    f"first configuration {config} lies outside the search space: {'; '.join(problems)}. "
                    "Clip it with SearchSpace.clip or widen the bounds"
                )
        self._first_configs = [dict(config) for config in study.first_configs]
        self._first_origin = first_origin
        self._attempts: dict[str, Attempt] = {}
        #: The lowest and the highest score so far, empty before there is one.
        self._reached: tuple[float, float] | tuple[()] = ()
        self._no_past_trials = ""

    @abstractmethod
    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        """The next own configuration and its origin; the ledger does not hold the trial yet."""

    def _adopt(self, trial_id: str, config: Configuration) -> None:
        """A first configuration is about to be tried; a model that keeps open trials notes it here."""

    def _adopt_foreign(self, trial_id: str, config: Configuration) -> None:
        """Somebody else's configuration is being tried; a model that can learn from such configurations notes it
        here.
        """

    def _learn(self, trial_id: str, score: float) -> None:
        """A finite score for an open trial; what it counts as if it failed."""

    def _relearn(self, trial_id: str, score: float) -> None:
        """A failed trial, learned already, counts as another score from now on."""

    def _explain(self) -> dict[str, Any]:
        """How the configuration that `_propose` has just given came about, as plain JSON values."""
        return {}

    def _entered(self, trial_id: str) -> None:
        """The ledger has a new entry, an own or a foreign one."""

    def prepare(self) -> None:
        """The next trial will probably be asked of this searcher; one that needs time may begin now."""

    def suggest(self, trial_id: str) -> Configuration | None:
        """See `BaseSearcher.suggest`.

        Raises:
            SearcherError: no metric was given by anybody, or the method left the space (a bug).
        """
        if self._metric is None:
            raise SearcherError(f"{self.name} has no metric: give it here or in tune.TuneConfig(metric=...)")
        if trial_id not in self._attempts:
            number = len(self._attempts)
            if number < len(self._first_configs):
                config, origin, details = dict(self._first_configs[number]), self._first_origin, {}
                self._adopt(trial_id, config)
            else:
                config, origin = self._propose(trial_id)
                details = self._explain()
            if problems := self.space.violations(config):
                raise SearcherError(f"{self.name} proposed {config}, outside the space: {'; '.join(problems)}")
            self._attempts[trial_id] = Attempt(config, origin, details=details)
            self._entered(trial_id)
        return dict(self._attempts[trial_id].config)

    def observe(self, trial_id: str, config: Configuration, origin: str) -> None:
        """Enter a trial whose configuration another searcher of the same study chose; its result comes as usual.

        The next first configuration counts as this searcher's own, whoever chose it before.
        """
        if trial_id not in self._attempts:
            due = self._first_configs[len(self._attempts) :][:1]
            (self._adopt if due == [config] else self._adopt_foreign)(trial_id, config)
            self._attempts[trial_id] = Attempt(dict(config), origin)
            self._entered(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Score the trial once; everything unusable is a failure. See `BaseSearcher`."""
        attempt = self._attempts.get(trial_id)
        if attempt is None or attempt.score is not None:
            state = "was never suggested here" if attempt is None else "has already finished"
            logger.warning("%s: ignored a result of trial %s, which %s", self.name, trial_id, state)
            return
        score, attempt.reason = self._judge(trial_id, result or {}, error)
        attempt.failed = score is None
        attempt.score = self._worst() if score is None else score
        self._learn(trial_id, attempt.score)
        if score is not None:
            self._reach(score)

    def _worst(self) -> float:
        """What a failed trial counts as now."""
        sign = 1.0 if self._mode == "max" else -1.0
        reached = sorted(sign * score for score in self._reached)
        if self.worst_score is not None:
            return sign * min([sign * self.worst_score, *reached])
        if not reached:
            return 0.0
        margin = (reached[-1] - reached[0]) or abs(reached[0]) or 1.0
        return sign * max(reached[0] - margin, -sys.float_info.max)

    def _reach(self, score: float) -> None:
        """Count failures anew where a score lies outside all before."""
        reached = [*self._reached, score]
        if len(reached) > 1 and (min(reached), max(reached)) == self._reached:
            return
        self._reached = (min(reached), max(reached))
        worst = self._worst()
        for trial_id, attempt in self._attempts.items():
            if attempt.failed and attempt.score != worst:
                attempt.score = worst
                self._relearn(trial_id, worst)

    def _judge(self, trial_id: str, result: dict[str, Any], error: bool) -> tuple[float | None, str]:
        """The score, or None and why there is none."""
        if error or not result:
            return None, str(result.get("reason") or "no result")
        status = result.get("status", "ok")
        if not is_scored(status):
            return None, str(result.get("reason") or status)
        if self._metric not in result:
            keys = ", ".join(sorted(result))
            message = "%s: trial %s reported no %r, so it counts as failed. It reported: %s"
            logger.error(message, self.name, trial_id, self._metric, keys)
            return None, f"no {self._metric}"
        value = result[self._metric]
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            message = "%s: trial %s reported %s=%r, so it counts as failed"
            logger.warning(message, self.name, trial_id, self._metric, value)
            return None, f"{self._metric}={value!r}"
        return float(value), ""

    def proposed_by(self, trial_id: str) -> str:
        """Who chose this trial's configuration.

        Raises:
            SearcherError: the trial was not suggested by this searcher.
        """
        if trial_id not in self._attempts:
            raise SearcherError(f"trial {trial_id!r} was not suggested by {self.name}")
        return self._attempts[trial_id].origin

    def proposal_details(self, trial_id: str) -> dict[str, Any]:
        """Who chose this trial's configuration and how, as plain JSON values for the trial's record.

        Raises:
            SearcherError: the trial was not suggested by this searcher.
        """
        unused = {"past_trials": f"not used: {self._no_past_trials}"} if self._no_past_trials else {}
        return {"proposed_by": self.proposed_by(trial_id), **unused, **copy.deepcopy(self._attempts[trial_id].details)}

    def without_past_trials(self, reason: str, consequence: str) -> None:
        """This searcher learns from earlier studies, of which none applies here: say so in the log and in records.

        Args:
            reason: see `why_not_applied`; "" = they apply, and nothing is said.
            consequence: what it does instead.
        """
        self._no_past_trials = reason
        if reason:
            message = "%s uses no trials of earlier studies (%s); %s. If some apply, say what the study is about by "
            message += "context=StudyContext(...), or name a file of them by trial_history=FILE"
            logger.warning(message, self.name, reason, consequence)

    def usage(self) -> dict[str, Any]:
        """What the study should be told about its proposals, as plain JSON values.

        Returns:
            "proposals", "by_origin" (origin -> count), "fallbacks" and "fallback_reasons" (kind of
            reason -> count) of proposals that are not the method's own; "past_trials" if it learns from earlier
            studies and none applies; a searcher with costs adds them.
        """
        reasons = [
            a.details["fallback"].partition(": ")[0] for a in self._attempts.values() if a.details.get("fallback")
        ]
        return {
            "proposals": len(self._attempts),
            "by_origin": dict(Counter(a.origin for a in self._attempts.values())),
            "fallbacks": len(reasons),
            "fallback_reasons": dict(Counter(reasons)),
            **({"past_trials": f"not used: {self._no_past_trials}"} if self._no_past_trials else {}),
        }

    def attempts(self) -> dict[str, Attempt]:
        """A copy of the ledger, trial id -> attempt, in the order of the proposals."""
        return copy.deepcopy(self._attempts)

    def get_state(self) -> dict[str, Any]:
        """The ledger; a subclass adds what else decides its next proposals. Configurations and details are not
        copied.
        """
        return {"attempts": {trial_id: dict(vars(attempt)) for trial_id, attempt in self._attempts.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `BaseSearcher.set_state`."""
        self._attempts = {trial_id: Attempt(**saved) for trial_id, saved in state["attempts"].items()}
        reached = [a.score for a in self._attempts.values() if a.score is not None and not a.failed]
        self._reached = (min(reached), max(reached)) if reached else ()

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`."""
        return {**super().settings(), "first_configs": self._first_configs}
