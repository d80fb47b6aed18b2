"""Hard limits on a model's cost: what a candidate's figures say about them, and the error where none fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autommlab.common.errors import ModelError
from autommlab.models import zoo
from autommlab.models.records import Measured, ModelEntry, Rejection
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


_SHOWN_REASONS = 3


def none_fits(
    candidates: Sequence[ModelEntry],
    limits: Sequence[Limit],
    measured: Mapping[str, Figures],
    rejected: Sequence[Rejection],
    input_size: tuple[int, int],
) -> ModelError:
    """The error for a request without a model name.

    Args:
        candidates: all that were considered.
        limits: of the request and the profile.
        measured: figures by name of those that were built; they count before published ones.
        rejected: with reasons.
        input_size: (width, height) in pixels for which FLOPs are estimated.
    """
    task = candidates[0].task if candidates else "such"
    figures = {entry.name: measured.get(entry.name) or published(entry, input_size) for entry in candidates}
    lines = [f"no {task} model of the zoo fits:"]
    told = []
    for limit in limits:
        known = [(figures[entry.name].of(limit.figure), entry) for entry in candidates]
        values = [(value, entry) for value, entry in known if value is not None]
        over = sum(value > limit.most for value, _ in values)
        if not over:
            continue
        whose = " measured" if limit.figure == "time" else " of known size" if len(values) < len(candidates) else ""
        all_or_some = f"all {over}" if over == len(values) else f"{over} of {len(values)}"
        smallest, entry = min(values, key=lambda pair: pair[0])
        line = f"  {limit} excludes {all_or_some}{whose}; the smallest is {entry.title} with {smallest:.4g}"
        told.append((over == len(values), line))
    # A limit that nothing holds explains the refusal alone; otherwise it is the limits together.
    lines.extend(line for alone, line in told if alone or not any(excludes_all for excludes_all, _ in told))
    lines.extend(_unbuildable(rejected))
    comparable = _comparable(candidates, limits, figures)
    nearest = min(comparable, key=lambda entry: overshoot(limits, figures[entry.name]), default=None)
    if nearest is not None:
        cost = figures[nearest.name]
        lines.append(f"Nearest: {nearest.title} ({nearest.name}) with {cost}; raise the limits to take it.")
    return ModelError("\n".join(lines))


def _comparable(
    candidates: Sequence[ModelEntry], limits: Sequence[Limit], figures: Mapping[str, Figures]
) -> list[ModelEntry]:
    """The candidates of which every limited figure is known, all where there are none."""
    known = [e for e in candidates if all(figures[e.name].of(limit.figure) is not None for limit in limits)]
    return known or list(candidates)


def named_breaks_limits(
    name: str,
    candidates: Sequence[ModelEntry],
    limits: Sequence[Limit],
    measured: Mapping[str, Figures],
    rejected: Sequence[Rejection],
    input_size: tuple[int, int],
) -> ModelError:
    """The error for a model that the request names and whose own limits it breaks; arguments as above."""
    first = candidates[0]
    figures = measured.get(first.name) or published(first, input_size)
    over = broken(limits, figures)
    if not over:
        reasons = "\n".join(_unbuildable(rejected))
        return ModelError(f"{first.title}, which the request names ({name!r}), cannot be used:\n{reasons}")
    conflict = " and ".join(str(limit) for limit in over)
    relative = _lighter_relative(first, limits, measured, input_size)
    if relative is None:
        advice = f"no other {first.task} model fits these limits either: raise them"
    else:
        shown = measured.get(relative.name) or published(relative, input_size)
        kin = "of the same family" if relative.family == first.family else "of another family"
        lighter = f"the nearest lighter one {kin} is {relative.title} ({relative.name}) with {shown}"
        advice = f"{lighter}: name it, or raise the limit"
    return ModelError(
        f"the request names {name!r}, but {first.title} has {figures}, which breaks its own limit {conflict}; {advice}"
    )


def _lighter_relative(
    first: ModelEntry, limits: Sequence[Limit], measured: Mapping[str, Figures], input_size: tuple[int, int]
) -> ModelEntry | None:
    """The best-scored entry that holds the limits by its known figures; its own family comes first."""
    fitting = []
    for entry in zoo.entries(first.task):
        figures = measured.get(entry.name) or published(entry, input_size)
        known = all(figures.of(limit.figure) is not None for limit in limits if limit.figure != "time")
        lighter = (entry.params_m or 0.0) < (first.params_m or float("inf"))
        if known and lighter and not broken(limits, figures):
            fitting.append(entry)
    same_benchmark = [entry for entry in fitting if entry.score_dataset == first.score_dataset] or fitting
    return min(same_benchmark, key=lambda e: (e.family != first.family, -(e.score or 0.0)), default=None)


def _unbuildable(rejected: Sequence[Rejection]) -> list[str]:
    lines = [f"  {one.name}: {one.reason}" for one in rejected if "cannot be built" in one.reason]
    more = len(lines) - _SHOWN_REASONS
    return lines[:_SHOWN_REASONS] + ([f"  and {more} more that cannot be built"] if more > 0 else [])
