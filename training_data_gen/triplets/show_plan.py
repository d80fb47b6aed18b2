"""The plan as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from training_data_gen.triplets.planned import PlannedBag

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = ("bag", "data set", "classes", "train", "model", "input", "iterations", "batch", "split", "noise")


def plan_table(bags: Sequence[PlannedBag], per_bag: int, near: int) -> Table:
    """One line per bag, in the order in which they are trained."""
    from rich.table import Table

    held_out = sum(bag.held_out for bag in bags)
    title = f"{len(bags)} bags x ({per_bag} + {near} configurations), {held_out} of them held out"
    drawn = Table(*_COLUMNS, title=title)
    for bag in bags:
        drawn.add_row(*_cells(bag))
    return drawn


def _cells(bag: PlannedBag) -> list[str]:
    split = "held out" if bag.held_out else "train"
    return [
        bag.id,
        bag.dataset,
        f"{len(bag.classes)}: {', '.join(bag.classes)}" if bag.classes else "all",
        str(bag.images[0]),
        bag.model,
        "x".join(map(str, bag.input_size)),
        "{}..{}".format(*bag.iterations),
        "{}..{}".format(*bag.batch_size),
        f"{split}, left-out set" if bag.left_out else split,
        f"+{len(bag.noise_seeds)} seeds" if bag.noise_seeds else "",
    ]
