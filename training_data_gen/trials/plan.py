"""The plan: which bags are trained, over four tasks; deterministic, in an order that stays balanced.

Held out are whole combinations of data set, model and class subset: a held-out task's pair of data set
and model occurs in no source task, and its classes in no source task of the same data set (people
have one class only). For the leave-one-dataset-out split the bags of one data set a task are marked as
well, where the task has several. A user's own sets are held out as a whole.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from autommlab.common.errors import RequestError
from autommlab.data import registry
from autommlab.tasks import Task
from training_data_gen.trials.menus import MENUS, Menu, MenuPair, Size
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.themes import POOLS, draw_classes

if TYPE_CHECKING:
    from rich.table import Table

Value = TypeVar("Value")

#: Held-out tasks of each task.
HELD_OUT_BAGS = 2
#: Embedded sets that the leave-one-dataset-out split keeps away.
LEFT_OUT_SETS = frozenset({"digits", "drawn-people"})
#: Source tasks of each task whose first configurations are also trained under these seeds, to know the noise.
NOISE_BAGS, NOISE_SEEDS = 1, (1, 2)
#: Raise it with any change of what is planned: it seeds every draw.
PLAN_VERSION = 3


def plan_bags(tasks: Sequence[Task] = tuple(Task), *, datasets: Sequence[str] = ()) -> list[PlannedBag]:
    """All bags, a user's own first, then task by task in turn, a held-out one after every few.

    Args:
        tasks: those wanted; the bags of one task do not depend on the others.
        datasets: names of registered sets to add, as held-out tasks.

    Raises:
        DataError: no data set of such a name.
        RequestError: a named set is embedded (it is in the plan already) or of another task.
    """
    own = [bag for name in datasets for bag in _own_bags(name, tasks)]
    by_task = [_spread_out(_training_bags(task), _held_out_bags(task)) for task in tasks]
    turns = itertools.zip_longest(*by_task)
    return [*own, *(bag for turn in turns for bag in turn if bag is not None)]


def _training_bags(task: Task) -> list[PlannedBag]:
    menu, rng = MENUS[task], _rng(f"{task}/train")
    pairs = _evenly(menu.training, menu.bags, rng)
    counts = _evenly(menu.classes, menu.bags, rng)
    taken: set[tuple[MenuPair, frozenset[str]]] = set()
    bags = []
    for number, draws in enumerate(zip(pairs, counts, *_bounds(menu, menu.bags, rng), strict=True)):
        pair, count, *bounds = draws
        classes = _new_classes(task, pair, count, number, taken, rng)
        taken.add((pair, frozenset(classes)))
        bag = _bag(f"{task}-{number:02d}", task, pair, classes, bounds, menu)
        repeated = NOISE_SEEDS if number < NOISE_BAGS else ()
        bags.append(bag.model_copy(update={"sequence": number, "noise_seeds": repeated}))
    return bags


def _held_out_bags(task: Task) -> list[PlannedBag]:
    menu, rng = MENUS[task], _rng(f"{task}/held out")
    bounds = list(zip(*_bounds(menu, HELD_OUT_BAGS, rng), strict=True))
    pairs = itertools.islice(itertools.cycle(menu.held_out), HELD_OUT_BAGS)
    bags = []
    for number, pair in enumerate(pairs):
        fewest = 2 if task is Task.CLASSIFICATION else 1
        subsets = [s for s in POOLS[pair.dataset].reserved if fewest <= len(s) <= max(menu.classes)]
        classes = subsets[number % len(subsets)]
        bag = _bag(f"{task}-held-out-{number}", task, pair, classes, bounds[number], menu)
        bags.append(bag.model_copy(update={"held_out": True, "sequence": menu.bags + number}))
    return bags


def _new_classes(
    task: Task, pair: MenuPair, count: int, number: int, taken: set[tuple[MenuPair, frozenset[str]]], rng: random.Random
) -> tuple[str, ...]:
    """A class subset that this pair has not had yet, as far as its data set has enough."""
    classes: tuple[str, ...] = ()
    for _ in range(20):
        fewest = 2 if task is Task.CLASSIFICATION else 1
        classes = draw_classes(POOLS[pair.dataset], max(count, fewest), alike=number % 2 == 0, rng=rng)
        if (pair, frozenset(classes)) not in taken:
            break
    return classes


def _bounds(menu: Menu, count: int, rng: random.Random) -> tuple[list[int], list[Size], list[Size], list[Size]]:
    """Training images, input sizes, iterations and batch sizes, one list of `count` each."""
    return (
        _evenly(menu.train, count, rng),
        _evenly(menu.input_sizes, count, rng),
        _evenly(menu.iterations, count, rng),
        _evenly(menu.batch_size, count, rng),
    )


def _bag(name: str, task: Task, pair: MenuPair, classes: tuple[str, ...], bounds: Sequence, menu: Menu) -> PlannedBag:
    train, input_size, iterations, batch_size = bounds
    return PlannedBag(
        id=name,
        task=task,
        dataset=pair.dataset,
        classes=classes,
        model=pair.model,
        input_size=input_size,
        images=(train, menu.evaluation, menu.evaluation),
        iterations=iterations,
        batch_size=batch_size,
        reports=menu.reports,
        left_out=pair.dataset in LEFT_OUT_SETS,
    )


def _own_bags(name: str, tasks: Sequence[Task]) -> list[PlannedBag]:
    """Two bags of a user's set: the packaged models of both ends of the size range, all classes."""
    spec = registry.find_dataset(name)
    if spec.embedded:
        raise RequestError(f"--data {name}: this embedded set is in the plan already; name sets of your own")
    if spec.name not in {known.name for known in registry.all_specs()}:
        raise RequestError(f"--data {name}: register the folder first, as trials name it: autommlab data add {name}")
    if spec.task not in tasks:
        raise RequestError(f"--data {name}: it is for {spec.task}, but only {', '.join(tasks)} is asked for (--tasks)")
    menu = MENUS[spec.task]
    rng = _rng(spec.name)
    models = sorted({pair.model for pair in menu.training if pair.model.endswith("_packaged")})
    bounds = list(zip(*_bounds(menu, 2, rng), strict=True))
    return [
        _bag(f"{spec.name}-{number}", spec.task, MenuPair(spec.name, model), (), bounds[number], menu).model_copy(
            update={"held_out": True, "left_out": True, "sequence": number}
        )
        for number, model in enumerate((models[0], models[-1]))
    ]


def _rng(purpose: str) -> random.Random:
    """A generator for one purpose: its draws do not depend on those for another."""
    return random.Random(f"{PLAN_VERSION}/{purpose}")  # noqa: S311 - draws the plan, not secrets


def _evenly(options: Sequence[Value], count: int, rng: random.Random) -> list[Value]:
    """`count` draws that use each option as often as any other, give or take one."""
    repeated = [option for _ in range(-(-count // len(options))) for option in rng.sample(options, len(options))]
    drawn = repeated[:count]
    rng.shuffle(drawn)
    return drawn


def _spread_out(many: Sequence[PlannedBag], few: Sequence[PlannedBag]) -> list[PlannedBag]:
    """One of `few` after each equal fraction of `many`, so that a plan cut short has both."""
    share = -(-len(many) // max(1, len(few)))
    merged: list[PlannedBag] = []
    for number, bag in enumerate(few):
        merged += [*many[number * share : (number + 1) * share], bag]
    return merged + list(many[len(few) * share :])


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
