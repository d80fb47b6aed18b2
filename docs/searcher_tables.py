"""Tables of searchers on the development tasks.

The intervals are made here: a bootstrap over tasks and seeds, not over seeds alone as in the JSON.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from blocks import RESULTS, read, table
from numpy.typing import NDArray

#: Names in the stored results -> names that `autommlab searchers` lists today.
NAMES = {"llm+tpe-before": "llm+tpe, first version"}
#: The control without an LLM, and the same with the LLM's candidates; both estimated (`docs/surrogate_grid.py`).
GRID, LLM_GRID = "surrogate-grid", "llm+grid"
_EARLIER = NAMES["llm+tpe-before"]
_AFTER = (1, 3, 5, 10, 20)
_DRAWS = 4000

Scores = NDArray[np.float64]


class Task(NamedTuple):
    """One development task: its metric, the normalised best so far and the raw one, each [seed, trial]."""

    kind: str
    metric: str
    data: str
    model: str
    best: dict[str, Scores]
    raw: dict[str, Scores]
    test: dict[str, Scores]


@functools.cache
def tasks() -> dict[str, Task]:
    """The eight tasks of `hpo_held_out_20.json`, with the searchers that are estimated."""
    stored, estimated = read("hpo_held_out_20.json"), read("surrogate_grid.json")["studies"]
    return {
        name: _task(comparison, {arm: studies[name] for arm, studies in estimated.items()})
        for name, comparison in comparisons(stored).items()
    }


def comparisons(stored: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Task -> its comparison."""
    found: dict[str, dict[str, Any]] = stored["comparisons"]
    return found


def _task(comparison: dict[str, Any], estimated: dict[str, dict[str, Any]]) -> Task:
    studies = sorted(comparison["studies"], key=lambda study: study["seed"])
    every = [score for study in studies for score in study["scores"]]
    worst, width = min(every), max(every) - min(every)
    raw: dict[str, Scores] = {}
    test: dict[str, Scores] = {}
    for name in dict.fromkeys(study["searcher"] for study in studies):
        own = [study for study in studies if study["searcher"] == name]
        curves = [_curve(study["scores"], study["budget"] or len(study["scores"])) for study in own]
        raw[NAMES.get(name, name)] = np.array(curves)
        test[NAMES.get(name, name)] = np.array([study["test"] for study in own])
    for arm, by_seed in estimated.items():
        studies = [by_seed[seed] for seed in sorted(by_seed, key=int)]
        raw[arm] = np.array([_curve(study["scores"], len(study["scores"])) for study in studies])
        test[arm] = np.array([study["tests"][int(np.argmax(study["scores"]))] for study in studies])
    return Task(
        comparison["task"],
        comparison["objective"],
        comparison["data"],
        comparison["model"],
        {name: (scores - worst) / width for name, scores in raw.items()},
        raw,
        {name: (scores - worst) / width for name, scores in test.items()},
    )


def _curve(scores: Sequence[float], length: int) -> list[float]:
    best = list(itertools.accumulate(scores, max))
    return best + [best[-1]] * (length - len(best))


def after(name: str, trials: int) -> Scores:
    """Normalised best so far [task, seed]; empty if the searcher had fewer trials."""
    found = [task.best[name] for task in tasks().values()]
    return np.array([each[:, trials - 1] for each in found]) if found[0].shape[1] >= trials else np.empty((0, 0))


def on_test(name: str) -> Scores:
    """The winner's normalised test score at the end of the budget [task, seed]."""
    return np.array([task.test[name] for task in tasks().values()])


def interval(values: Scores) -> tuple[float, float]:
    """95 % bootstrap interval of the mean: tasks are drawn, then seeds within each."""
    rng = np.random.default_rng(0)
    count, seeds = values.shape
    drawn = rng.integers(count, size=(_DRAWS, count))
    within = rng.integers(seeds, size=(_DRAWS, count, seeds))
    means = values[drawn[:, :, None], within].mean(axis=(1, 2))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def label(name: str) -> str:
    """A searcher as it is typed, and whether its figures are estimates."""
    if name in (GRID, LLM_GRID):
        return f"`{name}`, estimated"
    return name if name == _EARLIER else f"`{name}`"


def estimate(values: Scores) -> str:
    """Mean and interval; "" for none."""
    if not values.size:
        return ""
    low, high = interval(values)
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def searcher_scores() -> str:
    """Every searcher after so many trials, and on test."""
    names = [GRID, LLM_GRID, "hpo-llama", "llm+tpe", _EARLIER, "zero-shot", "surrogate"]
    names += ["default", "tpe+default", "random", "tpe"]
    rows = [[label(n), *(estimate(after(n, count)) for count in _AFTER), estimate(on_test(n))] for n in names]
    return table(["searcher", *(f"after {count}" for count in _AFTER), "winner on test"], rows)


def contrasts() -> str:
    """Differences of two searchers."""
    asked = [
        ("hpo-llama", 1, GRID, 1), ("hpo-llama", 3, GRID, 3), ("hpo-llama", 10, GRID, 10),
        (LLM_GRID, 3, GRID, 3), (LLM_GRID, 10, GRID, 10),
        (LLM_GRID, 3, "hpo-llama", 3), (LLM_GRID, 10, "hpo-llama", 10),
        ("hpo-llama", 1, "default", 1), ("hpo-llama", 1, "surrogate", 1), ("hpo-llama", 3, "surrogate", 3),
        ("hpo-llama", 1, "zero-shot", 1), ("hpo-llama", 3, "zero-shot", 3),
        ("hpo-llama", 3, "tpe+default", 3), ("hpo-llama", 10, "tpe+default", 10),
        ("hpo-llama", 10, "random", 10), ("hpo-llama", 20, "tpe", 20), ("llm+tpe", 20, "hpo-llama", 20),
    ]  # fmt: skip
    rows = []
    for one, n, other, m in asked:
        difference = after(one, n) - after(other, m)
        low, high = interval(difference)
        means = difference.mean(axis=1)
        counts = (int((means > 0).sum()), int((means == 0).sum()), int((means < 0).sum()))
        verdict = "yes" if low > 0 else "no, worse" if high < 0 else "not shown"
        rows.append(
            [
                f"{label(one)} after {n}, {label(other)} after {m}",
                f"{difference.mean():+.3f} ({low:+.3f} to {high:+.3f})",
                ", ".join(map(str, counts)),
                verdict,
            ]
        )
    return table(["compared", "difference", "tasks better, equal, worse", "better?"], rows)


def by_task() -> str:
    """The task's own metric, mean over seeds."""
    names = ["default", GRID, "zero-shot", "hpo-llama"]
    header = [
        "task",
        "data",
        "model",
        "metric",
        *(f"{label(n)} {k}" for n in names for k in (1, 3) if k == 1 or n != "default"),
    ]
    rows = []
    for task in tasks().values():
        cells = [task.kind, task.data, task.model, task.metric]
        for name in names:
            for count in (1, 3):
                if task.raw[name].shape[1] >= count:
                    cells.append(f"{task.raw[name][:, count - 1].mean():.3f}")
        rows.append(cells)
    return table(header, rows, words=4)


def llm_cost() -> str:
    """Seconds and fallbacks of the searchers that ask the LLM."""
    compared = comparisons(read("hpo_held_out_20.json")).values()
    rows = []
    for name in ("hpo-llama", "llm+tpe"):
        studies = [study for comparison in compared for study in comparison["studies"] if study["searcher"] == name]
        seconds = np.array([study["llm_seconds"] for study in studies])
        trials = sum(len(study["scores"]) for study in studies)
        asked = sum(study["proposed_by"].get("hpo-llama", 0) for study in studies)
        fallbacks = sum(count for study in studies for who, count in study["proposed_by"].items() if "fallback" in who)
        rows.append(
            [
                f"`{name}`", str(len(studies)), f"{seconds.mean():.0f}", f"{seconds.sum() / asked:.1f}",
                f"{fallbacks} of {trials}",
            ]
        )  # fmt: skip
    header = ["searcher", "studies of 20 trials", "LLM s a study", "LLM s a proposal of the LLM", "fallbacks"]
    return table(header, rows)


def hours() -> str:
    """What the committed trainings cost, by task."""
    seconds: dict[str, list[float]] = {}
    with gzip.open(RESULTS / "hpo_trainings.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            training = json.loads(line)
            taken = training["setup_s"] + training["train_s"] + training["val_s"]
            seconds.setdefault(training["task"], []).append(taken)
    seconds["all"] = [each for own in seconds.values() for each in own]
    rows = [[task, f"{len(own):,}", f"{sum(own) / 3600:.1f}"] for task, own in seconds.items()]
    return table(["task", "trainings", "hours"], rows)
