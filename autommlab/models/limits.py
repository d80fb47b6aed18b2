"""Hard limits on a model's cost, and what a candidate's figures say about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autommlab.models.records import Measured, ModelEntry
from autommlab.settings import Profile
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

Figure = Literal["parameters", "FLOPs", "time"]
_UNITS: dict[Figure, str] = {"parameters": "M parameters", "FLOPs": "GFLOPs", "time": "ms per image"}
#: How far a published figure may lie over a limit and the candidate still be measured: the real model has
#: other classes and another input size. A classifier's head for 1000 classes can be most of it.
_SLACK = 1.25
_SLACK_OF_CLASSIFIER = 3.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most this much of a figure: millions of parameters, GFLOPs or milliseconds an image."""

    figure: Figure
    most: float
    asked_by: str

    def __str__(self) -> str:
        """For instance "parameters under 10 M (the request)"."""
        unit = {"parameters": "M", "FLOPs": "G", "time": "ms per image"}[self.figure]
        return f"{self.figure} under {self.most:.4g} {unit} ({self.asked_by})"


@dataclass(frozen=True, slots=True)
class Figures:
    """A candidate's cost in the units of `Limit`, None where not known."""

    params_m: float | None = None
    flops_g: float | None = None
    ms_per_image: float | None = None

    def of(self, figure: Figure) -> float | None:
        """The value that a limit of this figure bounds."""
        return {"parameters": self.params_m, "FLOPs": self.flops_g, "time": self.ms_per_image}[figure]

    def __str__(self) -> str:
        """All that is known, with units."""
        known = [(self.of(figure), unit) for figure, unit in _UNITS.items()]
        return ", ".join(f"{value:.4g} {unit}" for value, unit in known if value is not None) or "no known figures"


def limits_of_request(request: ModelRequest) -> tuple[Limit, ...]:
    """The limits that a request sets itself."""
    part = request.model
    asked: tuple[tuple[Figure, float | None], ...] = (
        ("parameters", part.parameters.millions()),
        ("FLOPs", part.flops.giga()),
        ("time", part.speed.ms_per_image()),
    )
    return tuple(Limit(figure, most, "the request") for figure, most in asked if most is not None)


def limits_of_profile(profile: Profile) -> tuple[Limit, ...]:
    """The heaviest model that a budget profile considers."""
    by = f"profile {profile.name}"
    return (Limit("parameters", profile.max_params_m, by), Limit("FLOPs", profile.max_flops_g, by))


def published(entry: ModelEntry, input_size: tuple[int, int]) -> Figures:
    """An entry's figures from the table; FLOPs scaled by pixels to `input_size` (width, height).

    The scaling is an estimate for sorting out and ordering; only measured figures decide.
    """
    flops_g = entry.flops_g
    if flops_g is not None and entry.input_size is not None:
        (width, height), (wanted_width, wanted_height) = entry.input_size, input_size
        flops_g *= (wanted_width * wanted_height) / (width * height)
    return Figures(entry.params_m, flops_g)


def measured_figures(measured: Measured) -> Figures:
    """The figures of the real model."""
    return Figures(measured.params_m, measured.flops_g, measured.ms_per_image)


def broken(limits: Sequence[Limit], figures: Figures, slack: float = 1.0) -> list[Limit]:
    """The limits that known figures exceed by more than the factor `slack`."""
    over = []
    for limit in limits:
        value = figures.of(limit.figure)
        if value is not None and value > limit.most * slack:
            over.append(limit)
    return over


def hopeless(limits: Sequence[Limit], entry: ModelEntry, input_size: tuple[int, int]) -> list[Limit]:
    """The limits that an entry exceeds by so much that building it is not worth while."""
    slack = _SLACK_OF_CLASSIFIER if entry.task is Task.CLASSIFICATION else _SLACK
    return broken(limits, published(entry, input_size), slack)


def why_over(limits: Sequence[Limit], figures: Figures, how: str) -> str:
    """A rejection's reason: each value beside the limit it breaks."""
    return "; ".join(f"{how} {figures.of(limit.figure):.4g} {_UNITS[limit.figure]}, over {limit}" for limit in limits)


def overshoot(limits: Sequence[Limit], figures: Figures) -> float:
    """The worst factor by which known figures exceed their limit; infinite if nothing is known."""
    known = [(figures.of(limit.figure), limit.most) for limit in limits]
    factors = [value / most for value, most in known if value is not None]
    return max(factors, default=float("inf"))
