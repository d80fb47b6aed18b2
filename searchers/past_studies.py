"""Earlier studies in terms of the present one: their trials in its space, their scores as shares of their range.

Values go over as they are where the bounds are the same, else by their place within the bounds:
a quarter of 2000 to 7000 iterations becomes a quarter of 20 to 80.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from searchers.context import Fact, StudyContext, context_distance
from searchers.distance import at_place, place
from searchers.experience import Experience
from searchers.space import ChoiceParameter, Parameter, Point, SearchSpace


@dataclass(frozen=True)
class PastStudy:
    """An earlier study.

    Attributes:
        facts: of its context.
        distance: of its context from the present one, see `context_distance`.
        trials: points of the present space and what they reached, 0 (the study's worst, failures) to 1 (its best).
        range: from the worst to the best, in units of its objective.
    """

    facts: Mapping[str, Fact]
    distance: float
    trials: tuple[tuple[Point, float], ...]
    range: float = 1.0


def past_studies(
    space: SearchSpace, context: StudyContext, experience: Sequence[Experience], mode: str
) -> list[PastStudy]:
    """Those with this space's parameters in which some trial was better than another, the nearest first.

    Args:
        space, context: of the present study.
        experience: trials of earlier ones; studies with other parameters are passed over.
        mode: "max" or "min"; studies of the other kind are passed over.
    """
    grouped: dict[str, list[Experience]] = {}
    for trial in experience:
        if trial.mode == mode:
            key = json.dumps([trial.context, [p.model_dump() for p in trial.parameters]], sort_keys=True)
            grouped.setdefault(key, []).append(trial)
    studies = []
    for trials in grouped.values():
        facts = trials[0].context
        worst, best = _extremes(trials)
        scored = _scored(space, trials, worst, best)
        if any(score > 0 for _, score in scored):
            distance = context_distance(context.facts, facts)
            studies.append(PastStudy(facts, distance, tuple(scored), best - worst))
    return sorted(studies, key=lambda study: study.distance)


def _extremes(trials: Sequence[Experience]) -> tuple[float, float]:
    """Worst and best score of a study, more is better; both 0 if all its trials failed."""
    sign = _sign(trials)
    real = [sign * t.real_score for t in trials if t.real_score is not None]
    return min(real, default=0.0), max(real, default=0.0)


def _sign(trials: Sequence[Experience]) -> int:
    return 1 if trials[0].mode == "max" else -1


def _scored(space: SearchSpace, trials: Sequence[Experience], worst: float, best: float) -> list[tuple[Point, float]]:
    scored = []
    for trial in trials:
        point = _carried_over(space, trial)
        if point is not None:
            score, sign = trial.real_score, _sign(trials)
            share = 0.0 if score is None else 1.0 if best == worst else (sign * score - worst) / (best - worst)
            scored.append((point, share))
    return scored


def _carried_over(space: SearchSpace, trial: Experience) -> Point | None:
    """The trial's point in the present space, None if it has no counterpart there."""
    past = {p.name: p for p in trial.parameters}
    point: Point = {}
    for parameter in space.parameters:
        before, value = past.get(parameter.name), trial.point.get(parameter.name)
        if (
            before is None
            or value is None
            or isinstance(before, ChoiceParameter) != isinstance(parameter, ChoiceParameter)
        ):
            return None
        carried = _value(parameter, before, value)
        if carried is None:
            return None
        point[parameter.name] = carried
    return space.clip(point)


def _value(parameter: Parameter, before: Parameter, value: float | str) -> float | str | None:
    if isinstance(parameter, ChoiceParameter) or isinstance(before, ChoiceParameter):
        return value if isinstance(parameter, ChoiceParameter) and value in parameter.choices else None
    if isinstance(value, str) or not before.low <= value <= before.high:
        return None
    if (before.low, before.high) == (parameter.low, parameter.high):
        return value
    return at_place(parameter, place(before, value))
