"""Injects faults between `Understander` and an LLM: answers that are wrong in a known way. Understands nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serve.client import Answer, Sample, Sampling


class FaultyLLM:
    """In the place of `ServiceClient`: gives the listed texts (or raises the listed errors), one a call.

    Args:
        *faults: an answer's text; None = cut off in the middle; an exception = raised.
        models: what is served.
    """

    def __init__(self, *faults: str | Exception | None, models: tuple[str, ...] = ("base", "ru")) -> None:
        self.faults = list(faults)
        self.served = models
        self.asked: list[list[Mapping[str, str]]] = []

    def models(self, *, timeout_s: float | None = None) -> tuple[str, ...]:
        return self.served

    def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        model: str,
        schema: dict[str, Any],
        sampling: Sampling,
        timeout_s: float,
    ) -> Answer:
        self.asked.append(list(messages))
        fault = self.faults.pop(0)
        if isinstance(fault, Exception):
            raise fault
        sample = Sample(text=fault or '{"task":', logprob=None, tokens=7, complete=fault is not None)
        return Answer((sample,), model, prompt_tokens=100, seconds=0.5)
