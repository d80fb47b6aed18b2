"""Writes every table of results into the README and the documentation, from the committed JSON alone.

`python docs/render_results.py` writes the blocks, `--check` only says whether one is stale. The intervals of
the searcher tables are made here: a bootstrap over tasks and seeds, not over seeds alone as in the JSON.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import registered_tables
from blocks import ROOT, escaped, main, table, text_table
from numpy.typing import NDArray

RESULTS = ROOT / "training_data_gen" / "results"

#: Names in the stored results -> names that `autommlab searchers` lists today.
NAMES = {"llm+tpe-before": "llm+tpe, first version"}
#: The control without an LLM, and the same with the LLM's candidates; both estimated (`docs/surrogate_grid.py`).
GRID, LLM_GRID = "surrogate-grid", "llm+grid"
_EARLIER = NAMES["llm+tpe-before"]
_AFTER = (1, 3, 5, 10, 20)
_DRAWS = 4000

Scores = NDArray[np.float64]


def read(name: str) -> dict[str, Any]:
    """A committed result."""
    content: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return content


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


def percent(share: dict[str, Any], *, bounds: bool = False) -> str:
    """A share of right answers as a percentage."""
    text = f"{100 * share['share']:.1f}"
    return f"{text} ({100 * share['interval'][0]:.1f} to {100 * share['interval'][1]:.1f})" if bounds else text


def headline() -> str:
    """The README's table."""
    ru, e2e = read("ru_test_adapter.json"), read("e2e_hpo_llama.json")
    again = read("ru_test_2_adapter.json")
    understood = [percent(each["levels"]["request"]["all"], bounds=True) for each in (again, ru)]
    rows = [
        [
            "Requests understood in every field, of 160 unseen and 140 older ones",
            " and ".join(understood) + " %",
        ],
        [f"{len(e2e['rows'])} requests to deployed models", f"{e2e['points']} of {2 * len(e2e['rows'])} points"],
    ]
    for count in (1, 3):
        difference = after("hpo-llama", count) - after(GRID, count)
        low, high = interval(difference)
        text = f"{difference.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        rows.append([f"`hpo-llama` minus `{GRID}` after {count}", text])
    kinds = {"hpo-llama": " (the LLM)", LLM_GRID: " (the LLM among others)"}
    scores = [
        [
            f"{label(name)}{kinds.get(name, '')}",
            *(f"{after(name, n).mean():.3f}" if after(name, n).size else "" for n in (1, 3, 10)),
        ]
        for name in ("hpo-llama", LLM_GRID, GRID, "zero-shot", "default", "tpe+default", "tpe")
    ]
    by_trials = text_table(["score after trials", "1", "3", "10"], scores)
    return f"{text_table(['what', 'figure'], rows)}\n\n{by_trials}"


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


def understanding() -> str:
    """Request understanding by level."""
    results = [read(f"ru_test_{name}.json") for name in ("zero_shot", "base", "adapter_1494", "adapter")]
    kinds = ("classification", "detection", "segmentation", "keypoint")
    rows = []
    for level in ("item", "list", "key", "request", "valid parse"):
        found = [each["valid"] if level == "valid parse" else each["levels"][level] for each in results]
        base, shots, earlier, adapter = found
        by_task = [percent(adapter["tasks"][kind]) for kind in kinds]
        ends = [percent(each["all"], bounds=True) for each in (earlier, adapter)]
        rows.append([level, percent(base["all"]), percent(shots["all"]), *by_task, *ends])
    header = ["level", "base model", "base, 5 examples", *kinds, "adapter of 1,494 requests, all", "adapter, all"]
    return table(header, rows)


def second_test() -> str:
    """The second test set of request understanding, by level."""
    earlier, result = (
        {**stored["levels"], "valid parse": stored["valid"]}
        for stored in (read("ru_test_2_adapter_1494.json"), read("ru_test_2_adapter.json"))
    )
    kinds = ("classification", "detection", "segmentation", "keypoint")
    rows = [
        [
            level, *(percent(found["tasks"][kind]) for kind in kinds),
            *(percent(each["all"], bounds=True) for each in (earlier[level], found)),
        ]
        for level, found in result.items()
    ]  # fmt: skip
    return table(["level", *kinds, "adapter of 1,494 requests, all", "adapter, all"], rows)


def fields() -> str:
    """Request understanding by field, on both test sets."""
    first, second = (read(name)["fields"] for name in ("ru_test_adapter.json", "ru_test_2_adapter.json"))
    rows = [[name, *(cell for field in (first[name], second[name]) for cell in _field_cells(field))] for name in first]
    header = ["right, all requests", "right where the person says it"]
    return table(["field", *(f"{test}: {words}" for test in ("first set", "second") for words in header)], rows)


def _field_cells(field: dict[str, Any]) -> tuple[str, str]:
    stated = field["stated"]
    return percent(field["all"], bounds=True), f"{percent(stated)} of {stated['of']}"


def doubt_alarms() -> str:
    """Parses made by hand that are doubted."""
    sets = read("doubts.json")["alarms"]
    names = sorted({field for found in sets.values() for field in found["by field"]})
    rows = [
        [
            words, str(found["requests"]), f"{100 * found['doubted'] / found['requests']:.1f}",
            *(str(found["by field"].get(name, 0)) for name in names),
        ]
        for words, found in sets.items()
    ]  # fmt: skip
    return table(["set", "requests", "doubted, %", *names], rows)


def doubt_faults() -> str:
    """Faults that are found, by kind."""
    rows = [
        [kind, str(found["made"]), *(f"{100 * found[by] / found['made']:.0f}" for by in ("doubts", "checks", "either"))]
        for kind, found in read("doubts.json")["faults"].items()
    ]
    return table(["fault", "made", "doubted, %", "found by the older checks, %", "either, %"], rows)


def end_to_end() -> str:
    """One line per request."""
    stored = read("e2e_hpo_llama.json")
    rows = []
    for row in stored["rows"]:
        wrong = "; ".join(f"{m['field']}: {m['got']} for {m['expected']}" for m in row["mistakes"])
        quality = row["checks"][0]
        rows.append(
            [
                row["task"], ", ".join(name for name in row["classes"] if name != "background"),
                "yes" if row["understood"] else f"no ({wrong})",
                f"{quality['name']} {quality['wanted']}", quality["got"].split(" on ")[0],
                "yes" if row["met"] else "no", str(row["points"]), f"{row['seconds']:.0f}",
            ]
        )  # fmt: skip
    total = ["all", "", "", "", "", "", f"{stored['points']} of {2 * len(stored['rows'])}", ""]
    header = ["task", "classes of the model", "understood", "asked", "test score", "met", "points", "seconds"]
    return text_table(header, [*rows, total])


def zoo_check() -> str:
    """Popular models of the zoo and how far each came."""
    rows = []
    for line in json.loads((RESULTS / "zoo_check.json").read_text(encoding="utf-8")):
        taken, of = line["loaded"]
        width, height = line["input_size"]
        end = "all" if not line["failed"] else f"not {line['failed']}: {escaped(line['reason'][:140])}"
        rows.append(
            [
                line["task"], f"{line['title']} (`{line['name']}`)", f"{width}x{height}", f"{line['params_m']:.1f}",
                f"{line['flops_g']:.2f}", f"{taken} of {of}" if of else "-", str(line["groups"] or "-"),
                (f"{line['difference']:.0e}" if line["difference"] else "0") if line["allowed"] else "-", end,
            ]
        )  # fmt: skip
    header = ["task", "model", "pixels", "M params", "GFLOPs", "loaded", "groups", "difference", "steps"]
    return text_table(header, rows)


def data_costs() -> str:
    """What large data sets cost, before and after their reading was made cheaper."""

    def stored(name: str) -> dict[tuple[str, int, str], dict[str, Any]]:
        lines = json.loads((RESULTS / name).read_text(encoding="utf-8"))
        return {(line["task"], line["images"], line["step"]): line for line in lines}

    before, now = stored("data_costs_before.json"), stored("data_costs.json")
    rows = []
    for (task, images, step), line in now.items():
        old = before.get((task, images, step))
        pair = [f"{old['cpu_s']:.1f}", f"{old['memory_mb']:.0f}"] if old else ["-", "-"]
        rows.append([task, f"{images:,}", step, pair[0], f"{line['cpu_s']:.1f}", pair[1], f"{line['memory_mb']:.0f}"])
    header = ["task", "pictures", "step", "CPU s before", "CPU s now", "MB before", "MB now"]
    return table(header, rows, words=3)


def serve_model() -> str:
    """Requests a second of the model service."""
    lines, rows = json.loads((RESULTS / "serve_model.json").read_text(encoding="utf-8")), []
    for line in lines:
        width, height = line["input_size"]
        head = [f"{escaped(line['model'])}, {line['task']}, {line['engine']}, {width}x{height}"]
        for rate in (line["alone"], *line["served"]):
            way = ["one process of `predict.py`", "-", "-", "-"]
            if rate["replicas"]:
                way = ["service", *(str(rate[key]) for key in ("replicas", "batch", "clients"))]
            figures = [f"{rate['per_second']:.1f}", f"{rate['ratio']:.2f}", f"{rate['cpu_ms']:.1f}"]
            rows.append([*head, *way, *figures, f"{rate['p50_ms']:.0f}", f"{rate['p95_ms']:.0f}"])
    header = ["model", "way", "replicas", "batch", "clients", "a second", "ratio", "CPU ms", "p50 ms", "p95 ms"]
    drift = ", ".join(f"{line['drift']:.2f} ({line['task']})" for line in lines)
    steady = f"One process after the service over the same before it, 1 on a steady machine: {drift}."
    return f"{table(header, rows, words=2)}\n\n{steady}"


def quantize() -> str:
    """INT8 against float, a line for each model and engine."""
    stored, rows = read("quantize.json"), []
    for line in stored["lines"]:
        width, height = line["input_size"]
        head = [
            f"{line['task']}, {escaped(line['model'])}, {width}x{height}, {line['iterations']} steps",
            f"`{line['engine']}`",
        ]
        found = line["quantization"]
        if found is None:
            rows.append([*head, escaped(line["problem"]), *["-"] * 6])
            continue
        figures = [f"{found[split][side]:.3f}" for split in ("val", "test") for side in ("float32", "int8")]
        val, test = " / ".join(figures[:2]), " / ".join(figures[2:])
        size = " / ".join(f"{found['size_mb'][side]:.1f}" for side in ("float32", "int8"))
        p50 = " / ".join(f"{found['p50_ms'][side]:.2f}" for side in ("float32", "int8"))
        delivered = "INT8" if found["delivered"] else "float"
        scope = f"{found['scope']} ({found['int8_layers']})"
        rows.append([*head, scope, f"{found['metric']} {val}", test, p50, f"{found['speedup']:.2f}", size, delivered])
    header = ["model", "engine", "quantised (layers)", "val", "test", "p50 ms", "times as fast", "MB", "delivered"]
    where = (
        f"`{stored['command']}`, seed {stored['seed']}, {stored['date']}, {stored['machine']['CPU cores']} CPU cores"
    )
    return f"{table(header, rows, words=3)}\n\nFloat / INT8. {where}."


WRITERS: dict[str, Callable[[], str]] = {
    "quantize": quantize,
    "data-costs": data_costs,
    "serve-model": serve_model,
    "zoo-check": zoo_check,
    "headline": headline,
    "searcher-scores": searcher_scores,
    "searcher-contrasts": contrasts,
    "searcher-by-task": by_task,
    "llm-cost": llm_cost,
    "hours": hours,
    "understanding": understanding,
    "understanding-second-test": second_test,
    "understanding-fields": fields,
    "doubt-alarms": doubt_alarms,
    "doubt-faults": doubt_faults,
    "end-to-end": end_to_end,
    "registered-results": registered_tables.results,
}

if __name__ == "__main__":
    main(WRITERS)
