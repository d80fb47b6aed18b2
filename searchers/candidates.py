"""Candidates of one call: which are new, and which of them is tried first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from searchers.distance import is_near
from searchers.space import Configuration, SearchSpace


@dataclass(frozen=True)
class Candidate:
    """A configuration that the model gave.

    Attributes:
        config: inside the space.
        logprob: log-likelihood of its text under the model in nats; None if the service tells none.
        expected: normalised score that past trials let one expect, 0 to 1; None if nobody asked them.
    """

    config: Configuration
    logprob: float | None = None
    expected: float | None = None


class Ranker(Protocol):
    """Puts candidates into the order in which they are tried: `by_likelihood`, or a `TransferSurrogate`."""

    def __call__(self, candidates: Sequence[Candidate], space: SearchSpace) -> list[Candidate]:
        """All of them, the best first; the same order for the same input."""
        ...


def by_likelihood(candidates: Sequence[Candidate], space: SearchSpace) -> list[Candidate]:
    """The model's own opinion: the likeliest text first, those without a likelihood last.

    Likelihoods are compared in thousandths of a nat, because the last digits depend on what else
    the service had in its batch.
    """

    def rank(candidate: Candidate) -> tuple[bool, float, str]:
        known = candidate.logprob is not None
        return not known, -round(candidate.logprob or 0.0, 3), repr(candidate.config)

    return sorted(candidates, key=rank)


def new_ones(
    candidates: Sequence[Candidate], space: SearchSpace, tried: Sequence[Configuration], *, near_allowed: bool = False
) -> list[Candidate]:
    """Those that are neither in `tried`, nor close to it, nor close to one before them."""
    tolerance = {} if not near_allowed else {"tolerance": 1e-9}
    kept: list[Candidate] = []
    for candidate in candidates:
        if not is_near(space, candidate.config, [*tried, *(other.config for other in kept)], **tolerance):
            kept.append(candidate)
    return kept
