"""Times, numbers and settings in words: the same on terminal, report and prompts."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import math
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def duration(seconds: float) -> str:
    """Seconds as a person reads them: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min"; "?" where they are no number."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def hyperparameters_line(values: Mapping[str, Any]) -> str:
    """A trial's settings in a few words: "AdamW · lr 0.0019 · batch 32 · 40 iterations · StepLR"."""
    words = {"lr": "lr {:.2g}", "weight_decay": "decay {:.1g}", "batch_size": "batch {}"}
    words |= {"iterations": "{} iterations", "optimizer": "{}", "lr_schedule": "{}"}
    order = ("optimizer", "lr", "weight_decay", "batch_size", "iterations", "lr_schedule")
    return " · ".join(words[name].format(values[name]) for name in order if name in values)


#: A command of ours inside a sentence; a command begins with a small letter, and prose goes on with "is", "has" ...
_COMMAND = re.compile(
    r"(?<![\w./-])autommlab (?=(?:run|compare|submit|jobs|logs|stop|fetch|understand|predict|status|studio|searchers|"
    r"profiles|version|data|models|serve|bench|trials|tune)\b)"
)
#: Set by `uv run` for what it runs.
_UNDER_UV = "UV_RUN_RECURSION_DEPTH"


def typed_here(text: str) -> str:
    """A text whose commands of ours can be typed as they stand: under `uv run` nothing of ours is on PATH."""
    if _UNDER_UV not in os.environ:
        return text
    return _COMMAND.sub(f"uv run --extra {_extra()} autommlab ", text)


@functools.cache
def _extra() -> str:
    """The one of pyproject.toml's that is installed."""
    return "gpu" if any(importlib.metadata.distributions(name="vllm")) else "cpu"


#: Goes into a prompt as it stands: letters, digits and a few signs, on one line.
_PLAIN = re.compile(r"[\w.+/%()' -]+")
#: What chat templates build their marks from ("<|im_end|>", "[INST]"), apart from control characters.
_MARKS = re.compile(r"[<>\[\]|{}`#]")
_SMALL, _LARGE = 0.01, 1e5


def number_text(value: float, digits: int | None = None) -> str:
    """The shortest text of a number, e.g. "3.3e-4", "0.25", "60"; read back exactly unless rounded.

    Args:
        value: finite.
        digits: significant digits to round to; None keeps all.
    """
    if isinstance(value, int):
        return str(value)
    if digits is not None and value:
        rounded = float(f"{value:.{digits}g}")
        value = rounded if math.isfinite(rounded) else value
    if value == 0 or _SMALL <= abs(value) < _LARGE:
        return repr(value).removesuffix(".0")
    sign, numerals, exponent = Decimal(repr(value)).normalize().as_tuple()
    shown = "".join(map(str, numerals))
    power = int(exponent) + len(numerals) - 1
    return f"{'-' if sign else ''}{shown[0]}{'.' if len(shown) > 1 else ''}{shown[1:]}e{power}"


def quote(text: str, limit: int = 60) -> str:
    """`text` on one line, at most about `limit` characters: as it is if plain, else as a JSON string.

    Nothing that ends a line, closes a quotation, or could be read as a chat template's own mark is left over.
    """
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    if _PLAIN.fullmatch(text) and text == text.strip() and text.isprintable():
        return text
    quoted = "".join(_harmless(sign) for sign in json.dumps(text, ensure_ascii=False))
    if len(quoted) <= 2 * limit:
        return quoted
    return quote(text[: len(text) // 2] + "...", limit)


def _harmless(sign: str) -> str:
    if sign.isprintable() and not _MARKS.fullmatch(sign):
        return sign
    return json.dumps(sign)[1:-1] if ord(sign) > 126 else f"\\u{ord(sign):04x}"


def value_text(value: float | str, digits: int | None = 3) -> str:
    """A hyperparameter's value in a prompt."""
    return quote(value) if isinstance(value, str) else number_text(value, digits)


def score_text(score: float) -> str:
    """A score with as many digits as a decision needs."""
    return number_text(score, 4) if math.isfinite(score) else "none"


def names_with_commas(text: str) -> tuple[str, ...]:
    """`"a, b,a"` becomes `("a", "b")`."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
