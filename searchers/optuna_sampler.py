"""Any searcher as a sampler of an Optuna study: `optuna.create_study(sampler=searchers.OptunaSampler("surrogate"))`.

The study's trials are the ledger. Before each proposal the searcher is told of all that has happened since the last
one, whoever chose it: enqueued trials, other processes, an earlier session. So nothing needs to be stored beside the
study, and a study that goes on with another sampler loses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autommlab.common.errors import SearcherError
from autommlab.common.trial_status import SCORE
from searchers.context import StudyContext
from searchers.conversion import ConvertedSpace, bounded, from_tune, named_choice
from searchers.optuna_search import distributions
from searchers.registry import create, needs_first_configs
from searchers.space import Parameter, SearchSpace

#: Of a trial in the study: who chose its parameters, as `TrackingSearcher.proposal_details` tells it.
ATTRIBUTE = "searchers:proposal"
_FIXED = "fixed_params"


class OptunaSampler(BaseSampler):
    """A searcher of this package in an Optuna study of one objective.

    An objective that asks for parameters as it runs shows its space by its first finished trial. Until then, and for
    parameters that not every trial has, values are drawn at random, as by Optuna's own samplers. With `space` the
    searcher proposes from the first trial on.

    A pruned trial counts with its last intermediate value, one without any and a failed one as worse than every value
    of the study.

    Args:
        name: one of `searchers.names()`, without "+default": enqueue the default configuration in the study instead.
        space: Optuna's distributions or Ray Tune's domains, by the names that the objective asks for.
        seed: whole number from which all randomness comes.
        context, service, worst_score, **options: see `searchers.create`.

    Raises:
        SearcherError: unknown name or option, or a space that cannot be searched.
    """

    def __init__(
        self,
        name: str,
        space: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        context: StudyContext | None = None,
        service: Any = None,
        worst_score: float | None = None,
        **options: Any,
    ) -> None:
        if needs_first_configs(name):
            raise SearcherError(f"{name!r} begins with first_configs; in Optuna call study.enqueue_trial with them")
        self._name, self._seed = name, seed
        self._settings: dict[str, Any] = {"context": context, "service": service, "worst_score": worst_score, **options}
        create(name, seed=seed, **self._settings)  # refuses what is unknown here, not after the first trial
        self._declared = None if space is None else _declared(space)
        self._independent = RandomSampler(seed=seed % 2**32)
        self._intersection = IntersectionSearchSpace(include_pruned=True)
        self._lock = threading.RLock()
        self._followed: _Followed | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the lock, and without the searcher, which is made of the study's trials again."""
        return {**self.__dict__, "_lock": None, "_followed": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    def reseed_rng(self) -> None:
        """Optuna calls it in each of several processes; proposals of the searcher come from its seed and the study."""
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See `BaseSampler`."""
        _mode(study)
        if self._declared is not None:
            return self._declared
        return {name: one for name, one in self._intersection.calculate(study).items() if not one.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See `BaseSampler`."""
        fixed = trial.system_attrs.get(_FIXED, {})
        if not search_space or all(name in fixed for name in search_space):
            return {}
        with self._lock:
            followed = self._following(study, search_space)
            proposed, details = followed.proposal(trial)
        study._storage.set_trial_system_attr(trial._trial_id, ATTRIBUTE, details)
        return proposed

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See `BaseSampler`."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _following(self, study: Study, search_space: dict[str, BaseDistribution]) -> _Followed:
        """The searcher, told of all that has happened; a new one where another space or study is searched."""
        of_now = (study.study_name, search_space)
        if self._followed is None or self._followed.searched != of_now or not self._followed.update(study):
            converted = from_distributions(search_space)
            searcher = create(
                self._name, converted.space, metric=SCORE, mode=_mode(study), seed=self._seed, **self._settings
            )
            if not hasattr(searcher, "observe"):
                raise SearcherError(
                    f"the searcher {self._name!r} cannot learn of trials that an Optuna study brings along; derive it "
                    "from searchers.tracking.TrackingSearcher"
                )
            self._followed = _Followed(searcher, converted, of_now)
            self._followed.update(study)
        return self._followed


class _Followed:
    """A searcher that follows a study.

    Args:
        searcher: has proposed nothing yet.
        converted: its space.
        searched: name of the study and its space in Optuna's terms.
    """

    def __init__(
        self, searcher: Any, converted: ConvertedSpace, searched: tuple[str, dict[str, BaseDistribution]]
    ) -> None:
        self._searcher, self._converted, self.searched = searcher, converted, searched
        self._proposed: dict[int, dict[str, Any]] = {}
        self._finished: set[int] = set()

    def update(self, study: Study) -> bool:
        """Tell the searcher what is new; False if a trial ran with other values than it had proposed."""
        for trial in study.get_trials(deepcopy=False):
            if trial.number not in self._finished and trial.state != TrialState.WAITING and not self._tell(trial):
                return False
        return True

    def _tell(self, trial: FrozenTrial) -> bool:
        params = {name: trial.params[name] for name in self._converted.paths if name in trial.params}
        proposed = self._proposed.get(trial.number)
        complete = len(params) == len(self._converted.paths)
        if proposed is not None and any(params[name] != proposed[name] for name in params):
            return False
        if proposed is None and not complete:
            if trial.state.is_finished():
                self._finished.add(trial.number)  # of another space
            return True
        if proposed is None:
            try:
                config = self._converted.converted(params)
            except SearcherError:  # its bounds were others
                self._finished.add(trial.number)
                return True
            self._searcher.observe(str(trial.number), config, "elsewhere")
        if trial.state.is_finished():
            self._finished.add(trial.number)
            self._searcher.on_trial_complete(str(trial.number), _result(trial))
        return True

    def proposal(self, trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters of the trial, and how they came about."""
        config = self._searcher.suggest(str(trial.number))
        if not isinstance(config, dict):  # it waits, or has finished; Optuna asks for each trial all the same
            return {}, {"proposed_by": "random"}
        self._proposed[trial.number] = self._converted.restored(config)
        return dict(self._proposed[trial.number]), self._searcher.proposal_details(str(trial.number))


def from_distributions(given: Mapping[str, BaseDistribution]) -> ConvertedSpace:
    """Optuna's distributions as a space.

    Raises:
        SearcherError: there is none, or one of another kind than float, int and categorical.
    """
    parameters: list[Parameter] = []
    values: dict[str, tuple[Any, ...]] = {}
    for name, one in given.items():
        if isinstance(one, CategoricalDistribution):
            parameter, values[name] = named_choice(name, one.choices)
            parameters.append(parameter)
        elif isinstance(one, FloatDistribution | IntDistribution):
            whole = isinstance(one, IntDistribution)
            parameters.append(bounded(name, one.low, one.high, whole=whole, log=one.log, step=one.step))
        else:
            raise SearcherError(f"{name}: {type(one).__name__} is none of Optuna's float, int and categorical")
    return ConvertedSpace(SearchSpace(parameters=tuple(parameters)), {name: (name,) for name in given}, values)


def _declared(space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """A space in Optuna's terms."""
    if space and all(isinstance(one, BaseDistribution) for one in space.values()):
        from_distributions(space)
        return dict(space)
    converted = from_tune(space)
    found = distributions(converted.space)
    for name, values in converted.values.items():
        found[name] = CategoricalDistribution(values)
    return found


def _mode(study: Study) -> str:
    if len(study.directions) != 1:
        raise SearcherError(
            f"the study {study.study_name!r} has {len(study.directions)} objectives; searchers here search for one"
        )
    return "min" if study.direction == StudyDirection.MINIMIZE else "max"


def _result(trial: FrozenTrial) -> dict[str, Any]:
    """What a searcher is told of a finished trial."""
    if trial.state == TrialState.COMPLETE:
        return {SCORE: trial.value}
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        return {SCORE: trial.intermediate_values[max(trial.intermediate_values)], "status": "stopped"}
    return {"status": "failed", "reason": trial.state.name.lower()}
