"""Optuna's Gaussian process sampler on one torch thread."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial


class OneThreadGPSampler(GPSampler):
    """Optuna's `GPSampler`, unchanged but for the number of threads.

    The matrices have a few dozen rows, so a second thread gains nothing, and where trials
    keep the cores busy torch's threads wait for each other: on 2 busy cores a proposal
    beside open trials took 17 to 30 s with two threads and 0.6 s with one
    (2026-11-23). One thread also rounds in the same order on every machine.
    """

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See `GPSampler.sample_relative`."""
        # Only this sampler needs torch, which takes seconds to import.
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return super().sample_relative(study, trial, search_space)
        finally:
            torch.set_num_threads(before)
