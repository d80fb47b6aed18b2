"""Several studies on one cluster: each takes its share of the slots, and gives up those beyond it.

Ray hands a free slot to whoever waits for one, but a study that reuses its workers never frees any:
without a limit the first study holds the whole cluster until its last trial. `FairShare` is
Tune's own limit on trials at once, read anew as studies come and go; no running trial is
stopped for it. `yielding` makes a scheduler that lets go of the worker that Tune would keep
for a next trial when there is none to come.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import ConcurrencyLimiter, Searcher

Scheduler = TypeVar("Scheduler", bound=TrialScheduler)
#: Seconds between two looks at who else is there.
_LOOK_S = 1.0


class FairShare(ConcurrencyLimiter):
    """At most this study's share of `slots` trials at once, at least one.

    Args:
        searcher: proposes.
        slots: trials at once with the cluster for itself.
        share: this study's part of the cluster now, in (0, 1].
        ends: asked before each proposal whether there is to be none any more.
    """

    def __init__(
        self,
        searcher: Searcher,
        slots: int,
        share: Callable[[], float],
        ends: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(searcher, max_concurrent=slots)
        self._ends = ends
        self._slots, self._share, self._part, self._looked = slots, share, 1.0, float("-inf")

    @property
    def must_yield(self) -> bool:
        """Others are there, and this study has all that it may have."""
        return self.max_concurrent < self._slots and len(self.live_trials) >= self.max_concurrent

    @property
    def crowded(self) -> bool:
        """More studies than slots: they take turns, trial by trial."""
        return self._slots * self._part < 1

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Nothing beyond the share or after the end; else what the searcher says."""
        if self._ends():
            return Searcher.FINISHED  # type: ignore[return-value]  # Ray forgot FINISHED
        if time.monotonic() - self._looked > _LOOK_S:
            self._part = self._share()
            # Rounded up: a slot that nobody may take would be worse than one too many asked for.
            self.max_concurrent = max(1, min(self._slots, math.ceil(self._slots * self._part)))
            self._looked = time.monotonic()
        suggestion: dict[str, Any] | None = super().suggest(trial_id)
        return suggestion

    def get_state(self) -> dict[str, Any]:
        """Trials in flight; the limits are those of the cluster at hand."""
        return {"live_trials": set(self.live_trials), "num_unfinished_live_trials": self.num_unfinished_live_trials}


def yielding(kind: type[Scheduler], share: FairShare | None) -> type[Scheduler]:
    """`kind`, which also ends idle workers of a study that has all that it may have; itself without a share.

    It gives a worker that has become free to a trial for which none is being started. Tune's own choice is
    the trial that has waited longest, and it then ends the worker that is being started for that one: where trials
    end faster than workers start, some slots stay empty for good (seen: 43 of 64).
    """
    if share is None:
        return kind
    mine = share

    class Yielding(kind):  # type: ignore[valid-type,misc]
        """Tune keeps one idle worker for a next trial, with its slot, and has no public way to let it go."""

        def choose_trial_to_run(self, tune_controller: Any, **options: Any) -> Trial | None:
            # In a crowd the next trial queues up behind those of the others, instead of keeping its worker.
            if mine.crowded or (mine.must_yield and not _any_pending(tune_controller)):
                tune_controller._cleanup_cached_actors(force_all=True)
            chosen: Trial | None = super().choose_trial_to_run(tune_controller, **options)
            return _without_worker(tune_controller) or chosen

    return Yielding


def _without_worker(tune_controller: Any) -> Trial | None:
    started_for = tune_controller._trial_to_actor
    waiting = (trial for trial in tune_controller.get_trials() if trial.status == Trial.PENDING)
    return next((trial for trial in waiting if trial not in started_for), None)


def _any_pending(tune_controller: Any) -> bool:
    return any(trial.status == Trial.PENDING for trial in tune_controller.get_trials())
