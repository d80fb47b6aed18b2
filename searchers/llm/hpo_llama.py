"""HPO-LLaMA: a language model proposes (arXiv 2402.15351), served by `serve`, asked through its client.

Who is asked when, so that no slot waits longer than it must and every proposal is a function of
the order of events alone, never of who was faster:

- No other trial runs: all results are in, so the model is asked with the full history.
- Others run: a background thread asks for the next batch of candidates while the last one is used
  up, one proposal after the other. The new batch takes over when every other slot has been filled
  anew: about a trial's time after it was asked for. A candidate may thus not know the results of
  the last two rounds; with the option `fresh` it knows all that were there at the last proposal,
  and slots wait for it.
- Only a study that has had two trials at once is asked ahead for.

A saved state holds the open request, so that a restored searcher asks the same again.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from searchers.candidates import Candidate, Ranker, new_ones
from searchers.context import StudyContext
from searchers.distance import is_near
from searchers.errors import SearcherError
from searchers.llm.answer_schema import grid_size, snap
from searchers.llm.ask_ahead import AskAhead
from searchers.llm.asking import Asker, Cost, Reply, Request
from searchers.llm.prompt import PromptLimits, Round, proposal_messages
from searchers.settings import LlmOptions, llm_options
from searchers.space import Point, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.transfer_surrogate import ranker_for
from searchers.transfer.trial_history import experience_file, load_experience
from searchers.transfer.zero_shot import prior_points
from serve.client import ServiceClient
from serve.settings import KEY_VARIABLE, URL_VARIABLE

logger = logging.getLogger(__name__)

_DRAWS = 100


class HpoLlama(TrackingSearcher):
    """Proposals of the model; of the prior or at random where it has none, and then it says so.

    Args:
        space: what may be proposed.
        client: connection to the service.
        context: what the study is about.
        options: samples and which of them is tried first, patience, retries, length of the prompt.
        ranker: puts candidates in order; None = the one that the options ask for.
        asks_ahead: False if somebody else calls `prepare` before this one's turn.
        settings: see `TrackingSearcher`.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        client: ServiceClient,
        context: StudyContext | None = None,
        options: LlmOptions | None = None,
        ranker: Ranker | None = None,
        asks_ahead: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(space, **{"name": "hpo-llama", **settings})
        self._context, self._options = context or StudyContext(), options or LlmOptions()
        self._limits = PromptLimits(self._options.prompt_chars, self._options.history_best, self._options.history_last)
        ranker = ranker or ranker_for(space, self._context, self._options, str(self._mode))
        self._asker = Asker(client, space, self._context, self._options, seed=self.seed, ranker=ranker)
        self._asks_ahead = asks_ahead
        file = experience_file(self._options.experience)
        self._prior = prior_points(space, self._context, load_experience(file), mode=str(self._mode)) if file else []
        self._grid_size = grid_size(space)
        self._asked = 0
        self._known_at_last = 0
        self._slots = 1
        self._at_hand: tuple[Request, Reply] | None = None
        self._ahead: AskAhead | None = None
        self._cost = Cost()
        self._why: dict[str, Any] = {}
        self._told = ""

    def _propose(self, trial_id: str) -> tuple[Point, str]:
        if self._grid_used_up():
            return self._fallback(trial_id, "every point that the model can name has been tried")
        request, reply, chosen = self._choose()
        self._why = {
            "prompt_hash": request.prompt_hash(), "adapter": reply.model, "request": request.number,
            "history": request.known, **asdict(reply.cost),
        }  # fmt: skip
        reply.cost = Cost()  # told with the first trial that came of the request
        if chosen is None:
            return self._fallback(trial_id, reply.failure or "no new point among the answers")
        self._why |= {"logprob": chosen.logprob, "expected": chosen.expected}
        return chosen.point, self.name

    def _choose(self) -> tuple[Request, Reply, Candidate | None]:
        """A candidate of a reply that is recent enough, else of a new one; see the module's docstring."""
        required = self._required()
        ahead, at_hand = self._ahead, self._at_hand
        usable = at_hand is not None and at_hand[0].known >= required and not self._takes_over(ahead)
        if at_hand is not None and usable and (found := self._candidate_of(at_hand[1])):
            return *at_hand, found
        self._ahead = None
        if ahead is not None and ahead.request.known >= required:
            reply = ahead.reply(self._options.patience_s)
            self._at_hand = ahead.request, reply
            self._count(reply)
            found = self._candidate_of(reply)
            if found or reply.failure:  # after a failure nobody waits a second time
                return ahead.request, reply, found
        elif ahead is not None:
            self._count(ahead.finished())
        request = self._request()
        reply = self._asker.ask(request, self._tried())
        self._at_hand = request, reply
        self._count(reply)
        return request, reply, self._candidate_of(reply)

    def _required(self) -> int:
        """Results that a reply must have known to be recent enough."""
        if not self._pending():
            return self._known()
        return self._known_at_last if self._options.fresh else self._known() - 2 * self._slots + 1

    def _takes_over(self, ahead: AskAhead | None) -> bool:
        """Whether a request was made so long ago that its answer is there and better than the one at hand."""
        return (
            ahead is not None
            and not self._options.fresh
            and len(self._attempts) - ahead.request.tried >= self._slots - 1
        )

    def _candidate_of(self, reply: Reply) -> Candidate | None:
        """The best one that is still new; it and those before it are used up."""
        tried = self._tried()
        while reply.candidates:
            candidate = reply.candidates.pop(0)
            if new_ones([candidate], self.space, tried, near_allowed=reply.near):
                return candidate
        return None

    def prepare(self) -> None:
        """Ask in the background, if trials run side by side and the reply at hand will not do much longer."""
        if self._slots == 1 or self._grid_used_up() or self._lasts():
            return
        if self._ahead is not None:
            newer = self._known() - self._ahead.request.known
            if newer < (1 if self._options.fresh else self._slots):
                return
            self._count(self._ahead.finished())
        request = self._request()
        self._ahead = AskAhead(request, partial(self._asker.ask, request, self._tried())).start()

    def _lasts(self) -> bool:
        """Whether the reply at hand serves some more proposals."""
        if self._at_hand is None:
            return False
        request, reply = self._at_hand
        if self._options.fresh:
            return request.known >= self._known() and bool(reply.candidates)
        return self._known() - request.known < self._slots and len(reply.candidates) > self._slots // 2

    def _entered(self, trial_id: str) -> None:
        self._slots = max(self._slots, self._pending())
        self._known_at_last = self._known()
        if self._asks_ahead and len(self._attempts) >= len(self._first_points):
            self.prepare()

    def _request(self) -> Request:
        history = [
            Round(a.point, None if a.failed else a.score, a.reason if a.failed else "") for a in self._attempts.values()
        ]
        messages = proposal_messages(self._context, self.space, history, mode=str(self._mode), limits=self._limits)
        samples = max(self._options.samples, self._slots + self._slots // 2)
        request = Request(self._asked, messages, len(self._attempts), self._known(), samples)
        self._asked += 1
        return request

    def _fallback(self, trial_id: str, reason: str) -> tuple[Point, str]:
        point, source = self._substitute()
        self._why = {**self._why, "fallback": reason, "source": source}
        message = "%s has no proposal for trial %s (%s); a point of %s takes its place"
        level = logging.INFO if reason == self._told else logging.WARNING
        logger.log(level, message, self.name, trial_id, reason, source)
        self._told = reason
        return point, f"{self.name}:fallback"

    def _substitute(self) -> tuple[Point, str]:
        """The prior's next point, else a random one; new if the space still holds a new one."""
        tried = self._tried()
        for point in self._prior:
            if not is_near(self.space, point, tried):
                return dict(point), "prior"
        rng = random.Random(f"{self.seed}/fallback/{len(tried)}")
        drawn = [self.space.sample(rng) for _ in range(_DRAWS)]
        far = (point for point in drawn if not is_near(self.space, point, tried))
        return next(far, next((point for point in drawn if point not in tried), drawn[0])), "random"

    def _tried(self) -> list[Point]:
        return [attempt.point for attempt in self._attempts.values()]

    def _known(self) -> int:
        return sum(attempt.score is not None for attempt in self._attempts.values())

    def _pending(self) -> int:
        return len(self._attempts) - self._known()

    def _grid_used_up(self) -> bool:
        if len(self._attempts) < self._grid_size:
            return False
        named = {repr(snap(self.space, attempt.point)) for attempt in self._attempts.values()}
        return len(named) >= self._grid_size

    def _count(self, reply: Reply | None) -> None:
        if reply is not None:
            self._cost.add(reply.cost)

    def _explain(self) -> dict[str, Any]:
        why, self._why = self._why, {}
        return why

    def usage(self) -> dict[str, Any]:
        """Also "llm": calls, prompt_tokens, tokens, seconds, answers that nobody used included."""
        return {**super().usage(), "llm": asdict(self._cost)}

    def get_state(self) -> dict[str, Any]:
        """The ledger, the candidates at hand and the open request."""
        at_hand = None
        if self._at_hand is not None:
            request, reply = self._at_hand
            at_hand = {"request": asdict(request), "reply": asdict(reply)}
        return {
            **super().get_state(),
            "asked": self._asked,
            "known_at_last": self._known_at_last,
            "slots": self._slots,
            "at_hand": at_hand,
            "ahead": asdict(self._ahead.request) if self._ahead is not None else None,
            "cost": asdict(self._cost),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """See `BaseSearcher.set_state`."""
        super().set_state(state)
        self._asked, self._known_at_last = state["asked"], state["known_at_last"]
        self._slots, self._cost = state["slots"], Cost(**state["cost"])
        self._at_hand = self._ahead = None
        if state["at_hand"] is not None:
            saved = dict(state["at_hand"]["reply"])
            saved["candidates"] = [Candidate(**candidate) for candidate in saved["candidates"]]
            saved["cost"] = Cost(**saved["cost"])
            self._at_hand = Request(**state["at_hand"]["request"]), Reply(**saved)
        if state["ahead"] is not None:
            request = Request(**state["ahead"])
            self._ahead = AskAhead(request, partial(self._asker.ask, request, self._tried()[: request.tried]))

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`; the service's address may change between two sessions."""
        options = self._options.model_dump(mode="json", exclude={"experience"})
        return {**super().settings(), "context": self._context.facts, "options": options, "prior": self._prior}


def has_service(service: str | ServiceClient | None) -> bool:
    """Whether `service_client` finds one."""
    return bool(service or os.environ.get(URL_VARIABLE))


def service_client(name: str, service: str | ServiceClient | None, timeout_s: float) -> ServiceClient:
    """The connection to use.

    Raises:
        SearcherError: none was given and the environment names none.
    """
    if isinstance(service, ServiceClient):
        return service
    url = service or os.environ.get(URL_VARIABLE)
    if not url:
        raise SearcherError(
            f"the searcher {name!r} asks an LLM service and was given none: start one with `autommlab serve up`, "
            f"or name one by service=URL or the environment variable {URL_VARIABLE}"
        )
    return ServiceClient(url, api_key=os.environ.get(KEY_VARIABLE), timeout_s=timeout_s)


def hpo_llama(
    space: SearchSpace,
    *,
    metric: str | None = None,
    mode: str = "max",
    seed: int,
    first_points: Sequence[Point] = (),
    context: StudyContext | None = None,
    service: str | ServiceClient | None = None,
    **options: Any,
) -> HpoLlama:
    """`HpoLlama` by name.

    Args:
        space, metric, mode, seed, first_points: see `TrackingSearcher`.
        context: what the study is about.
        service: address of the LLM service, or a client; None = AUTOMMLAB_LLM_URL.
        **options: see `LlmOptions`.

    Raises:
        SearcherError: no service, or an option that is unknown or not allowed.
    """
    checked = llm_options("hpo-llama", options)
    client = service_client("hpo-llama", service, checked.timeout_s)
    return HpoLlama(
        space, metric=metric, mode=mode, seed=seed, first_points=first_points,
        client=client, context=context, options=checked,
    )  # fmt: skip
