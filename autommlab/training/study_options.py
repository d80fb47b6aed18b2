"""How a study searches."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from autommlab import settings
from autommlab.cluster import TrialNeed
from searchers.space import Configuration


class StudyOptions(BaseModel):
    """How a study searches.

    Attributes:
        searcher, scheduler: names known to `searchers`.
        searcher_options: the searcher's own, "NAME=VALUE" each.
        trials: budget in trials, failed ones included.
        time_budget_s: seconds after which running trials are stopped, None = no limit.
        max_concurrent: trials at once, 0 = as many as the cluster has room for.
        cpus_per_trial, gpus_per_trial: Ray resources; GPUs may be fractional.
        workers_per_trial: above 1, each trial is trained by so many processes with DDP, see `training.group` and
            `training.share`; CPUs and GPUs then count for each of them, GPUs 0 or 1. A trial's batch size stays
            that of a step of all workers together.
        trial_s: expected seconds of a trial; where the setup has a deadline, none begins that has no time for most of
            it. 0 = all begin.
        node_resource: custom resource that a trial's node must carry; the default is AUTOMMLAB_TRIAL_RESOURCE,
            None = any node.
        reuse_actors: keep workers between trials (switched off only by `bench overhead`).
        keep_all: keep weights and config of every trial in `all/`, for TEST figures beyond the winner's.
        finalists: configurations that are trained instead of a searcher's, as many as there are trials.
        test: measure the winner on TEST; not where its configuration is going to be trained again.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    searcher_options: tuple[str, ...] = ()
    scheduler: str = "none"
    trials: int
    time_budget_s: float | None = None
    max_concurrent: int = 0
    trial_s: float = 0.0
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    workers_per_trial: int = Field(default=1, ge=1)
    node_resource: str | None = Field(default_factory=settings.trial_resource)
    reuse_actors: bool = True
    keep_all: bool = False
    finalists: tuple[Configuration, ...] = ()
    test: bool = True

    @property
    def stage(self) -> str:
        """Of the run that it is, for its events."""
        return "final" if self.finalists else "training"

    @property
    def need(self) -> TrialNeed:
        """What a trial asks of Ray."""
        return TrialNeed(self.cpus_per_trial, self.gpus_per_trial, self.workers_per_trial, self.node_resource)
