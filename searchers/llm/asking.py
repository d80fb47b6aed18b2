"""From a question to new configurations: one batch of samples a call, a few retries, never an exception.

A service that is down is not waited for at every proposal (`Breaker`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from autommlab.common.llm_usage import LlmUsage
from searchers.candidates import Candidate, Ranker, new_ones
from searchers.context import StudyContext
from searchers.llm.answer_schema import AnswerError, longest_answer, parse_proposal, proposal_schema
from searchers.settings import ADAPTER, LlmOptions
from searchers.space import Configuration, SearchSpace
from serve.client import Answer, Generation, Sampling, ServiceClient
from serve.errors import ServiceError, ServiceNonsense, ServiceRefused, ServiceTimeout, ServiceUnreachable

logger = logging.getLogger(__name__)

#: Tokens beyond the longest answer, for white space between its parts.
_SPARE_TOKENS = 16
#: The first words of a failure are those by which a study counts its fallbacks.
_KINDS: dict[type[ServiceError], str] = {
    ServiceUnreachable: "service not reachable",
    ServiceTimeout: "service too slow",
    ServiceRefused: "service refused",
    ServiceNonsense: "service talks nonsense",
}


@dataclass(frozen=True)
class Request:
    """One question, all of it: asked again, it gets the same answer. Plain JSON values.

    Attributes:
        number: 0-based in the study; the seeds of its calls come from it.
        messages: the prompt.
        tried: how many trials the ledger held; candidates near these are dropped.
        known: how many of them had a result.
        samples: candidates to draw.
    """

    number: int
    messages: list[dict[str, str]]
    tried: int
    known: int
    samples: int

    def prompt_hash(self) -> str:
        """Digest of the messages."""
        return hashlib.sha256(json.dumps(self.messages).encode()).hexdigest()[:16]


@dataclass
class Reply:
    """What came of a request.

    Attributes:
        candidates: new configurations, the best first; those that are used up are taken out.
        failure: why there are none, "kind" or "kind: more".
        near: they may be close to a trial, because nothing farther off came.
        model: the adapter or base model that answered last.
        usage: of all its calls.
    """

    candidates: list[Candidate] = field(default_factory=list)
    failure: str = ""
    near: bool = False
    model: str = ""
    usage: LlmUsage = field(default_factory=LlmUsage)


class Asker:
    """Asks the service; used by one request at a time, in whatever thread.

    Args:
        client: connection to the service.
        space: what an answer may say.
        context: its facts choose the adapter unless the options name one.
        options: samples, patience and retries.
        seed: of the study.
        ranker: puts candidates into order.
    """

    def __init__(
        self,
        client: ServiceClient,
        space: SearchSpace,
        context: StudyContext,
        options: LlmOptions,
        *,
        seed: int,
        ranker: Ranker,
    ) -> None:
        self._client, self._space, self._context, self._options = client, space, context, options
        self._seed, self._ranker = seed, ranker
        self._schema = proposal_schema(space)
        self._max_tokens = longest_answer(space) + _SPARE_TOKENS
        self._breaker = Breaker(f"LLM service {client.url}", options.probe_every_s)
        self._model = options.adapter or ""

    def ask(self, request: Request, tried: Sequence[Configuration]) -> Reply:
        """New configurations for `request`, or the reason why there are none; takes at most `patience_s`."""
        reply = Reply()
        try:
            self._ask(request, tried, reply)
        except Exception as error:  # an exception here would end the whole study
            logger.exception("asking the LLM failed unexpectedly")
            reply.failure = f"{type(error).__name__}: {error}"
        return reply

    def _ask(self, request: Request, tried: Sequence[Configuration], reply: Reply) -> None:
        deadline = time.monotonic() + self._options.patience_s
        if self._breaker.is_open and not self._breaker.may_probe():
            reply.failure = self._breaker.reason
            return
        answered = False
        for attempt, temperature in enumerate(self._options.temperatures):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                reply.failure = reply.failure or f"service too slow: no answer within {self._options.patience_s:g} s"
                break
            last = attempt == len(self._options.temperatures) - 1
            try:
                reply.model = self._chosen_model()
                answer = self._call(request, attempt, temperature, left_s, reply)
            except ServiceError as error:
                reply.failure = f"{_KINDS.get(type(error), 'service failed')}: {error}"[:300]
                if isinstance(error, ServiceUnreachable | ServiceTimeout) or self._breaker.is_open:
                    break
                continue
            answered, reply.near = True, last
            reply.candidates, reply.failure = self._usable(answer, tried, near_allowed=last)
            if reply.candidates:
                break
        if answered:
            self._breaker.worked()
        else:
            self._breaker.failed(reply.failure)

    def _call(self, request: Request, attempt: int, temperature: float, left_s: float, reply: Reply) -> Answer:
        started = time.monotonic()
        try:
            answer = self._client.chat(
                request.messages,
                model=reply.model,
                schema=self._schema,
                sampling=Sampling(
                    samples=request.samples,
                    temperature=temperature,
                    seed=_seed(self._seed, request.number, attempt),
                    max_tokens=self._max_tokens,
                ),
                timeout_s=min(left_s, self._options.timeout_s),
            )
        except ServiceError:
            reply.usage = reply.usage.plus(LlmUsage(calls=1, seconds=time.monotonic() - started))
            raise
        told = {"prompt_tokens": answer.prompt_tokens, "tokens": answer.tokens, "seconds": answer.seconds}
        reply.usage = reply.usage.plus(LlmUsage(calls=1, **told))
        return answer

    def _chosen_model(self) -> str:
        """The adapter to ask for. Also the probe of a service that was down: it costs no generation."""
        if self._model and not self._breaker.is_open:
            return self._model
        patience_s = self._options.probe_timeout_s if self._breaker.is_open else self._options.timeout_s
        served = self._client.models(timeout_s=patience_s)
        if not self._model:
            if not served:
                raise ServiceNonsense(f"{self._client.url} serves no model")
            wanted = [f"{ADAPTER}-{fact}" for fact in self._context.facts.values() if isinstance(fact, str)]
            self._model = next((name for name in [*wanted, ADAPTER] if name in served), served[0])
        return self._model

    def _usable(
        self, answer: Answer, tried: Sequence[Configuration], *, near_allowed: bool
    ) -> tuple[list[Candidate], str]:
        """New candidates in order, or why there are none."""
        read, problems = [], []
        for sample in answer.samples:
            try:
                read.append(Candidate(parse_proposal(self._space, sample.text), sample.logprob))
            except AnswerError as error:
                problems.append(_cut_off(sample) or str(error))
        ranked = self._ranker(read, self._space)
        fresh = new_ones(ranked, self._space, tried, near_allowed=near_allowed)
        if fresh:
            return fresh, ""
        if not read:
            return [], f"no usable answer: {problems[0]}"[:300]
        return [], "no new configuration among the answers"


def _cut_off(sample: Generation) -> str:
    return "" if sample.complete else f"cut off after {sample.tokens} tokens: {sample.text[:60]!r}"


def _seed(study: int, request: int, attempt: int) -> int:
    """31 bits, which every server takes; room above for the seeds of the samples."""
    digest = hashlib.sha256(f"{study}/{request}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


class Breaker:
    """Closed while the service works; open after a failure, with a try now and then.

    Args:
        what: how the service is called in messages.
        probe_every_s: seconds between two tries while it is open.
    """

    def __init__(self, what: str, probe_every_s: float) -> None:
        self._what = what
        self._probe_every_s = probe_every_s
        self._tried_at = 0.0
        self.reason = ""

    @property
    def is_open(self) -> bool:
        """Whether the service counts as down."""
        return bool(self.reason)

    def may_probe(self) -> bool:
        """Whether it is time to try a service that is down."""
        return time.monotonic() - self._tried_at >= self._probe_every_s

    def failed(self, reason: str) -> None:
        """It did not work, a probe included."""
        if not self.reason:
            message = "%s does not work: %s. Proposals come from elsewhere until it is back; it is tried every %g s"
            logger.warning(message, self._what, reason, self._probe_every_s)
        self.reason = reason
        self._tried_at = time.monotonic()

    def worked(self) -> None:
        """It answered."""
        if self.reason:
            logger.warning("%s is back", self._what)
        self.reason = ""
