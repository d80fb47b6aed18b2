"""Errors for requests that no model fits: which limit excludes how many, and what would fit."""

from collections.abc import Mapping, Sequence

from autommlab.common.errors import ModelError
from autommlab.models import zoo
from autommlab.models.limits import Figures, Limit, broken, overshoot, published
from autommlab.models.records import ModelEntry, Rejection

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
