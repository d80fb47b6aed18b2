"""What a study searches for: the figure that the request names, and its requirements on others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autommlab.tasks import TOP_FIVE_CLASSES, MeasuredMetric, Task, measured_metric, objective
from autommlab.understanding.request import Metric


@dataclass(frozen=True, slots=True)
class Requirement:
    """One bound on a measured figure; for errors such as NME it is an upper one."""

    figure: MeasuredMetric
    bound: float

    @property
    def least(self) -> float:
        """The bound as a `quality`."""
        return quality(self.figure, self.bound)

    def __str__(self) -> str:
        return f"{self.figure.name} at {'least' if self.figure.higher_is_better else 'most'} {self.bound:g}"


class Objective:
    """Gives each trial one score to be maximised, from 0 (failed) to 1.

    The first requirement that is measured names the figure, else the task's default does. With one requirement the
    score is that figure, or `quality` of it where less is better. With several, trials that miss a requirement come
    below all that meet them, ordered by the sum of what they miss; those that meet all are ordered by the figure.

    Args:
        task: of the study.
        requirements: of the request, as it names them; those that this study cannot measure do not count.
        classes: of the dataset; None = enough for every figure.

    Attributes:
        figure: what is maximised, or minimised where less is better.
        requirements: bounds in the request's order, the stricter one where a figure has two.
    """

    def __init__(self, task: Task, requirements: tuple[Metric, ...] = (), classes: int | None = None) -> None:
        found: dict[str, Requirement] = {}
        for asked in requirements:
            figure = measured_metric(task, asked.name)
            if figure is None or not is_measured(figure, classes):
                continue
            new = Requirement(figure, asked.value)
            known = found.setdefault(figure.name, new)
            found[figure.name] = max(known, new, key=lambda one: one.least)
        self.requirements = tuple(found.values())
        self.figure = self.requirements[0].figure if found else objective(task)
        self._bounds = tuple(one for one in self.requirements if one.least > 0)

    @property
    def name(self) -> str:
        """Canonical name of the figure."""
        return self.figure.name

    @property
    def score_name(self) -> str:
        """What a score is called: the figure's name, or "score" where it is not that figure itself."""
        return self.name if self._is_alone and self.figure.higher_is_better else "score"

    @property
    def in_words(self) -> str:
        """One sentence on what a score is."""
        if self.score_name == self.name:
            return f"The search maximises {self.name}."
        last = f"{self.name}, {'higher' if self.figure.higher_is_better else 'lower'} is better"
        if self._is_alone:
            return f"The search goes by {last}; the score is 1 / (1 + {self.name})."
        asked = ", ".join(map(str, self._bounds))
        return (
            f"The search goes first by what is missing to {asked}, in sum; among trials that meet them all by {last}. "
            "The score orders trials in this way."
        )

    def score(self, figures: Mapping[str, float]) -> float:
        """The score of a trial with these figures (canonical name -> fraction); a missing figure is the worst one."""
        reached = quality(self.figure, figures.get(self.name))
        if self._is_alone:
            return reached
        # Unmet below the threshold, met above it: the figure's own bound, so that a score above it is the figure.
        own = next((one.least for one in self._bounds if one.figure == self.figure), None)
        threshold = 0.5 if own is None else own
        missing = self.shortfall(figures)
        if missing > 0:
            return threshold * (1 - missing / sum(one.least for one in self._bounds))
        return threshold + (1 - threshold) * reached if own is None else reached

    def shortfall(self, figures: Mapping[str, float]) -> float:
        """What the figures miss of the requirements, summed, as `quality`; 0 where all are met."""
        return sum(max(0.0, one.least - quality(one.figure, figures.get(one.figure.name))) for one in self._bounds)

    @property
    def _is_alone(self) -> bool:
        """Whether no other figure decides."""
        return all(one.figure == self.figure for one in self._bounds)


def quality(figure: MeasuredMetric, value: float | None) -> float:
    """A figure on a scale from 0 to 1 on which more is better; 0 where it is missing.

    An error (less is better) may exceed 1; 1 / (1 + error) keeps the order, and 1 - error in a first approximation.
    """
    if value is None:
        return 0.0
    return value if figure.higher_is_better else 1 / (1 + value)


def is_measured(figure: MeasuredMetric, classes: int | None) -> bool:
    """Whether a study measures the figure.

    Args:
        classes: of the dataset; None = enough.
    """
    return figure.name != "top-5 accuracy" or classes is None or classes >= TOP_FIVE_CLASSES
