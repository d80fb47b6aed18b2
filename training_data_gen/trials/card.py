"""The data card of a set of trials: what is in it, how it was split, what can be learnt from it."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from autommlab.common.files import storage_errors, write_text
from autommlab.tasks import Task
from training_data_gen.trials.plots import draw_hyperparameters, draw_spread
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import TaskFigures, by_bag, grouped, spread, task_figures
from training_data_gen.trials.store import read_trials

CARD_FILE, PLOTS_FOLDER = "README.md", "plots"
_SPLIT_RULE = """\
A task is a dataset with a model. Its train, val and test are the data set's own where it has them, and share no
picture. A trial trains on train and is scored on val. TEST was measured for the winner of each study only, once it was
finished, and no searcher sees it.

Tasks marked *held out* are for evaluation alone: their pair of data set and model occurs in no other task, and their
classes in no other task of the same data set (people have a single class). For the leave-one-dataset-out split, leave
out those marked *left-out set*; these are all tasks of one data set of a kind that has several, and every data set of
a user's own."""
_HOW_TO_READ = """\
*Spread* is the mean over tasks of the best minus the worst configuration. *Noise* is the standard deviation between
seeds of the same configuration. The fractions of variance are those of the score standardised within its task: each
hyperparameter alone (omega squared over its choices or five equal parts of its range), and all together (R squared of
a random forest on tasks that it was not fitted to). Failed trials count with the score 0."""


def write_trials_card(folder: Path) -> Path:
    """Write the card and its plots beside the trials of a folder.

    Raises:
        DataError: there are no trials, or they cannot be read.
        StorageError: the folder cannot be written.
    """
    recorded = read_trials(folder)
    tasks = grouped(recorded, lambda t: t.task)
    with storage_errors(folder):
        for task, found in tasks.items():
            draw_hyperparameters(found, folder / PLOTS_FOLDER / f"{task}-hyperparameters.png")
            draw_spread(found, folder / PLOTS_FOLDER / f"{task}-bags.png")
    return write_text(folder / CARD_FILE, card_text(recorded))


def card_text(recorded: Sequence[RecordedTrial]) -> str:
    """The card of trials, which are not empty, in Markdown."""
    tasks = grouped(recorded, lambda t: t.task)
    figures = {task: task_figures(found) for task, found in tasks.items()}
    parts = [
        "# Trials: dataset and model, hyperparameters, performance",
        _overview(recorded, figures.values()),
        "## Tasks",
        _task_table(figures),
        "## Fraction of the variance that hyperparameters explain",
        _explained_table(figures),
        _HOW_TO_READ,
        "## Split",
        _SPLIT_RULE,
        _split_table(recorded),
        "## Failures",
        _failures(recorded),
        "## Ranges",
        _ranges(tasks),
        "## Held-out and source tasks",
        _bag_table(recorded),
        "## Plots",
        *(f"![{task}]({PLOTS_FOLDER}/{task}-{kind}.png)" for task in tasks for kind in ("hyperparameters", "bags")),
    ]
    return "\n\n".join(parts) + "\n"


def _overview(recorded: Sequence[RecordedTrial], figures: Iterable[TaskFigures]) -> str:
    days = sorted(_day(t) for t in recorded if t.ended_at)
    when = f" between {days[0]} and {days[-1]}" if days else ""
    versions = "; ".join(
        f"{name} {', '.join(sorted({t.versions[name] for t in recorded if name in t.versions}))}"
        for name in sorted({name for t in recorded for name in t.versions})
    )
    return (
        f"{len(recorded)} real trainings over {len(by_bag(recorded))} tasks, {sum(f.hours for f in figures):.1f} hours "
        f"of work in all (sum over workers), trained{when}. One line of JSON per trial "
        f"(`training_data_gen.trials.records.RecordedTrial`), made by `autommlab trials`. {versions}."
    )


def _task_table(figures: dict[Task, TaskFigures]) -> str:
    rows = [
        [
            task,
            f.bags,
            f.trials,
            f"{f.hours:.2f}",
            f"{f.seconds[0]:.1f} / {f.seconds[1]:.1f}",
            f"{f.failed:.1%}",
            f"{f.diverged:.1%}",
            f"{f.spread:.3f}",
            _or_dash(f.noise),
        ]
        for task, f in figures.items()
    ]
    head = ["kind", "tasks", "trials", "hours", "s per trial (median / most)", "failed", "diverged", "spread", "noise"]
    return _table(head, rows)


def _explained_table(figures: dict[Task, TaskFigures]) -> str:
    names = next((list(f.explained) for f in figures.values() if f.explained), [])
    if not names:
        return "Too few trials to say."
    rows = [
        [task, *(f"{f.explained[n]:.2f}" if n in f.explained else "-" for n in names), _or_dash(f.together, 2)]
        for task, f in figures.items()
    ]
    return _table(["kind", *names, "all together"], rows)


def _split_table(recorded: Sequence[RecordedTrial]) -> str:
    def side(trial: RecordedTrial) -> tuple[str, str, str, str]:
        return (
            trial.task,
            trial.bag.dataset,
            "held out" if trial.held_out else "train",
            "left-out set" if trial.left_out else "",
        )

    rows = [[*key, len(by_bag(found)), len(found)] for key, found in sorted(grouped(recorded, side).items())]
    return _table(["kind", "data set", "split", "mark", "tasks", "trials"], rows)


def _failures(recorded: Sequence[RecordedTrial]) -> str:
    failed = [t for t in recorded if t.failed]
    if not failed:
        return "No trial failed."
    reasons = Counter((t.task, t.status, t.reason.partition(":")[0] or "no reason given") for t in failed)
    return _table(["kind", "status", "reason", "trials"], [[*key, n] for key, n in reasons.most_common(12)])


def _ranges(tasks: dict[Task, list[RecordedTrial]]) -> str:
    def bounds(values: Iterable[float]) -> str:
        known = sorted(values)
        return f"{known[0]:.4g} to {known[-1]:.4g}"

    rows = [
        [
            task,
            ", ".join(sorted({t.model.title for t in found})),
            bounds(len(t.bag.classes) for t in found),
            bounds(t.bag.train for t in found),
            ", ".join(sorted({"x".join(map(str, t.model.input_size)) for t in found})),
            *(
                bounds(float(t.config[name]) for t in found)
                for name in ("iterations", "batch_size", "lr", "weight_decay")
            ),
        ]
        for task, found in tasks.items()
    ]
    head = ["kind", "models", "classes", "train images", "input", "iterations", "batch size", "lr", "weight decay"]
    return _table(head, rows)


def _bag_table(recorded: Sequence[RecordedTrial]) -> str:
    rows = []
    for name, found in sorted(by_bag(recorded).items()):
        s, first = spread(found), found[0]
        rows.append(
            [
                name,
                f"{first.bag.dataset}, {len(first.bag.classes)} classes, {first.bag.train} images",
                first.model.title,
                len(found),
                f"{s.lowest:.3f}",
                f"{s.median:.3f}",
                f"{s.highest:.3f}",
                _or_dash(s.default),
                "-" if s.better is None else f"{s.better:.0%}",
                _or_dash(s.near),
                _or_dash(_winner_on_test(found)),
            ]
        )
    head = ["task", "data", "model", "trials", "val min", "median", "max", "default", "beat it"]
    return _table([*head, "best near it", "winner on test"], rows)


def _winner_on_test(recorded: Sequence[RecordedTrial]) -> float | None:
    """Of the studies' winners, the one that is best on VAL."""
    tested = [t for t in recorded if t.test is not None]
    return max(tested, key=lambda t: t.score).test if tested else None


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)


def _or_dash(value: float | None, decimals: int = 3) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _day(trial: RecordedTrial) -> str:
    return datetime.datetime.fromtimestamp(trial.ended_at, tz=datetime.UTC).strftime("%Y-%m-%d")
