"""What a point of a held-out bag is worth without training it: from a dense table of trainings, or by a surrogate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from autommlab.training.records import TrialStatus
from searchers.distance import place
from searchers.space import ChoiceParameter, Point, SearchSpace
from training_data_gen.triplets.records import Triplet
from training_data_gen.triplets.statistics import main_seed
from training_data_gen.triplets.surrogate import Surrogate

#: Distance between two choices of a parameter, in shares of a numeric parameter's range.
_OTHER_CHOICE = 1.0


class Value(NamedTuple):
    """The objective at a point, 0 if its trial failed, and then how and why it failed."""

    score: float
    failure: str = ""
    status: TrialStatus = "ok"


def value_of(training: Triplet) -> Value:
    """What a real training was worth."""
    if training.failed:
        return Value(0.0, training.reason or training.status, training.status)
    return Value(training.score)


class Landscape(Protocol):
    """The objective of one bag."""

    def __call__(self, point: Point) -> Value:
        """What the point is worth."""
        ...


class Table:
    """Real trainings of one bag; a point is worth what the nearest trained one reached.

    Args:
        triplets: of one bag, not empty; those of its main seed count.
    """

    def __init__(self, triplets: Sequence[Triplet]) -> None:
        self._rows = main_seed(triplets)
        self._space = SearchSpace(parameters=self._rows[0].parameters)
        self._places = np.array([self._coordinates(row.point) for row in self._rows])

    def __call__(self, point: Point) -> Value:
        """See `Landscape`."""
        return value_of(self._rows[int(np.argmin(self._distances(point)))])

    def spacing(self) -> float:
        """Mean distance from a row to the nearest other one: how coarse the table is, 1 = a whole range."""
        if len(self._rows) == 1:
            return 0.0
        return float(np.mean([np.partition(self._distances(row.point), 1)[1] for row in self._rows]))

    def _distances(self, point: Point) -> np.ndarray:
        return np.linalg.norm(self._places - self._coordinates(point), axis=1)

    def _coordinates(self, point: Point) -> list[float]:
        """Two choices that differ are one whole range apart, whichever they are."""
        found: list[float] = []
        for parameter in self._space.parameters:
            value = point[parameter.name]
            if isinstance(parameter, ChoiceParameter):
                found += [(value == choice) * _OTHER_CHOICE / np.sqrt(2) for choice in parameter.choices]
            else:
                found.append(place(parameter, value))
        return found


class Modelled:
    """One bag of a surrogate, which never fails.

    Args:
        surrogate: fitted to triplets of this bag, among others.
        bag: its name.
    """

    def __init__(self, surrogate: Surrogate, bag: str) -> None:
        self._surrogate, self._bag = surrogate, bag

    def __call__(self, point: Point) -> Value:
        """See `Landscape`."""
        return Value(self._surrogate.values(self._bag, [point])[0])
