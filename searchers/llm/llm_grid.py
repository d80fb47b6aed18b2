"""The LLM's candidates and those of `surrogate-grid` under one acquisition, so that the LLM can only add."""

from __future__ import annotations

from typing import Any

from searchers.candidates import Candidate
from searchers.context import StudyContext, StudySettings
from searchers.llm.hpo_llama import HpoLlama, service_client
from searchers.options import takes_options_of
from searchers.settings import LlmOptions, llm_options
from searchers.space import Configuration, SearchSpace
from searchers.transfer.prospects import Prospect, Prospects, neighbour_draws
from searchers.transfer.transfer_surrogate import TransferSurrogate, ranker_for
from serve.client import ServiceClient

_NAME = "llm+grid"
#: What the model's candidates are called among their rivals.
_OWN = "llm"


class LlmGrid(HpoLlama):
    """`HpoLlama` that takes one of its candidates only where it promises more than their rivals.

    Until there is a result the model is not asked: by past trials alone its candidates look better than they are
    (on the development tasks a first trial among all reaches 0.839 instead of 0.866, see `docs/results.md`).

    Args:
        space, study: see `TrackingSearcher`.
        prospects: makes the rivals, and chooses among all; None = there are no earlier studies, `HpoLlama` alone.
        **settings: see `HpoLlama`.
    """

    def __init__(
        self, space: SearchSpace, study: StudySettings, *, prospects: Prospects | None, **settings: Any
    ) -> None:
        super().__init__(space, study, name=_NAME, **settings)
        self._prospects = prospects

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        if self._prospects is None:
            return super()._propose(trial_id)
        candidates: list[Candidate] = []
        if self._progress().known and not self._grid_used_up():
            request, reply, first = self._buffer.next(self._progress())
            self._why = self._account(request, reply)
            candidates = [first, *reply.candidates] if first else []
            if not candidates:
                self._why["fallback"] = reply.failure or "no new configuration among the answers"
        rng = neighbour_draws(self.seed, len(self._attempts))
        more = [candidate.config for candidate in candidates]
        found = self._prospects.best(self._attempts.values(), rng, more, _OWN)
        if found is None:
            return self._fallback(trial_id, "every configuration at hand has been tried")
        if candidates:  # those that are not taken stay at hand
            reply.candidates = [candidate for candidate in candidates if candidate.config != found.config]
        return self._taken(found, candidates)

    def _taken(self, found: Prospect, candidates: list[Candidate]) -> tuple[Configuration, str]:
        self._why |= {"value": found.value}
        own = next((candidate for candidate in candidates if candidate.config == found.config), None)
        if own is None or found.source != _OWN:
            return found.config, f"{_NAME}:{found.source}"
        self._why |= {"logprob": own.logprob, "expected": own.expected}
        return found.config, _NAME

    def prepare(self) -> None:
        """See `ProposalBuffer.prepare`; before there is a result nobody is asked."""
        if self._prospects is None or self._progress().known:
            super().prepare()


@takes_options_of(LlmOptions)
def llm_grid(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    service: str | ServiceClient | None = None,
    **options: Any,
) -> LlmGrid:
    """`LlmGrid` by name.

    Args:
        space, study, service, **options: see `hpo_llama`.
        context: what the study is about; without a default configuration in it there is no grid.

    Raises:
        SearcherError: no service, or an option that is unknown or not allowed.
    """
    checked, known = llm_options(_NAME, options), context or StudyContext()
    client = service_client(_NAME, service, checked.timeout_s)
    ranker = ranker_for(space, known, checked, study.mode)
    rivals = Prospects(space, ranker, study.mode, known.default) if isinstance(ranker, TransferSurrogate) else None
    return LlmGrid(space, study, prospects=rivals, client=client, context=known, options=checked, ranker=ranker)
