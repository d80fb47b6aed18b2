"""Numbers as people write them: figures, words, fractions; both ways."""

from __future__ import annotations

import math
import random
import re
from decimal import Decimal

from autommlab.understanding.text import ONES, TENS, VALUES

_WORD = "|".join([*sorted(VALUES, key=len, reverse=True), "hundred"])
_WORDS = rf"(?:{_WORD})(?:(?:[\s-]|\sand\s)(?:{_WORD}))*(?:\sand\sa\shalf)?"
_FIGURES = r"[1-9]\d{0,2}(?:,\d{3})+(?!\d)|\d*[.,]\d+|\d+(?:e\d+)?"
#: A number in figures or words, not a part of a longer one or of a name.
NUMBER = rf"(?<![\w.,@-])(?:{_FIGURES}|{_WORDS})"
_FIGURE = re.compile(_FIGURES)


def number_value(written: str) -> float | None:
    """The value of a text that `NUMBER` matches, None if it is no such text."""
    text = written.strip().lower()
    if _FIGURE.fullmatch(text):
        grouped = re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+", text)
        return float(text.replace(",", "") if grouped else text.replace(",", "."))
    half = 0.5 if text.endswith(" and a half") else 0.0
    total = 0
    for word in re.split(r"[\s-]+", text.removesuffix(" and a half")):
        if word == "hundred":
            total = max(total, 1) * 100
        elif word in VALUES:
            total += VALUES[word]
        elif word != "and":
            return None
    return total + half


def same_number(one: float, other: float) -> bool:
    """Whether two numbers are one, but for rounding."""
    return math.isclose(one, other, rel_tol=1e-9)


def words(number: int) -> str:
    """English words for 0 to 999: "ninety-five", "two hundred and fifty"."""
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f"-{ONES[ones]}" if ones else "")
    hundreds, rest = divmod(number, 100)
    return f"{ONES[hundreds]} hundred" + (f" and {words(rest)}" if rest else "")


def plain_number(value: float) -> str:
    """All digits of a value, without exponent and without ".0"."""
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def in_figures(value: float, rng: random.Random) -> str:
    """A value in figures in one of the usual ways: "0.5", ".5", "2,500", "0,5"."""
    written = plain_number(value)
    if value >= 1000 and value == int(value):
        return rng.choice([written, f"{int(value):,}"])
    if 0 < value < 1 and rng.random() < 0.2:
        written = written.removeprefix("0")
    elif len(written.partition(".")[2]) in (1, 2) and rng.random() < 0.03:  # "1,234" would be read as thousands
        written = written.replace(".", ",")
    return written


def maybe_words(value: float, rng: random.Random, share: float) -> str:
    """A value in words with the probability `share` where that is usual, else in figures."""
    if rng.random() < share and value >= 1:
        if value == int(value) and value < 1000 and (value <= 20 or value % 5 == 0):
            return words(int(value))
        if value < 20 and value % 1 == 0.5:
            return f"{words(int(value))} and a half"
    return in_figures(value, rng)


def rounded(value: float, digits: int = 2) -> float:
    """A value to so many significant digits, as people round."""
    return float(f"{value:.{digits}g}")


def log_uniform(low: float, high: float, rng: random.Random) -> float:
    """A value between `low` and `high`, each decade alike."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))
