"""An LLM beside Optuna: the model opens the study and speaks up now and then, Optuna carries on.

A model that knows the field starts well; a model-based optimiser is better at the numbers once
there are some (SLLMBO, LLAMBO, arXiv 2603.24647). Both see all configurations and all results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import Field

from autommlab.common.errors import SearcherError
from searchers.candidates import Ranker
from searchers.context import StudyContext, StudySettings
from searchers.ensembles.ensemble import Ensemble, member_settings
from searchers.llm.hpo_llama import HpoLlama, service_client
from searchers.options import takes_options_of
from searchers.optuna_search import OptunaSearcher, gp, tpe_few, tpe_ranked
from searchers.settings import LlmOptions, llm_options
from searchers.space import SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.transfer_surrogate import TransferSurrogate, ranker_for
from serve.client import ServiceClient

_LLM, _OPTUNA = "llm", "optuna"
#: Optuna's samplers draw their first 10 at random. With 3 for the LLM, TPE's trials 4 and 5 lost what it never made
#: up for (8 held-out tasks, 2026-11-27).
_LLM_FIRST, _LLM_EVERY = 10, 4


class Hybrid(Ensemble):
    """The LLM proposes the first `llm_first` trials after the first configurations and then every `llm_every`-th.

    Args:
        space, study: see `TrackingSearcher`.
        llm, optuna: the members.
        llm_first: at least 0.
        llm_every: at least 1.
        name: see `BaseSearcher`.

    Raises:
        SearcherError: a number is too small.
    """

    def __init__(
        self,
        space: SearchSpace,
        study: StudySettings,
        *,
        llm: TrackingSearcher,
        optuna: TrackingSearcher,
        llm_first: int,
        llm_every: int,
        name: str,
    ) -> None:
        if llm_first < 0 or llm_every < 1:
            raise SearcherError(
                f"llm_first must be at least 0 and llm_every at least 1, got llm_first={llm_first}, "
                f"llm_every={llm_every}"
            )
        super().__init__(space, study, members={_LLM: llm, _OPTUNA: optuna}, name=name)
        self._llm_first, self._llm_every = llm_first, llm_every

    def _turn(self) -> str:
        return self._member(len(self._attempts) - len(self._first_configs))

    def _soon(self) -> Iterable[str]:
        number = len(self._attempts) - len(self._first_configs)
        return {self._member(number + ahead) for ahead in range(max(1, self._running()))}

    def _member(self, number: int) -> str:
        """Whose turn the `number`-th proposal after the first configurations is."""
        if number < self._llm_first or (number - self._llm_first + 1) % self._llm_every == 0:
            return _LLM
        return _OPTUNA

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`."""
        return {**super().settings(), "llm_first": self._llm_first, "llm_every": self._llm_every}


@takes_options_of(LlmOptions)
def llm_tpe(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    service: str | ServiceClient | None = None,
    llm_first: Annotated[int, Field(ge=0)] = _LLM_FIRST,
    llm_every: Annotated[int, Field(ge=1)] = _LLM_EVERY,
    **options: Any,
) -> Hybrid:
    """The LLM and TPE, the candidates of both ranked by past trials, TPE's also by this study's (see `ranked_tpe`).

    Args:
        space, study, context, service: see `hpo_llama`.
        llm_first, llm_every: see `Hybrid`.
        **options: those of `hpo_llama`.

    Raises:
        SearcherError: no service, or an option that is unknown or not allowed.
    """
    turns = {"llm_first": llm_first, "llm_every": llm_every}
    return _hybrid("llm+tpe", _tpe, space, study, context, service, turns, options)


@takes_options_of(LlmOptions)
def llm_gp(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    service: str | ServiceClient | None = None,
    llm_first: Annotated[int, Field(ge=0)] = _LLM_FIRST,
    llm_every: Annotated[int, Field(ge=1)] = _LLM_EVERY,
    **options: Any,
) -> Hybrid:
    """The LLM and a Gaussian process (modelling from 3 results on); arguments as in `llm_tpe`."""
    turns = {"llm_first": llm_first, "llm_every": llm_every}
    return _hybrid("llm+gp", _gp, space, study, context, service, turns, options)


def _tpe(space: SearchSpace, study: StudySettings, ranker: Ranker) -> OptunaSearcher:
    if isinstance(ranker, TransferSurrogate):
        return tpe_ranked(space, study, score=ranker)
    return tpe_few(space, study)


def _gp(space: SearchSpace, study: StudySettings, _: Ranker) -> OptunaSearcher:
    return gp(space, study, startup_trials=3)


def _hybrid(
    name: str,
    optuna: Callable[[SearchSpace, StudySettings, Ranker], OptunaSearcher],
    space: SearchSpace,
    study: StudySettings,
    context: StudyContext | None,
    service: str | ServiceClient | None,
    turns: dict[str, int],
    options: dict[str, Any],
) -> Hybrid:
    checked = llm_options(name, options, *turns)
    client = service_client(name, service, checked.timeout_s)
    ranker = ranker_for(space, context or StudyContext(), checked, study.mode)
    own = member_settings(study)
    llm = HpoLlama(space, own, client=client, context=context, options=checked, ranker=ranker, asks_ahead=False)
    return Hybrid(space, study, llm=llm, optuna=optuna(space, own, ranker), name=name, **turns)
