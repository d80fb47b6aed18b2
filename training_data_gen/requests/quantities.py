"""Limits with units: drawing them and writing them in many ways.

A written limit of parameters stops before the noun ("25 million"), of FLOPs it has the noun.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from training_data_gen.requests.numbers import in_figures, log_uniform, maybe_words, rounded, words

#: A value and its unit as the schema names it.
Amount = tuple[float, str]

_WORD_SHARE = 0.12
_ROUND = {
    "ms": (5, 8, 10, 12, 15, 16, 20, 25, 30, 33, 40, 50, 60, 66, 75, 80, 100, 120, 150, 200, 250, 300, 400, 500, 800),
    "s": (0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.5, 0.7, 1, 1, 1, 1.5, 2, 2, 2.5, 3, 4, 5, 8, 10, 20, 30),
    "min": (0.5, 1, 1, 1.5, 2, 3, 4, 5, 10, 15),
    "h": (0.5, 1, 1, 1.5, 2, 3, 4, 6, 8, 12),
    "fps": (0.5, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 18, 20, 24, 25, 30, 40, 45, 50, 60, 75, 90, 100, 120, 144, 200),
}
_RANGES = {"ms": (2, 900), "s": (0.02, 40), "min": (0.5, 40), "h": (0.5, 24), "fps": (0.5, 400)}
_TIME_UNITS = ("ms",) * 11 + ("s",) * 7 + ("min",) * 2 + ("h",) * 2
_FLOPS_UNITS = (
    *("GFLOPs",) * 20, *("MFLOPs",) * 10, *("TFLOPs",) * 4, *("KFLOPs",) * 3, *("PFLOPs",) * 2, "FLOPs", "EFLOPs",
)  # fmt: skip
_FLOPS_RANGES = {
    "FLOPs": (1e5, 9e8), "KFLOPs": (50, 9e5), "MFLOPs": (5, 3000), "GFLOPs": (0.2, 400), "TFLOPs": (0.01, 5),
    "PFLOPs": (1e-4, 2), "EFLOPs": (1e-3, 1),
}  # fmt: skip
_PARAMETER_UNITS = ("M",) * 15 + ("K",) * 4 + ("B",) * 2
_PARAMETER_RANGES = {"K": (15, 2500), "M": (0.3, 150), "B": (0.005, 2)}
_SCALES = {"K": 1e3, "M": 1e6, "B": 1e9}


def draw_time(rng: random.Random) -> Amount:
    """A longest time for an image."""
    return _drawn(rng.choice(_TIME_UNITS), rng)


def draw_rate(rng: random.Random) -> Amount:
    """A smallest number of images a second."""
    return _drawn("fps", rng)


def draw_flops(rng: random.Random) -> Amount:
    """A limit of FLOPs."""
    unit = rng.choice(_FLOPS_UNITS)
    return _tidy(log_uniform(*_FLOPS_RANGES[unit], rng), rng), unit


def draw_parameters(rng: random.Random) -> Amount:
    """A limit of parameters."""
    unit = rng.choice(_PARAMETER_UNITS)
    return _tidy(log_uniform(*_PARAMETER_RANGES[unit], rng), rng), unit


def write_time(amount: Amount, rng: random.Random) -> str:
    """A time: "20 ms", "half a second", "two minutes"."""
    value, unit = amount
    special = _SPECIAL_TIMES.get(amount)
    if special and rng.random() < 0.5:
        return rng.choice(special)
    number = maybe_words(value, rng, _WORD_SHARE)
    one, many = {"ms": ("millisecond", "milliseconds"), "s": ("second", "seconds"), "min": ("minute", "minutes")}.get(
        unit, ("hour", "hours")
    )
    long = f"{number} {one if value == 1 else many}"
    if not number[0].isdigit() and number[0] != ".":
        return long
    short = {
        "ms": [f"{number} ms"] * 4 + [f"{number}ms", f"{number} msec"],
        "s": [f"{number} s"] * 2 + [f"{number}s", f"{number} sec"],
        "min": [f"{number} min"],
        "h": [f"{number} h"],
    }[unit]
    return rng.choice([*short, long, long] if unit == "ms" else [*short, long, long, long, long])


def write_rate(amount: Amount, rng: random.Random) -> str:
    """A rate: "30 fps", "thirty frames per second", "30 Hz"."""
    value, _ = amount
    if value in _OFTEN and rng.random() < 0.3:
        return f"{_OFTEN[value]} a second"
    number = maybe_words(value, rng, _WORD_SHARE)
    image = rng.choice(("frame", "frame", "frame", "image", "picture")) + ("" if value == 1 else "s")
    long = [f"{number} {image} per second", f"{number} {image} a second", f"{number} {image} each second"]
    if not number[0].isdigit():
        return rng.choice([*long, f"{number} fps"])
    short = [f"{number} fps"] * 5 + [f"{number} FPS", f"{number}fps", f"{number} Hz", f"{number} frames/s"]
    return rng.choice([*short, *long])


def write_flops(amount: Amount, rng: random.Random) -> str:
    """A limit of FLOPs: "3 GFLOPs", "half a GFLOP", "800 million FLOPs"."""
    value, unit = amount
    if unit == "FLOPs":
        return f"{in_figures(value, rng)} {rng.choice(('FLOPs', 'FLOPS'))}"
    if value == 0.5 and rng.random() < 0.6:
        return f"half a {unit[:-1]}"
    if value == 12 and rng.random() < 0.5:
        return f"a dozen {unit}"
    number = maybe_words(value, rng, _WORD_SHARE)
    long = {"K": ("kilo", "thousand"), "M": ("mega", "million"), "G": ("giga", "billion"), "T": ("tera", "trillion")}
    forms = [f"{number} {unit}"] * 6 + [f"{number} {unit.upper()}", f"{number} {unit[:-1]}", f"{number} {unit.lower()}"]
    if number[0].isdigit() or number[0] == ".":
        forms += [f"{number}{unit}"]
    if unit[0] in long:
        prefix, size = long[unit[0]]
        forms += [f"{number} {prefix}flops", f"{number} {size} FLOPs"]
    else:
        forms += [f"{number} {'peta' if unit[0] == 'P' else 'exa'}flops"]
    return rng.choice(forms)


def write_parameters(amount: Amount, rng: random.Random) -> str:
    """A limit of parameters: "25M", "25 million", "800 thousand", "250,000"; without the noun."""
    value, unit = amount
    counted = value * _SCALES[unit]
    # Without a unit word it is the size that says K or M.
    if rng.random() < 0.04 and unit == ("K" if counted < 1e6 else "M") and counted == int(counted):
        return f"{int(counted):,}"
    if (value, unit) == (0.5, "M") and rng.random() < 0.4:
        return "half a million"
    number = maybe_words(value, rng, _WORD_SHARE)
    size = {"K": "thousand", "M": "million", "B": "billion"}[unit]
    if not number[0].isdigit() and number[0] != ".":
        return f"{number} {size}"
    small = unit.lower() if unit == "K" or rng.random() < 0.1 else unit
    forms = [f"{number} {unit}", f"{number} {unit}", f"{number}{unit}", f"{number}{unit}", f"{number}{small}"]
    return rng.choice([*forms, f"{number} {size}", f"{number} {size}", f"{number} {size}"])


def write_score(value: float, rng: random.Random, *, bare: bool = False, range_fits: bool = False) -> str:
    """A fraction: "0.85", "85 %", "eighty-five percent", "nine out of ten", "0.85 to 0.9".

    Args:
        value: between 0 and 1.
        rng: draws the form.
        bare: the context is that of a score out of 100, so that "85" alone says it.
        range_fits: no comparison stands before it, so that a range may.
    """
    percent = rounded(value * 100, 5)
    if percent < 1 or percent != rounded(percent, 3):
        return in_figures(value, rng)
    number = in_figures(percent, rng)
    if range_fits and rng.random() < 0.08 and percent + 5 < 100:
        above = rounded(percent + rng.choice((2, 4, 5)), 4)
        top = rounded(above / 100, 4)
        low, high = in_figures(percent, rng), in_figures(above, rng)
        ranges = (f"{low} to {high} %", f"{low}-{high}%", f"between {low} and {high} percent", f"{value} to {top}")
        return rng.choice(ranges)
    forms: list[str] = [in_figures(value, rng)] * 6 + [f"{number}%", f"{number}%", f"{number} %", f"{number} percent"]
    forms += [f"{number} per cent"] if rng.random() < 0.3 else []
    if percent == int(percent) and (percent % 5 == 0 or rng.random() < 0.3):
        forms += [f"{words(int(percent))} percent"]
    if bare and percent == int(percent) and percent >= 20:
        forms += [number] * 2
    if percent % 10 == 0 and percent >= 50 and rng.random() < 0.5:
        forms += [f"{words(int(percent) // 10)} out of ten", f"{int(percent) // 10} out of 10"]
    return rng.choice(forms)


#: How an amount of each kind is drawn and written.
DRAW: dict[str, Callable[[random.Random], Amount]] = {
    "time": draw_time, "rate": draw_rate, "flops": draw_flops, "parameters": draw_parameters,
}  # fmt: skip
WRITE: dict[str, Callable[[Amount, random.Random], str]] = {
    "time": write_time, "rate": write_rate, "flops": write_flops, "parameters": write_parameters,
}  # fmt: skip

_OFTEN = {1.0: "once", 2.0: "twice", 3.0: "thrice"}
_SPECIAL_TIMES: dict[Amount, Sequence[str]] = {
    (1, "s"): ("a second", "one second"),
    (0.5, "s"): ("half a second", "half a second", "half second"),
    (0.25, "s"): ("a quarter of a second",),
    (0.2, "s"): ("a fifth of a second",),
    (0.1, "s"): ("a tenth of a second",),
    (1, "min"): ("a minute", "one minute"),
    (0.5, "min"): ("half a minute",),
    (1, "h"): ("an hour", "one hour"),
    (0.5, "h"): ("half an hour",),
}


def _drawn(unit: str, rng: random.Random) -> Amount:
    if rng.random() < 0.7:
        return float(rng.choice(_ROUND[unit])), unit
    value = _tidy(log_uniform(*_RANGES[unit], rng), rng)
    return (float(max(1, round(value))) if unit in ("ms", "fps") else value), unit


def _tidy(value: float, rng: random.Random) -> float:
    return rounded(value, rng.choice((1, 1, 2, 2, 2, 3)))
