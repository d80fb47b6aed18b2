"""The numbers that a text names, in figures or in English words. A help for checks, not a parser of quantities."""

from __future__ import annotations

import math
import re

_FIGURES = re.compile(r"\d+(?:[,' ]\d{3})+(?:\.\d+)?|\d*[.,]?\d+(?:[eE][+-]?\d+)?")
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
#: Number word -> value, up to ninety.
VALUES = {word: value for value, word in enumerate(ONES)} | {word: 10 * ten for ten, word in enumerate(TENS, 2)}
_SIZES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12}
_PARTS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "eighth": 0.125, "tenth": 0.1}
#: "Twice a second" is a demand of 2.
_REPEATS = {"once": 1.0, "twice": 2.0, "thrice": 3.0}
#: "Within a second" is a limit of 1.
_TIMES = frozenset({"millisecond", "second", "sec", "minute", "min", "hour"})
#: "Zero point eight", or "zero comma eight" where that is how decimals are written.
_DECIMAL_MARKS = frozenset({"point", "comma"})
#: "two thirds" may be answered as 0.67.
_CLOSE = 0.01
#: What is less is a digit, said alone in "point nine five".
_TEN = 10
_MOST_DIGITS = 6


def numbers(text: str) -> set[float]:
    """Every number that the text names, with the fractions and sums that pairs of them make.

    "nine out of ten" gives 9, 10 and 0.9; "2,500" gives 2500 (and 2.5, as half of the world writes it);
    "three and a half million" gives 3, 3.5 and a million among others.
    """
    found = _figures(text) | _words(text)
    words = _lower_words(text)
    if _TIMES & set(words):
        found.add(1.0)
    if _DECIMAL_MARKS & set(words):
        found |= {value / 10 for value in found if value < 10} | {value / 100 for value in found if value < 100}
    parts = found & set(_PARTS.values())
    whole = {value for value in found if value == int(value)}
    return (
        found
        | {a / b for a in found for b in found if 0 < a < b}
        | {a + part for a in whole for part in parts}
        | {a * part for a in whole for part in parts}
    )


def names_number(text: str, value: float) -> bool:
    """Whether `value` is in the text, be it as a percentage or with a size word or prefix ("3.2 million", "0.5 k")."""
    known = numbers(text)
    scales = (1.0, 100.0, 0.01, 1e3, 1e6, 1e9, 1e-3, 1e-6, 1e-9)
    return any(math.isclose(value * scale, number, rel_tol=_CLOSE) for scale in scales for number in known)


def _figures(text: str) -> set[float]:
    found: set[float] = set()
    for written in _FIGURES.findall(text):
        readings = {re.sub(r"[,' ](?=\d{3})", "", written), written.replace(",", ".")}
        for reading in readings:
            try:
                found.add(float(reading))
            except ValueError:  # "2,500.5" has one reading only
                continue
    return {value for value in found if math.isfinite(value)}


def _words(text: str) -> set[float]:
    """Values of runs of number words, of each run's every part, of the parts' products, and of spoken digits.

    Figures and commas end a run: "accuracy seventy-five, 1.1 million parameters" names no 75 million.
    """
    found: set[float] = set()
    total = current = 0.0
    digits = ""
    for word in [*re.findall(r"[a-z]+|[\d,.;:]+", text.lower()), ""]:
        one = VALUES.get(word, _TEN)
        digits = (digits + str(one))[-_MOST_DIGITS:] if one < _TEN else ""
        found |= {float(digits)} if digits else set()
        if word in VALUES:
            found.add(VALUES[word])
            current += VALUES[word]
        elif word in _REPEATS:
            found.add(_REPEATS[word])
        elif word in _SIZES:
            found.add(_SIZES[word])
            current = (current or 1) * _SIZES[word]
            if word != "hundred":
                total, current = total + current, 0.0
        elif word != "and":
            found |= {_PARTS[word.removesuffix("s")]} if word.removesuffix("s") in _PARTS else set()
            found |= {total + current} if total + current else set()
            total = current = 0.0
    return found


def _lower_words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())
