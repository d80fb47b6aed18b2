"""The model's candidates at hand, and the request that is answered while trials run.

Who is asked when, so that no worker slot waits longer than it must and every proposal is a function of
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

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

from autommlab.common.llm_usage import LlmUsage
from searchers.candidates import Candidate, new_ones
from searchers.llm.asking import Asker, Reply, Request
from searchers.settings import LlmOptions
from searchers.space import Configuration, SearchSpace


class Progress(NamedTuple):
    """How far the study is: what was tried, and of how many of these trials the result is known."""

    tried: list[Configuration]
    known: int

    @property
    def pending(self) -> int:
        """Trials that run."""
        return len(self.tried) - self.known


class AskAhead:
    """One request and, unless it was unpickled or restored, the thread that waits for its answer.

    The thread is a daemon: a study that ends does not wait for an answer nobody needs. What is
    asked depends on the request alone, so a copy without the thread asks again and gets the same.

    Args:
        request: what is asked.
        ask: answers it; must not raise.
    """

    def __init__(self, request: Request, ask: Callable[[], Reply]) -> None:
        self.request = request
        self._ask = ask
        self._thread: threading.Thread | None = None
        self._replies: list[Reply] = []

    def start(self) -> AskAhead:
        """Begin in the background."""
        self._thread = threading.Thread(target=self._run, name="ask-ahead", daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        self._replies.append(self._ask())

    def reply(self, patience_s: float) -> Reply:
        """The answer, waited for at most `patience_s`, or asked for now if no thread is at it."""
        if self._thread is None:
            return self._ask()
        started = time.monotonic()
        self._thread.join(patience_s)
        if self._replies:
            return self._replies[0]
        return Reply(failure=f"service too slow: no answer after another {time.monotonic() - started:.0f} s")

    def finished(self) -> Reply | None:
        """The answer if it is already there."""
        return self._replies[0] if self._replies else None

    def __getstate__(self) -> dict[str, Any]:
        """Without the thread and what it found."""
        return {**self.__dict__, "_thread": None, "_replies": []}


class ProposalBuffer:
    """Gives one candidate after the other and asks for more in time; see the module's docstring.

    Args:
        asker: asks the service.
        space: of the candidates.
        options: samples, patience, and whether candidates must be fresh.
        messages: makes the prompt for what is known now.

    Attributes:
        usage: what all requests have cost.
    """

    def __init__(
        self, asker: Asker, space: SearchSpace, options: LlmOptions, messages: Callable[[], list[dict[str, str]]]
    ) -> None:
        self._asker, self._space, self._options, self._messages = asker, space, options, messages
        self._asked = 0
        self._known_at_last = 0
        self._slots = 1
        self._at_hand: tuple[Request, Reply] | None = None
        self._ahead: AskAhead | None = None
        self.usage = LlmUsage()

    def next(self, now: Progress) -> tuple[Request, Reply, Candidate | None]:
        """A candidate of a reply that is recent enough, else of a new one; None if there is no new candidate."""
        required = self._required(now)
        ahead, at_hand = self._ahead, self._at_hand
        usable = at_hand is not None and at_hand[0].known >= required and not self._takes_over(ahead, now)
        if at_hand is not None and usable and (found := self._candidate_of(at_hand[1], now)):
            return *at_hand, found
        self._ahead = None
        if ahead is not None and ahead.request.known >= required:
            reply = ahead.reply(self._options.patience_s)
            self._at_hand = ahead.request, reply
            self._count(reply)
            found = self._candidate_of(reply, now)
            if found or reply.failure:  # after a failure nobody waits a second time
                return ahead.request, reply, found
        elif ahead is not None:
            self._count(ahead.finished())
        request = self._request(now)
        reply = self._asker.ask(request, now.tried)
        self._at_hand = request, reply
        self._count(reply)
        return request, reply, self._candidate_of(reply, now)

    def prepare(self, now: Progress) -> None:
        """Ask in the background, if trials run side by side and the reply at hand will not do much longer."""
        if self._slots == 1 or self._lasts(now):
            return
        if self._ahead is not None:
            if now.known - self._ahead.request.known < (1 if self._options.fresh else self._slots):
                return
            self._count(self._ahead.finished())
        request = self._request(now)
        self._ahead = AskAhead(request, partial(self._asker.ask, request, now.tried)).start()

    def entered(self, now: Progress) -> None:
        """A trial has begun."""
        self._slots = max(self._slots, now.pending)
        self._known_at_last = now.known

    def _required(self, now: Progress) -> int:
        """Results that a reply must have known to be recent enough."""
        if not now.pending:
            return now.known
        return self._known_at_last if self._options.fresh else now.known - 2 * self._slots + 1

    def _takes_over(self, ahead: AskAhead | None, now: Progress) -> bool:
        """Whether a request was made so long ago that its answer is there and better than the one at hand."""
        return ahead is not None and not self._options.fresh and len(now.tried) - ahead.request.tried >= self._slots - 1

    def _candidate_of(self, reply: Reply, now: Progress) -> Candidate | None:
        """The best one that is still new; it and those before it are used up."""
        while reply.candidates:
            candidate = reply.candidates.pop(0)
            if new_ones([candidate], self._space, now.tried, near_allowed=reply.near):
                return candidate
        return None

    def _lasts(self, now: Progress) -> bool:
        """Whether the reply at hand serves some more proposals."""
        if self._at_hand is None:
            return False
        request, reply = self._at_hand
        if self._options.fresh:
            return request.known >= now.known and bool(reply.candidates)
        return now.known - request.known < self._slots and len(reply.candidates) > self._slots // 2

    def _request(self, now: Progress) -> Request:
        samples = max(self._options.samples, self._slots + self._slots // 2)
        request = Request(self._asked, self._messages(), len(now.tried), now.known, samples)
        self._asked += 1
        return request

    def _count(self, reply: Reply | None) -> None:
        if reply is not None:
            self.usage = self.usage.plus(reply.usage)

    def get_state(self) -> dict[str, Any]:
        """The candidates at hand, the open request, and what decides the next ones; plain JSON values."""
        at_hand = None
        if self._at_hand is not None:
            request, reply = self._at_hand
            at_hand = {"request": asdict(request), "reply": {**asdict(reply), "usage": reply.usage.model_dump()}}
        return {
            "asked": self._asked,
            "known_at_last": self._known_at_last,
            "slots": self._slots,
            "at_hand": at_hand,
            "ahead": asdict(self._ahead.request) if self._ahead is not None else None,
            "usage": self.usage.model_dump(),
        }

    def set_state(self, state: dict[str, Any], tried: list[Configuration]) -> None:
        """Take over what `get_state` gave.

        Args:
            state: plain values.
            tried: all trials of the study.
        """
        self._asked, self._known_at_last, self._slots = state["asked"], state["known_at_last"], state["slots"]
        self.usage = LlmUsage(**state["usage"])
        self._at_hand = self._ahead = None
        if state["at_hand"] is not None:
            saved = dict(state["at_hand"]["reply"])
            saved["candidates"] = [Candidate(**candidate) for candidate in saved["candidates"]]
            saved["usage"] = LlmUsage(**saved["usage"])
            self._at_hand = Request(**state["at_hand"]["request"]), Reply(**saved)
        if state["ahead"] is not None:
            request = Request(**state["ahead"])
            self._ahead = AskAhead(request, partial(self._asker.ask, request, tried[: request.tried]))
