"""How much an analysis may cost, in seconds and in the size of its record."""

from __future__ import annotations

#: Most pictures that a run looks at, and most that it judges whatever they cost.
MOST_PICTURES, FEWEST_PICTURES = 1000, 50
#: Seconds of a run that predictions for the analysis may take.
PREDICTING_S = 20.0
#: Seconds to import the metrics and to work them out.
METRICS_S = 4.0
#: Classes beyond which there is no confusion matrix and not every class has a curve.
MOST_CLASSES = 40
#: Pairs of confused classes, and pictures, that the record holds.
MOST_PAIRS, MOST_JUDGED = 50, 1000


def affordable_pictures(picture_s: float, seconds: float = PREDICTING_S) -> int:
    """How many pictures can be predicted in that time.

    Args:
        picture_s: seconds of one, from file to answer.
        seconds: for all of them.
    """
    return int(min(max(seconds / max(picture_s, 1e-6), FEWEST_PICTURES), MOST_PICTURES))


def reserved_seconds(pictures: int, picture_s: float) -> float:
    """What a plan sets aside for the analysis of a split of so many pictures."""
    return METRICS_S + picture_s * min(pictures, affordable_pictures(picture_s))
