"""The control without an LLM: the transfer surrogate ranks a grid around the default configuration.

The grid has 28 points: learning rate x 2^(k/2) for k = -2..4 and the four schedules, everything else as in
the default configuration. Nothing is trained: a proposal takes the figures of the nearest committed training
of the same task and seed, so the result is an estimate. `python docs/surrogate_grid.py` writes
`training_data_gen/results/surrogate_grid.json`.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from autommlab.models.packaged import PACKAGED_ENTRIES
from autommlab.models.recipe import default_recipe
from searchers.context import StudyContext
from searchers.distance import coordinates, is_near
from searchers.space import Point, SearchSpace
from searchers.transfer.transfer_surrogate import score_from

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "training_data_gen" / "results"
HISTORY = ROOT / "searchers" / "transfer" / "trial_history.jsonl.gz"
OUT = RESULTS / "surrogate_grid.json"

_SCHEDULES = ("MultiStepLR", "CosineAnnealingLR", "StepLR", "PolyLR")
_TRIALS = 10


def grid(default: Point, space: SearchSpace) -> list[Point]:
    """The 28 points around the default configuration."""
    return [
        space.clip({**default, "lr": float(default["lr"]) * 2 ** (k / 2), "lr_schedule": schedule})
        for k in range(-2, 5)
        for schedule in _SCHEDULES
    ]


def proposals(default: Point, space: SearchSpace, context: StudyContext) -> list[Point]:
    """The first distinct points of the grid, the most promising first."""
    score = score_from(HISTORY, space, context)
    if score is None:
        raise SystemExit(f"{HISTORY} holds no study with this space's parameters")
    points = grid(default, space)
    values = score.values(points)
    chosen: list[Point] = []
    for number in sorted(range(len(points)), key=lambda number: -values[number]):
        if not is_near(space, points[number], chosen):
            chosen.append(points[number])
    return chosen[:_TRIALS]


def study(points: list[Point], space: SearchSpace, trainings: list[dict[str, Any]]) -> dict[str, Any]:
    """What each proposal reaches: the figures of the nearest training, and how far away that is."""
    places = [coordinates(space, training["point"]) for training in trainings]
    found: dict[str, Any] = {"scores": [], "tests": [], "distances": []}
    for point in points:
        gaps = [math.dist(coordinates(space, point), place) for place in places]
        nearest = min(range(len(gaps)), key=gaps.__getitem__)
        found["scores"].append(trainings[nearest]["score"])
        found["tests"].append(trainings[nearest]["test"])
        found["distances"].append(round(gaps[nearest], 4))
    return found


def studies() -> dict[str, dict[str, Any]]:
    """Task -> seed -> what the grid reaches."""
    entries = {entry.name: entry for entry in PACKAGED_ENTRIES}
    by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(RESULTS / "hpo_trainings.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            training = json.loads(line)
            by_task[training["planned"]].append(training)
    found: dict[str, dict[str, Any]] = {}
    for name, trainings in sorted(by_task.items()):
        space = SearchSpace.model_validate({"parameters": trainings[0]["parameters"]})
        default = default_recipe(entries[trainings[0]["model"]["name"]], space=space)
        points = proposals(default, space, StudyContext(facts=trainings[0]["context"]))
        seeds = sorted({training["seed"] for training in trainings})
        found[name] = {
            str(seed): study(points, space, [each for each in trainings if each["seed"] == seed]) for seed in seeds
        }
    return found


def main() -> None:
    """Write the result."""
    content = {"command": "python docs/surrogate_grid.py", "method": "nearest committed training", "studies": studies()}
    OUT.write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(f"wrote {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
