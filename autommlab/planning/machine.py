"""What trainings can have: this machine's CPUs, or the cluster that a run is connected to."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from autommlab import settings
from autommlab.cluster import TrialNeed, ray_session, trial_slots
from autommlab.common.placement import resource_request
from autommlab.options import RunOptions
from autommlab.planning.measure import Costs, measure_costs
from autommlab.planning.stage import Machine

if TYPE_CHECKING:
    from autommlab.planning.records import Size
    from autommlab.training.runner_config import TrialSetup

#: Side by side on a cluster: as many as there are finalists at most.
_MOST_ON_A_CLUSTER = 3


@contextlib.contextmanager
def machine_at_hand(options: RunOptions, address: str | None, priority: int = 1) -> Iterator[Machine]:
    """The machine that trains; inside the block Ray is connected where it is needed to know.

    Args:
        options: of the run.
        address: of a Ray cluster; None takes `RAY_ADDRESS`, and without that this machine.
        priority: see `ray_session`.
    """
    cpus_each, gpus_each = options.budget.cpus_per_trial, options.budget.gpus_per_trial
    if not gpus_each and not (address or os.environ.get("RAY_ADDRESS")):
        cpus = float(os.cpu_count() or 1)
        measure = functools.partial(measure_costs, threads=int(cpus_each))
        slots = max(1, int(cpus / cpus_each / options.workers_per_trial))
        together = functools.partial(measure_costs, threads=int(cpus)) if slots > 1 else None
        yield Machine(slots=slots, cpus=cpus, measure=measure, together=together)
        return
    with ray_session(address, priority=priority):
        need = TrialNeed(cpus_each, gpus_each, options.workers_per_trial, settings.trial_resource())
        slots = trial_slots(need)
        many = min(slots, _MOST_ON_A_CLUSTER)
        measure = functools.partial(_measured_by_a_worker, need)
        yield Machine(slots=slots, cpus=many * cpus_each, gpus=many * gpus_each, measure=measure)


def _measured_by_a_worker(need: TrialNeed, setup: TrialSetup, sizes: Sequence[Size], dearest_s: float) -> Costs:
    """As `measure_costs`, on a node and with the resources that a trial gets."""
    import ray

    remote: Any = ray.remote(num_cpus=need.cpus, num_gpus=need.gpus, resources=resource_request(need.resource))
    measured: Costs = ray.get(remote(measure_costs).remote(setup, sizes, dearest_s, int(need.cpus)))
    return measured
