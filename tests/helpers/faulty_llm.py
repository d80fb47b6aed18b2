"""Injects faults between `Understander` and an LLM: answers that are wrong in a known way. Understands nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serve.client import GREEDY, Answer, Generation, Message, Sampling, ServiceClient


class FaultyLLM(ServiceClient):
    """In the place of `ServiceClient`: gives the listed texts (or raises the listed errors), one a call.

    Args:
        *faults: an answer's text; None = cut off in the middle; a tuple of both = several samples of one call;
            an exception = raised.
        models: what is served.
    """

    def __init__(
        self, *faults: str | Exception | tuple[str | None, ...] | None, models: tuple[str, ...] = ("base", "ru")
    ) -> None:
        super().__init__("http://nowhere.invalid")
        self.faults = list(faults)
        self.served = models
        self.asked: list[list[Message]] = []
        self.sampled: list[int] = []

    def models(self, *, timeout_s: float | None = None) -> tuple[str, ...]:
        return self.served

    def chat(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        schema: dict[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        timeout_s: float | None = None,
    ) -> Answer:
        self.asked.append(list(messages))
        self.sampled.append(sampling.samples)
        fault = self.faults.pop(0)
        if isinstance(fault, Exception):
            raise fault
        texts = fault if isinstance(fault, tuple) else (fault,)
        samples = tuple(
            Generation(text=text or '{"task":', logprob=None, tokens=7, complete=text is not None) for text in texts
        )
        return Answer(samples, model, prompt_tokens=100, seconds=0.5)
