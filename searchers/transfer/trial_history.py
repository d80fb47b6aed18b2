"""What earlier studies have found, one trial a line, and the same in terms of the present study.

Values go over as they are where the bounds are the same, else by their place within the bounds:
a quarter of 2000 to 7000 iterations becomes a quarter of 20 to 80.

The shipped trials are of vision models, and parameters of quite another problem may be called `lr` and `weight_decay`
too. So they are used only in a study that says what it is about and resembles one of theirs (`why_not_applied`). A
history that somebody names is theirs to judge.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from autommlab.common.errors import SearcherError, invalid, tell_renamed
from autommlab.common.jsonl import split_lines
from autommlab.common.keyed_lines import read_unpacked
from autommlab.common.stored import record_of
from autommlab.common.trial_status import is_scored
from searchers.context import Fact, StudyContext, context_distance
from searchers.distance import from_unit_value, unit_value
from searchers.settings import HISTORY_VARIABLE
from searchers.space import ChoiceParameter, Configuration, Parameter, SearchSpace

_OLD_VARIABLE = "AUTOMMLAB_EXPERIENCE"
SHIPPED = Path(__file__).with_name("trial_history.jsonl.gz")
#: Most distance of a study's context from that of the nearest shipped study, see `context_distance`: that of a study
#: with the same kinds of facts and one of them equal. A study that tells nothing about itself has a distance of 1.
MOST_DISTANCE = 0.9
#: Least fraction of a shipped study's hyperparameters that are searched.
LEAST_SHARED = 0.5


class PastTrial(BaseModel):
    """One line of a trial history: a trial of an earlier study. Other keys on the line are ignored.

    Attributes:
        context: the facts of its `StudyContext`; with `parameters` and `mode` they tell studies apart.
        parameters: its space, bounds included, as `SearchSpace.parameters`.
        config: the hyperparameters that were tried.
        score: what they reached on validation data; None or anything if it failed.
        status: "ok" or "stopped" (early, by a scheduler); everything else is a failure.
        mode: whether a higher or a lower score is better.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    context: dict[str, Fact]
    parameters: tuple[Parameter, ...]
    config: Configuration
    score: float | None = None
    status: str = "ok"
    mode: Literal["max", "min"] = "max"

    @property
    def real_score(self) -> float | None:
        """The score, None if the trial failed."""
        return self.score if is_scored(self.status) else None


def history_file(given: str | None) -> Path | None:
    """The file to read: the one given, else that of AUTOMMLAB_TRIAL_HISTORY, else none."""
    name = given or os.environ.get(HISTORY_VARIABLE)
    if not name and (name := os.environ.get(_OLD_VARIABLE)):
        tell_renamed("environment variable", _OLD_VARIABLE, HISTORY_VARIABLE)
    return Path(name).expanduser() if name else None


def history_or_shipped(given: str | None) -> Path:
    """As `history_file`, and for want of one the trials that come with this package.

    Those are `autommlab trials`' own, without its held-out tasks (`training_data_gen/trials`).
    """
    return history_file(given) or SHIPPED


def why_not_applied(given: str | None, space: SearchSpace, context: StudyContext, mode: str) -> str:
    """Why past trials tell nothing of a study; "" if they do.

    Args:
        given: the history that was named, see `history_file`; None or "" = that of the environment, else the shipped
            one.
        space, context, mode: of the study.

    Raises:
        SearcherError: the file cannot be used.
    """
    named = history_file(given)
    path = named or SHIPPED
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _why_not_applied(path, changed, space, tuple(context.facts.items()), mode, named is None)


@lru_cache(maxsize=8)
def _why_not_applied(
    path: Path, _changed: int, space: SearchSpace, facts: tuple[tuple[str, Fact], ...], mode: str, shipped: bool
) -> str:
    context, history = StudyContext(facts=dict(facts)), load_history(path)
    studies = past_studies(space, context, history, mode)
    if not studies:
        return f"no earlier study has these parameters and mode={mode!r}"
    if not shipped:
        return ""
    if not facts:
        return "the study has no context that says what it is about"
    if studies[0].distance > MOST_DISTANCE:
        return (
            f"the context of the nearest earlier study is {studies[0].distance:.2f} away, {MOST_DISTANCE} is the most"
        )
    shared = len(space.parameters) / max(len(trial.parameters) for trial in history)
    return "" if shared >= LEAST_SHARED else "too few of their hyperparameters are searched here"


def load_history(path: Path) -> list[PastTrial]:
    """All trials of a JSONL file, compressed if its name ends in ".gz".

    Raises:
        SearcherError: the file cannot be read, holds nothing, or a line is no `PastTrial` (with its number).
    """
    try:
        content = read_unpacked(path)
    except OSError as error:
        raise SearcherError(f"the trial history {path} cannot be read: {error}. {HOW_TO_MAKE_ONE}") from error
    read = []
    for number, line in split_lines(content):
        try:
            read.append(record_of(PastTrial, line))
        except ValidationError as error:
            raise SearcherError(f"{path}, line {number}: {invalid(error)}. {HOW_TO_MAKE_ONE}") from error
        except ValueError as error:
            raise SearcherError(f"{path}, line {number}: {error}. {HOW_TO_MAKE_ONE}") from error
    if not read:
        raise SearcherError(f"the trial history {path} is empty. {HOW_TO_MAKE_ONE}")
    return read


HOW_TO_MAKE_ONE = (
    'A trial history has one JSON object per finished trial: {"context": {...}, "parameters": [bounds], '
    '"config": {...}, "score": 0.8, "status": "ok"} (searchers.transfer.trial_history.PastTrial); '
    f"name it by trial_history=FILE or the environment variable {HISTORY_VARIABLE}"
)


@dataclass(frozen=True)
class PastStudy:
    """An earlier study.

    Attributes:
        facts: of its context.
        distance: of its context from the present one, see `context_distance`.
        trials: configurations of the present space and what they reached, 0 (the study's worst, failures) to 1 (its
            best).
        range: from the worst to the best, in units of its objective.
    """

    facts: Mapping[str, Fact]
    distance: float
    trials: tuple[tuple[Configuration, float], ...]
    range: float = 1.0


def past_studies(
    space: SearchSpace, context: StudyContext, trial_history: Sequence[PastTrial], mode: str
) -> list[PastStudy]:
    """Those with this space's parameters in which some trial was better than another, the nearest first.

    Args:
        space, context: of the present study.
        trial_history: trials of earlier ones; studies with other parameters are passed over.
        mode: "max" or "min"; studies of the other kind are passed over.
    """
    grouped: dict[str, list[PastTrial]] = {}
    for trial in trial_history:
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


def _extremes(trials: Sequence[PastTrial]) -> tuple[float, float]:
    """Worst and best score of a study, more is better; both 0 if all its trials failed."""
    sign = _sign(trials)
    real = [sign * t.real_score for t in trials if t.real_score is not None]
    return min(real, default=0.0), max(real, default=0.0)


def _sign(trials: Sequence[PastTrial]) -> int:
    return 1 if trials[0].mode == "max" else -1


def _scored(
    space: SearchSpace, trials: Sequence[PastTrial], worst: float, best: float
) -> list[tuple[Configuration, float]]:
    scored = []
    for trial in trials:
        config = _carried_over(space, trial)
        if config is not None:
            score, sign = trial.real_score, _sign(trials)
            normalised = 0.0 if score is None else 1.0 if best == worst else (sign * score - worst) / (best - worst)
            scored.append((config, normalised))
    return scored


def _carried_over(space: SearchSpace, trial: PastTrial) -> Configuration | None:
    """The trial's configuration in the present space, None if it has no counterpart there."""
    past = {p.name: p for p in trial.parameters}
    config: Configuration = {}
    for parameter in space.parameters:
        before, value = past.get(parameter.name), trial.config.get(parameter.name)
        if (
            before is None
            or value is None
            or isinstance(before, ChoiceParameter) != isinstance(parameter, ChoiceParameter)
        ):
            return None
        carried = _value(parameter, before, value)
        if carried is None:
            return None
        config[parameter.name] = carried
    return space.clip(config)


def _value(parameter: Parameter, before: Parameter, value: float | str) -> float | str | None:
    if isinstance(parameter, ChoiceParameter) or isinstance(before, ChoiceParameter):
        return value if isinstance(parameter, ChoiceParameter) and value in parameter.choices else None
    if isinstance(value, str) or not before.low <= value <= before.high:
        return None
    if (before.low, before.high) == (parameter.low, parameter.high):
        return value
    return from_unit_value(parameter, unit_value(before, value))
