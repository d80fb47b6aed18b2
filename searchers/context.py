"""What a study tells its searchers: its settings, and what it is about; nothing of vision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, field_validator

from autommlab.common.errors import SearcherError
from searchers.space import Configuration

#: A fact's value. Names of things are compared for equality, numbers by their ratio.
Fact = str | int | float


@dataclass(frozen=True)
class StudySettings:
    """What every searcher of a study is told.

    Attributes:
        metric: key of the objective in a result; None lets Tune give it later.
        mode: "max" or "min".
        seed: whole number from which all randomness comes.
        first_configs: complete configurations inside the space, tried in this order before anything else.
        worst_score: what a failed trial counts as, unless a trial did worse; None: always worse than every score of the
            study, see `TrackingSearcher`.

    Raises:
        SearcherError: `mode` is neither "max" nor "min", or `worst_score` is not finite.
    """

    metric: str | None = None
    mode: str = "max"
    seed: int = 0
    first_configs: Sequence[Configuration] = ()
    worst_score: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("max", "min"):
            raise SearcherError(f"mode must be 'max' or 'min', got {self.mode!r}")
        if self.worst_score is not None and not math.isfinite(self.worst_score):
            raise SearcherError(f"worst_score must be a finite number, got {self.worst_score!r}")


class StudyContext(BaseModel):
    """Short names to plain values, in the order of importance: a prompt that is too long drops the last ones.

    Attributes:
        facts: e.g. {"task": "detection", "dataset": "helmets", "classes": 2, "train images": 640}.
        default: the default configuration, for those that search around it; it need not be tried itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: dict[str, Fact] = {}
    default: Configuration | None = None

    @field_validator("facts")
    @classmethod
    def _finite(cls, facts: dict[str, Fact]) -> dict[str, Fact]:
        for name, value in facts.items():
            if not name.strip():
                raise ValueError("a fact needs a name")
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} must be finite, got {value}")
        return facts


def context_distance(one: Mapping[str, Fact], other: Mapping[str, Fact]) -> float:
    """How unlike two contexts are: 0 = equal, 1 = nothing in common.

    The mean over all facts that either has. Names differ or not (1 or 0); numbers differ by the
    logarithm of their ratio, a factor of 1000 counting as 1; a fact that one lacks counts as 1.
    """
    names = [*one, *(name for name in other if name not in one)]
    if not names:
        return 0.0
    return sum(_gap(one.get(name), other.get(name)) for name in names) / len(names)


def _gap(one: Fact | None, other: Fact | None) -> float:
    if isinstance(one, int | float) and isinstance(other, int | float):
        if one == other:
            return 0.0
        if one <= 0 or other <= 0:
            return 1.0
        return min(1.0, abs(math.log(one) - math.log(other)) / math.log(1000))
    return 0.0 if one == other else 1.0
