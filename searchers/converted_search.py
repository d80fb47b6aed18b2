"""Any searcher over a space that is written for Ray Tune and may come late, from `tune.Tuner(param_space=...)`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ray.tune.search import Searcher
from ray.tune.search.variant_generator import _has_unresolved_values

from autommlab.common.errors import SearcherError
from searchers.base import BaseSearcher
from searchers.context import StudyContext, StudySettings
from searchers.conversion import ConvertedSpace, from_tune
from searchers.space import Configuration, SearchSpace
from searchers.tracking import Attempt

logger = logging.getLogger(__name__)


class Maker(Protocol):
    """Makes the searcher once its space is known; survives cloudpickle."""

    def __call__(self, space: SearchSpace, study: StudySettings, context: StudyContext | None) -> Searcher:
        """One that has proposed nothing yet."""
        ...


class ConvertedSearch(BaseSearcher):
    """Translates between a searcher and a study whose configurations are nested, or hold other values than its own.

    The searcher is made before the first proposal, when space, metric and mode are known.

    Args:
        name: of the searcher.
        make: makes it.
        given: space in Ray Tune's terms; None = Ray Tune hands it over.
        study: without first configurations; without a metric if Ray Tune hands it over.
        mode_is_open: Ray Tune hands over the mode, in place of that of `study`.
        first_configs: in the study's terms.
        context: what the study is about, its default configuration in the study's terms.

    Raises:
        SearcherError: the space, or a configuration, cannot be used.
    """

    def __init__(
        self,
        name: str,
        make: Maker,
        given: Mapping[str, Any] | None,
        study: StudySettings,
        *,
        mode_is_open: bool = False,
        first_configs: Sequence[Mapping[str, Any]] = (),
        context: StudyContext | None = None,
    ) -> None:
        super().__init__(SearchSpace(parameters=()), study, name=name)
        self._make, self._study, self._mode_is_open = make, study, mode_is_open
        self._first, self._context = list(first_configs), context
        self._converted: ConvertedSpace | None = None
        self._inner: Any = None
        # Ray Tune adds the constants of a space that it has handed over.
        self._with_constants = given is not None
        if given is not None:
            self._take(given)

    def _take(self, given: Mapping[str, Any]) -> None:
        converted = from_tune(given)
        first = [converted.converted(config) for config in self._first]
        if self._context is not None and self._context.default is not None:
            default = converted.converted(self._context.default)
            self._context = self._context.model_copy(update={"default": default})
        self._converted, self.space = converted, converted.space
        self._study = replace(self._study, first_configs=first)

    def _made(self) -> Any:
        """The searcher.

        Raises:
            SearcherError: the space or the mode is still unknown.
        """
        if self._inner is None and self._converted is not None and self._mode_is_open:
            raise SearcherError(
                f'the searcher {self.name!r} has no mode: give mode="min" or "max" to searchers.create, or to '
                "tune.TuneConfig beside a param_space"
            )
        if self._inner is None:
            if self._converted is None:
                raise SearcherError(
                    f"the searcher {self.name!r} has no search space: give one to searchers.create(name, space), or "
                    "to tune.Tuner(param_space=...)"
                )
            study = replace(self._study, metric=self._metric, mode=str(self._mode))
            self._inner = self._make(self.space, study, self._context)
        return self._inner

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Ray Tune's hand-over of `param_space` and of the metric and mode of its `TuneConfig`.

        Returns:
            False if `config` holds a search space although there is one already.

        Raises:
            SearcherError: `metric`, `mode` or the space cannot be used, or contradicts what is known.
        """
        brings_space = _has_unresolved_values(config)
        if brings_space and self._converted is not None:
            return False
        if mode and self._mode_is_open and self._inner is None:
            self._study = replace(self._study, mode=mode)
            self._mode, self._mode_is_open = mode, False
        super().set_search_properties(metric, mode, {}, **spec)
        if brings_space:
            self._take(config)
        if self._inner is not None:
            self._inner.set_search_properties(metric, mode, {}, **spec)
        return True

    @property
    def _is_known(self) -> bool:
        """All that the searcher is made of is there."""
        return self._converted is not None and not self._mode_is_open

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override] # another's terms
        """See `BaseSearcher.suggest`; the configuration is in the study's terms."""
        config = self._made().suggest(trial_id)
        return self._restored(config) if isinstance(config, dict) else config

    def _restored(self, config: Configuration) -> dict[str, Any]:
        if self._converted is None:  # a searcher is made of a space only
            raise SearcherError("there is no search space")
        return self._converted.restored(config, constants=self._with_constants)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """See `BaseSearcher`."""
        if self._inner is not None:
            self._inner.on_trial_result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """See `BaseSearcher`."""
        if self._inner is None:
            logger.warning("%s: ignored a result of trial %s, which was never suggested here", self.name, trial_id)
            return
        self._inner.on_trial_complete(trial_id, result=result, error=error)

    def proposed_by(self, trial_id: str) -> str:
        """See `BaseSearcher.proposed_by`."""
        return str(self._made().proposed_by(trial_id))

    def proposal_details(self, trial_id: str) -> dict[str, Any]:
        """See `TrackingSearcher.proposal_details`."""
        details: dict[str, Any] = self._made().proposal_details(trial_id)
        return details

    def usage(self) -> dict[str, Any]:
        """See `TrackingSearcher.usage`."""
        told: dict[str, Any] = self._made().usage()
        return told

    def attempts(self) -> dict[str, Attempt]:
        """See `TrackingSearcher.attempts`; configurations are in the study's terms."""
        ledger: dict[str, Attempt] = self._made().attempts()
        return {trial_id: replace(one, config=self._restored(one.config)) for trial_id, one in ledger.items()}

    def observe(self, trial_id: str, config: Mapping[str, Any], origin: str) -> None:
        """See `TrackingSearcher.observe`; the configuration is in the study's terms."""
        inner = self._made()
        if self._converted is not None:
            inner.observe(trial_id, self._converted.converted(config), origin)

    def save(self, checkpoint_path: str) -> None:
        """The searcher's own state; an empty one while there is no searcher."""
        if self._is_known:
            self._made().save(checkpoint_path)
        else:
            super().save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """See `BaseSearcher.restore`."""
        if self._is_known:
            self._made().restore(checkpoint_path)
        else:
            super().restore(checkpoint_path)

    def get_state(self) -> dict[str, Any]:
        """Of the searcher."""
        state: dict[str, Any] = self._made().get_state() if self._is_known else {}
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """See `BaseSearcher.set_state`."""
        if self._is_known:
            self._made().set_state(state)
