"""HPO-LLaMA: a language model proposes (arXiv 2402.15351), served by `serve`, asked through its client."""

from __future__ import annotations

import logging
import os
import random
from typing import Any

from autommlab.common.errors import SearcherError
from autommlab.common.llm_usage import LlmUsage
from searchers.candidates import Ranker
from searchers.context import StudyContext, StudySettings
from searchers.distance import is_near
from searchers.llm.answer_schema import grid_size, snap
from searchers.llm.asking import Asker, Reply, Request
from searchers.llm.prompt import PromptLimits, Round, proposal_messages
from searchers.llm.proposal_buffer import Progress, ProposalBuffer
from searchers.options import takes_options_of
from searchers.settings import LlmOptions, llm_options
from searchers.space import Configuration, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.transfer_surrogate import ranker_for
from searchers.transfer.trial_history import history_file, load_history, why_not_applied
from searchers.transfer.zero_shot import zero_shot_configs
from serve.client import ServiceClient, known_key
from serve.errors import ServiceSettingsError
from serve.settings import URL_VARIABLE

logger = logging.getLogger(__name__)

_DRAWS = 100


class HpoLlama(TrackingSearcher):
    """Proposals of the model; of the zero-shot portfolio or at random where it has none, and then it says so.

    Args:
        space, study: see `TrackingSearcher`.
        client: connection to the service.
        context: what the study is about.
        options: samples and which of them is tried first, patience, retries, length of the prompt.
        ranker: puts candidates in order; None = the one that the options ask for.
        asks_ahead: False if somebody else calls `prepare` before this one's turn.
        name: see `BaseSearcher`.
    """

    def __init__(
        self,
        space: SearchSpace,
        study: StudySettings,
        *,
        client: ServiceClient,
        context: StudyContext | None = None,
        options: LlmOptions | None = None,
        ranker: Ranker | None = None,
        asks_ahead: bool = True,
        name: str = "hpo-llama",
    ) -> None:
        super().__init__(space, study, name=name)
        self._context, self._options = context or StudyContext(), options or LlmOptions()
        self._limits = PromptLimits(self._options.prompt_chars, self._options.history_best, self._options.history_last)
        ranker = ranker or ranker_for(space, self._context, self._options, study.mode)
        asker = Asker(client, space, self._context, self._options, seed=self.seed, ranker=ranker)
        self._buffer = ProposalBuffer(asker, space, self._options, self._messages)
        if self._options.rank_by == "past trials":
            missing = why_not_applied(self._options.trial_history, space, self._context, study.mode)
            self.without_past_trials(missing, "the model's likeliest candidate is tried first")
        self._asks_ahead = asks_ahead
        file = history_file(self._options.trial_history)
        self._zero_shot = zero_shot_configs(space, self._context, load_history(file), mode=study.mode) if file else []
        self._grid_size = grid_size(space)
        self._why: dict[str, Any] = {}
        self._told = ""

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        if self._grid_used_up():
            return self._fallback(trial_id, "every configuration that the model can name has been tried")
        request, reply, chosen = self._buffer.next(self._progress())
        self._why = self._account(request, reply)
        if chosen is None:
            return self._fallback(trial_id, reply.failure or "no new configuration among the answers")
        self._why |= {"logprob": chosen.logprob, "expected": chosen.expected}
        return chosen.config, self.name

    @staticmethod
    def _account(request: Request, reply: Reply) -> dict[str, Any]:
        """What was asked and what it cost; the cost is told with the first trial that came of the request."""
        usage, reply.usage = reply.usage, LlmUsage()
        return {
            "prompt_hash": request.prompt_hash(), "adapter": reply.model, "request": request.number,
            "history": request.known, **usage.model_dump(),
        }  # fmt: skip

    def prepare(self) -> None:
        """See `ProposalBuffer.prepare`."""
        if not self._grid_used_up():
            self._buffer.prepare(self._progress())

    def _entered(self, trial_id: str) -> None:
        self._buffer.entered(self._progress())
        if self._asks_ahead and len(self._attempts) >= len(self._first_configs):
            self.prepare()

    def _messages(self) -> list[dict[str, str]]:
        history = [
            Round(a.config, None if a.failed else a.score, a.reason if a.failed else "")
            for a in self._attempts.values()
        ]
        return proposal_messages(self._context, self.space, history, mode=str(self._mode), limits=self._limits)

    def _fallback(self, trial_id: str, reason: str) -> tuple[Configuration, str]:
        config, source = self._substitute()
        self._why = {**self._why, "fallback": reason, "source": source}
        message = "%s has no proposal for trial %s (%s); a configuration of %s takes its place"
        level = logging.INFO if reason == self._told else logging.WARNING
        logger.log(level, message, self.name, trial_id, reason, source)
        self._told = reason
        return config, f"{self.name}:fallback"

    def _substitute(self) -> tuple[Configuration, str]:
        """The zero-shot portfolio's next configuration, else a random one; new if the space still holds a new one."""
        tried = self._tried()
        for config in self._zero_shot:
            if not is_near(self.space, config, tried):
                return dict(config), "zero-shot"
        rng = random.Random(f"{self.seed}/fallback/{len(tried)}")  # noqa: S311 - draws configurations, not secrets
        drawn = [self.space.sample(rng) for _ in range(_DRAWS)]
        far = (config for config in drawn if not is_near(self.space, config, tried))
        return next(far, next((config for config in drawn if config not in tried), drawn[0])), "random"

    def _tried(self) -> list[Configuration]:
        return [attempt.config for attempt in self._attempts.values()]

    def _progress(self) -> Progress:
        return Progress(self._tried(), sum(attempt.score is not None for attempt in self._attempts.values()))

    def _grid_used_up(self) -> bool:
        if len(self._attempts) < self._grid_size:
            return False
        return len({repr(snap(self.space, config)) for config in self._tried()}) >= self._grid_size

    def _explain(self) -> dict[str, Any]:
        why, self._why = self._why, {}
        return why

    def usage(self) -> dict[str, Any]:
        """Also "llm": see `LlmUsage`, answers included that nobody used."""
        return {**super().usage(), "llm": self._buffer.usage.model_dump()}

    def get_state(self) -> dict[str, Any]:
        """The ledger, the candidates at hand and the open request."""
        return {**super().get_state(), "buffer": self._buffer.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `BaseSearcher.set_state`."""
        super().set_state(state)
        self._buffer.set_state(state["buffer"], self._tried())

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`; the service's address may change between two sessions."""
        options = self._options.model_dump(mode="json", exclude={"trial_history"})
        return {**super().settings(), "context": self._context.facts, "options": options, "zero_shot": self._zero_shot}


def has_service(service: str | ServiceClient | None) -> bool:
    """Whether `service_client` finds one."""
    return bool(service or os.environ.get(URL_VARIABLE))


def service_client(name: str, service: str | ServiceClient | None, timeout_s: float) -> ServiceClient:
    """The connection to use.

    Raises:
        SearcherError: none was given and the environment names none, or its address cannot be used.
    """
    if isinstance(service, ServiceClient):
        return service
    url = service or os.environ.get(URL_VARIABLE)
    if not url:
        raise SearcherError(
            f"the searcher {name!r} asks an LLM service and was given none: start one with `autommlab serve up`, "
            f"or name one by service=URL or the environment variable {URL_VARIABLE}"
        )
    try:
        return ServiceClient(url, api_key=known_key(url), timeout_s=timeout_s)
    except ServiceSettingsError as error:
        raise SearcherError(f"the searcher {name!r} cannot ask the LLM service: {error}") from error


@takes_options_of(LlmOptions)
def hpo_llama(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    service: str | ServiceClient | None = None,
    **options: Any,
) -> HpoLlama:
    """`HpoLlama` by name.

    Args:
        space, study: see `TrackingSearcher`.
        context: what the study is about.
        service: address of the LLM service, or a client; None = AUTOMMLAB_LLM_URL.
        **options: see `LlmOptions`.

    Raises:
        SearcherError: no service, or an option that is unknown or not allowed.
    """
    checked = llm_options("hpo-llama", options)
    client = service_client("hpo-llama", service, checked.timeout_s)
    return HpoLlama(space, study, client=client, context=context, options=checked)
