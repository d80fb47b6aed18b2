"""Times and settings in words, the same on the terminal and in the report."""

import re
from collections.abc import Mapping
from typing import Any


def duration(seconds: float) -> str:
    """Seconds as a person reads them: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min"."""
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


def one_line(text: str) -> str:
    """`text` without line breaks and control codes, safe for a log file."""
    flat = re.sub(r"\s*[\r\n]\s*", " ", text)
    return "".join(char for char in flat if char.isprintable())
