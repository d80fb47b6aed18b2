"""Which trials are stopped early: Ray Tune's own schedulers by name.

A trial's clock is `training_iteration`, 1 for its first report to `max_t` for its
last. Ray saves no scheduler state: after a restore, ASHA and the median rule judge
by what they see from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from autommlab.common.errors import SearcherError, unknown

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

    from searchers.tune.fair_share import FairShare

SchedulerName = Literal["none", "asha", "median"]
_TIME = "training_iteration"


def scheduler_names() -> tuple[str, ...]:
    """Every name that `create_scheduler` takes."""
    return get_args(SchedulerName)


def create_scheduler(
    name: str,
    *,
    metric: str,
    mode: str = "max",
    max_t: int = 3,
    grace: int = 1,
    reduction_factor: float = 2,
    min_samples: int = 3,
    share: FairShare | None = None,
) -> TrialScheduler:
    """The scheduler called `name`; leave `metric` and `mode` of `tune.TuneConfig` empty with it.

    Args:
        name: "none" lets every trial run to its end, "asha" keeps the best
            1 / `reduction_factor` at reports `grace`, `grace` * `reduction_factor`, ...,
            "median" stops what is worse than the median of the others' running means.
        metric: key of the objective in a result.
        mode: "max" or "min".
        max_t: reports of a full trial.
        grace: reports before a trial may be stopped.
        reduction_factor: of ASHA, above 1; 2 because Ray's default of 4 has one rung in 3 reports.
        min_samples: of the median rule: other trials it needs before it judges.
        share: of the study on a cluster with others; idle workers beyond it are let go.

    Raises:
        SearcherError: unknown name or mode, or `grace` not in 1..`max_t`.
    """
    if name not in scheduler_names():
        raise SearcherError(unknown("scheduler", name, scheduler_names()))
    if mode not in ("max", "min"):
        raise SearcherError(f"mode must be 'max' or 'min', got {mode!r}")
    if not 1 <= grace <= max_t:
        raise SearcherError(f"grace must lie in 1..max_t, got grace={grace}, max_t={max_t}")
    if reduction_factor <= 1:
        raise SearcherError(f"reduction_factor must be above 1, got {reduction_factor}")
    from ray.tune import schedulers

    from searchers.tune.fair_share import yielding

    if name == "asha":
        return yielding(schedulers.ASHAScheduler, share)(
            time_attr=_TIME, metric=metric, mode=mode, max_t=max_t, grace_period=grace,
            reduction_factor=reduction_factor,
        )  # fmt: skip
    if name == "median":
        return yielding(schedulers.MedianStoppingRule, share)(
            time_attr=_TIME, metric=metric, mode=mode, grace_period=grace, min_samples_required=min_samples
        )
    return yielding(schedulers.FIFOScheduler, share)()
