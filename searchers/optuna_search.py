"""Optuna's TPE, GP and CMA-ES through Ray Tune's own integration (`ray.tune.search.optuna`).

`OptunaSearch` is delegated to, not subclassed, because on its own it raises on a
result without the metric, marks a trial without one as pruned, and gives Optuna no
value for a failed trial, so that no sampler learns to stay away. Here a failed
trial is told to Optuna as complete, with what it counts as (`TrackingSearcher`).

Intermediate reports are not passed on: these samplers read them only from pruned
trials, and a trial that a scheduler stopped is told with its last score as complete.

Checked against ray 2.60 and optuna 5.0.
"""

from __future__ import annotations

import base64
import contextlib
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial
from pydantic import Field
from ray.tune.search.optuna import OptunaSearch

from autommlab.common.errors import SearcherError
from autommlab.common.trial_status import SCORE
from searchers.context import StudySettings
from searchers.space import ChoiceParameter, Configuration, IntParameter, Parameter, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.ranked_tpe import RankedTPESampler
from searchers.transfer.transfer_surrogate import TransferSurrogate

#: Finished trials before a sampler's model takes over.
Startup = Annotated[int, Field(ge=1)]


class OptunaSearcher(TrackingSearcher):
    """One Optuna sampler as a searcher.

    Args:
        space, study: see `TrackingSearcher`.
        sampler: seeded, used by this searcher alone.
        startup_trials: after how many finished trials the sampler stops drawing at random;
            decides what `proposed_by` says ("tpe:start-up" or "tpe").
        name: see `BaseSearcher`.
    """

    def __init__(
        self, space: SearchSpace, study: StudySettings, *, sampler: BaseSampler, startup_trials: int, name: str
    ) -> None:
        super().__init__(space, study, name=name)
        # Optuna announces each study and trial on stderr, where the run shows its own progress.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._startup_trials = startup_trials
        self._delegate = OptunaSearch(
            space=distributions(space),
            metric=SCORE,
            mode=self._mode,
            sampler=sampler,
            points_to_evaluate=[dict(config) for config in study.first_configs],
        )

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        finished = sum(attempt.score is not None for attempt in self._attempts.values())
        origin = self.name if finished >= self._startup_trials else f"{self.name}:start-up"
        delegate: Any = self._delegate
        delegate.suggest(trial_id)  # what it returns is nested at each "/" of a name
        # exp(log(x)) may miss a bound by one unit in the last place.
        return self.space.clip(delegate._ot_trials[trial_id].params), origin

    def _adopt(self, trial_id: str, config: Configuration) -> None:
        self._delegate.suggest(trial_id)

    def _adopt_foreign(self, trial_id: str, config: Configuration) -> None:
        # Asking for an enqueued configuration would make the sampler propose one first, which costs GP 0.4 s.
        delegate: Any = self._delegate
        study: optuna.Study = delegate._ot_study
        study.add_trial(create_trial(state=TrialState.RUNNING, params=config, distributions=delegate._space))
        delegate._ot_trials[trial_id] = len(study.get_trials(deepcopy=False)) - 1

    def _learn(self, trial_id: str, score: float) -> None:
        self._delegate.on_trial_complete(trial_id, result={SCORE: score})

    def _relearn(self, trial_id: str, score: float) -> None:
        # Optuna lets nobody change a finished trial. Its in-memory storage, which nobody else sees, hands out its own
        # records; the samplers read them anew at each proposal.
        delegate: Any = self._delegate
        open_or_number = delegate._ot_trials[trial_id]
        number = open_or_number if isinstance(open_or_number, int) else open_or_number.number
        delegate._ot_study.get_trials(deepcopy=False)[number].value = score

    def get_state(self) -> dict[str, Any]:
        """The ledger and Ray's own file of the Optuna study, in base64."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "optuna")
            sampler = self._delegate._sampler
            with sampler.light() if isinstance(sampler, RankedTPESampler) else contextlib.nullcontext():
                self._delegate.save(str(file))
            return {**super().get_state(), "optuna": base64.b64encode(file.read_bytes()).decode("ascii")}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `BaseSearcher.set_state`."""
        super().set_state(state)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "optuna")
            file.write_bytes(base64.b64decode(state["optuna"]))
            made_with = self._delegate._sampler
            self._delegate.restore(str(file))
        restored = self._delegate._sampler
        if isinstance(made_with, RankedTPESampler) and isinstance(restored, RankedTPESampler):
            restored.take_over(made_with)

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`."""
        return {**super().settings(), "startup_trials": self._startup_trials}


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """The space in Optuna's terms. Optuna has no steps in a logarithmic range; `SearchSpace.clip` takes those."""
    return {parameter.name: _distribution(parameter) for parameter in space.parameters}


def _distribution(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, ChoiceParameter):
        return CategoricalDistribution(parameter.choices)
    step: Any = None if parameter.log else parameter.step
    if isinstance(parameter, IntParameter):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log, step=step or 1)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=step)


def tpe(space: SearchSpace, study: StudySettings, *, startup_trials: Startup = 10) -> OptunaSearcher:
    """Tree-structured Parzen estimator, all parameters jointly (multivariate).

    Choices are modelled as categorical kernels within the joint density; open
    trials are penalised (constant liar), so parallel trials spread out.

    Args:
        space, study: see `TrackingSearcher`.
        startup_trials: finished trials before the model takes over; Optuna's default is 10.
    """
    return _tpe("tpe", TPESampler, space, study, startup_trials)


def tpe_few(space: SearchSpace, study: StudySettings, *, startup_trials: Startup = 3) -> OptunaSearcher:
    """`tpe` that starts modelling after 3 trials: the fair rival at small budgets."""
    return _tpe("tpe-few", TPESampler, space, study, startup_trials)


def tpe_ranked(
    space: SearchSpace, study: StudySettings, *, score: TransferSurrogate, startup_trials: int = 3
) -> OptunaSearcher:
    """`tpe_few` with its draws ranked by past trials, see `ranked_tpe`; `score` is of this space and this mode."""
    return _tpe("tpe-ranked", partial(RankedTPESampler, space, score), space, study, startup_trials)


def tpe_after(space: SearchSpace, study: StudySettings, *, startup_trials: int, name: str) -> OptunaSearcher:
    """`tpe` under a name of its own, for searchers that choose its first configurations themselves."""
    return _tpe(name, TPESampler, space, study, startup_trials)


def gp(space: SearchSpace, study: StudySettings, *, startup_trials: Startup = 10) -> OptunaSearcher:
    """Gaussian process with log expected improvement; choices enter by Hamming distance.

    Imports torch. A proposal takes about 0.4 s at 40 trials on one core.

    Args:
        space, study: see `TrackingSearcher`.
        startup_trials: finished trials before the model takes over.
    """
    return _searcher("gp", OneThreadGPSampler, space, study, startup_trials)


def cmaes(space: SearchSpace, study: StudySettings, *, startup_trials: Startup = 1) -> OptunaSearcher:
    """CMA-ES over the numeric parameters; choices are drawn at random beside it.

    With fewer than two numeric parameters Optuna draws everything at random.

    Args:
        space, study: see `TrackingSearcher`.
        startup_trials: finished trials before CMA-ES starts; Optuna's default is 1.
    """
    return _searcher("cmaes", partial(CmaEsSampler, warn_independent_sampling=False), space, study, startup_trials)


def _tpe(
    name: str, sampler: Callable[..., BaseSampler], space: SearchSpace, study: StudySettings, startup_trials: int
) -> OptunaSearcher:
    return _searcher(name, partial(sampler, multivariate=True, constant_liar=True), space, study, startup_trials)


def _searcher(
    name: str, sampler: Callable[..., BaseSampler], space: SearchSpace, study: StudySettings, startup_trials: int
) -> OptunaSearcher:
    if startup_trials < 1:
        raise SearcherError(f"startup_trials must be at least 1, got {startup_trials}")
    # NumPy takes seeds of 32 bits.
    seeded = sampler(seed=study.seed % 2**32, n_startup_trials=startup_trials)
    return OptunaSearcher(space, study, sampler=seeded, startup_trials=startup_trials, name=name)


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
