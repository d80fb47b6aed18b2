"""Plots of trials: the objective against each hyperparameter, and the spread of every bag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.training.records import Hyperparameters
from searchers.distance import unit_value
from searchers.space import ChoiceParameter
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import by_bag, main_seed, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 70
#: Shown as they are, on a logarithmic axis; the others by their place within the bag's bounds.
_LOGARITHMIC = ("lr", "weight_decay")


def draw_hyperparameters(recorded: Sequence[RecordedTrial], file: Path) -> Path:
    """One panel per hyperparameter: the objective relative to the bag's best, one colour per bag, failures as crosses.

    Args:
        recorded: of one task.
        file: a PNG.
    """
    names = [name for name in Hyperparameters.model_fields if name in recorded[0].config]
    figure = _figure((11, 6.2))
    panels = figure.subplots(2, 3).flat
    bags = [main_seed(found) for found in by_bag(recorded).values()]
    for panel, name in zip(panels, names, strict=False):
        _panel(panel, bags, name)
    figure.supylabel(f"{recorded[0].objective} on val, as a fraction of the bag's best")
    figure.suptitle(f"{recorded[0].task}: {len(bags)} bags, {sum(map(len, bags))} trials; crosses failed", fontsize=11)
    return _saved(figure, file)


def draw_spread(recorded: Sequence[RecordedTrial], file: Path) -> Path:
    """For each bag all scores, its median and the default configuration.

    Args:
        recorded: of one task.
        file: a PNG.
    """
    figure = _figure((11, 4.2))
    axes = figure.add_subplot()
    bags = by_bag(recorded)
    for at, found in enumerate(bags.values()):
        own, spread_ = main_seed(found), spread(found)
        axes.plot([at] * len(own), [t.score for t in own], "o", markersize=3, alpha=0.5, color="tab:blue")
        axes.plot([at - 0.3, at + 0.3], [spread_.median] * 2, color="black", linewidth=1.2)
        if spread_.default is not None:
            axes.plot([at], [spread_.default], "D", markersize=5, color="tab:orange")
    axes.set_xticks(range(len(bags)), [name.partition("-")[2] for name in bags], rotation=45, ha="right", fontsize=8)
    axes.set_ylabel(f"{recorded[0].objective} on val")
    axes.set_title(
        f"{recorded[0].task}: every configuration; line = median, diamond = the default configuration", fontsize=10
    )
    axes.grid(axis="y", alpha=0.3)
    return _saved(figure, file)


def _panel(axes: Axes, bags: Sequence[Sequence[RecordedTrial]], name: str) -> None:
    parameter = next(p for p in bags[0][0].parameters if p.name == name)
    for number, found in enumerate(bags):
        top = max(t.score for t in found) or 1.0
        for failed, marker in ((False, "o"), (True, "x")):
            shown = [t for t in found if t.failed is failed]
            axes.plot(
                [_position(t, name, number, len(bags)) for t in shown],
                [t.score / top for t in shown],
                marker,
                markersize=3,
                alpha=0.55,
                color=f"C{number % 10}",
            )
    if isinstance(parameter, ChoiceParameter):
        axes.set_xticks(range(len(parameter.choices)), parameter.choices, fontsize=8)
    elif name in _LOGARITHMIC:
        axes.set_xscale("log")
    axes.set_xlabel(
        name if isinstance(parameter, ChoiceParameter) or name in _LOGARITHMIC else f"{name}, place in bounds"
    )
    axes.grid(alpha=0.25)


def _position(trial: RecordedTrial, name: str, bag: int, bags: int) -> float:
    parameter = next(p for p in trial.parameters if p.name == name)
    value = trial.config[name]
    if isinstance(parameter, ChoiceParameter):
        # Bags side by side, or all configurations of a choice would lie on one line.
        return parameter.choices.index(str(value)) + 0.6 * ((bag + 0.5) / bags - 0.5)
    return float(value) if name in _LOGARITHMIC else unit_value(parameter, value)


def _figure(inches: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=inches, dpi=_DPI, layout="constrained")


def _saved(figure: Figure, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    return file
