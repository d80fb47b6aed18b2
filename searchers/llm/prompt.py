"""The HPO dialogue as chat messages: what is to be trained, the bounds, the results so far.

Each round is one self-contained question, a pure function of context, space and history: the
service can be restarted in mid-study, a proposal can be asked for again after a restore, and
training data for an adapter is made by the same function that asks it (`answer_schema` has the
answer's side). The summary of the history is made here, not by the model, and is short, because
on a CPU the prompt's length decides the speed. The unchanging part comes first, so that a server
with a prefix cache reads it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autommlab.common.errors import SearcherError
from autommlab.common.wording import quote, score_text, value_text
from searchers.context import StudyContext
from searchers.settings import LlmOptions
from searchers.space import ChoiceParameter, Configuration, IntParameter, Parameter, SearchSpace

_SYSTEM = "You choose hyperparameters for training runs. Answer with one JSON object and nothing else."
_LEAST_CHARS = 800
_LINE_CHARS = 240
_NAME_CHARS = 40


@dataclass(frozen=True)
class Round:
    """One earlier proposal.

    Attributes:
        config: what was tried.
        score: its result; None while it runs or if it failed.
        failure: why it has no score, e.g. "out of memory"; empty while it runs.
    """

    config: Configuration
    score: float | None = None
    failure: str = ""


@dataclass(frozen=True)
class PromptLimits:
    """How much of the history is told.

    Attributes:
        chars: longest prompt, all messages together.
        best, last: so many of the best results and of the latest ones; running trials come on top.
    """

    chars: int = LlmOptions.model_fields["prompt_chars"].default
    best: int = LlmOptions.model_fields["history_best"].default
    last: int = LlmOptions.model_fields["history_last"].default


def proposal_messages(
    context: StudyContext,
    space: SearchSpace,
    history: Sequence[Round],
    *,
    mode: str = "max",
    limits: PromptLimits | None = None,
) -> list[dict[str, str]]:
    """The question for the next proposal.

    Args:
        context: what the study is about.
        space: the bounds.
        history: earlier proposals in their order, running ones included.
        mode: "max" or "min".
        limits: what is left out of a long history; None = the defaults.

    Raises:
        SearcherError: `limits.chars` is too small for any question.
    """
    limits = limits or PromptLimits()
    if limits.chars < _LEAST_CHARS:
        raise SearcherError(f"a prompt needs at least {_LEAST_CHARS} characters, got prompt_chars={limits.chars}")
    best = _best(history, mode)
    closing = _closing(history, best, mode)
    room = limits.chars - len(_SYSTEM) - len(closing) - 4  # line breaks between the parts
    bounds = _section("Search space:", [_bounds(p) for p in space.parameters], room // 2)
    room -= len(bounds)
    about = [f"{quote(name, _NAME_CHARS)}: {value_text(value)}" for name, value in context.facts.items()]
    study = _section("Study:", about, room // 2)
    room -= len(study)
    results = _results(space, history, best, mode, limits, room)
    user = "\n".join(part for part in (study, bounds, results, closing) if part)
    return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": user}]


def _best(history: Sequence[Round], mode: str) -> int | None:
    """Index of the best finished round, the earliest if equal."""
    scored = [(number, r.score) for number, r in enumerate(history) if r.score is not None]
    if not scored:
        return None
    sign = 1 if mode == "max" else -1
    return max(scored, key=lambda entry: (sign * entry[1], -entry[0]))[0]


def _closing(history: Sequence[Round], best: int | None, mode: str) -> str:
    direction = "higher" if mode == "max" else "lower"
    top = None if best is None else history[best].score
    if top is None:
        start = "Nothing has finished yet." if history else "Nothing has been tried yet."
        return f"{start} The score is to be {direction}. Propose a setting that trains well."
    return f"Best score: {score_text(top)}, {direction} is better. Propose a new setting that scores better."


def _bounds(parameter: Parameter) -> str:
    name = quote(parameter.name, _NAME_CHARS)
    if isinstance(parameter, ChoiceParameter):
        text = f"{name}: {' | '.join(quote(choice, _NAME_CHARS) for choice in parameter.choices)}"
        return text if len(text) <= _LINE_CHARS else f"{text[: _LINE_CHARS - 4]} ..."
    kind = ", whole" if isinstance(parameter, IntParameter) else ""
    log = ", log scale" if parameter.log else ""
    return f"{name}: {value_text(parameter.low)} to {value_text(parameter.high)}{kind}{log}"


def _results(
    space: SearchSpace, history: Sequence[Round], best: int | None, mode: str, limits: PromptLimits, room: int
) -> str:
    """The rows that tell most, in the order of the study, as many as there is room for."""
    if not history:
        return ""
    failed = sum(bool(r.failure) for r in history)
    running = sum(r.score is None and not r.failure for r in history)
    counts = f"{len(history) - failed - running} finished, {failed} failed, {running} running"
    title = f"Trials ({counts}), values in the order of the search space:"
    room -= len(title) + 1
    kept = {}
    for number in _telling(history, mode, limits):
        row = f"{number + 1}. {_row(space, history[number])}{' (best)' if number == best else ''}"
        if len(row) + 1 <= room:
            kept[number] = row
            room -= len(row) + 1
    return "\n".join([title, *(kept[number] for number in sorted(kept))]) if kept else ""


def _telling(history: Sequence[Round], mode: str, limits: PromptLimits) -> list[int]:
    """Indices of the rounds to tell, the most important first: the best, the latest, then the running ones."""
    sign = 1 if mode == "max" else -1
    scored = [number for number, r in enumerate(history) if r.score is not None]
    scored.sort(key=lambda number: (-sign * (history[number].score or 0.0), number))
    over = [number for number, r in enumerate(history) if r.score is not None or r.failure]
    running = [number for number, r in enumerate(history) if r.score is None and not r.failure]
    return list(dict.fromkeys([*scored[: limits.best], *reversed(over[-limits.last :]), *reversed(running)]))


def _row(space: SearchSpace, past: Round) -> str:
    values = ", ".join(value_text(past.config[name]) for name in space.names())
    if len(values) > _LINE_CHARS:
        values = f"{values[: _LINE_CHARS - 4]} ..."
    if past.failure:
        return f"{values} -> failed: {quote(past.failure)}"
    return f"{values} -> {'running' if past.score is None else score_text(past.score)}"


def _section(title: str, lines: Sequence[str], room: int) -> str:
    """Title and as many lines as fit; the rest as a count."""
    if not lines:
        return ""
    shown, used = [title], len(title) + 1
    for left, line in zip(range(len(lines), 0, -1), lines, strict=True):
        if used + len(line) + 1 > room - (20 if left > 1 else 0):
            shown.append(f"({left} more)")
            break
        shown.append(line)
        used += len(line) + 1
    return "\n".join(shown)
