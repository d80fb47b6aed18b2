"""The control without an LLM: the transfer surrogate ranks a grid around the default configuration.

The grid has 28 configurations: learning rate x 2^(k/2) for k = -2..4 and the four schedules, everything else as in
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
from autommlab.models.recipe import default_configuration
from searchers.context import StudyContext
from searchers.distance import coordinates, is_near
from searchers.space import Configuration, SearchSpace
from searchers.transfer.transfer_surrogate import surrogate_from

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "training_data_gen" / "results"
HISTORY = ROOT / "searchers" / "transfer" / "trial_history.jsonl.gz"
OUT = RESULTS / "surrogate_grid.json"

_SCHEDULES = ("MultiStepLR", "CosineAnnealingLR", "StepLR", "PolyLR")
_TRIALS = 10


def grid(default: Configuration, space: SearchSpace) -> list[Configuration]:
    """The 28 configurations around the default configuration."""
    return [
        space.clip({**default, "lr": float(default["lr"]) * 2 ** (k / 2), "lr_schedule": schedule})
        for k in range(-2, 5)
        for schedule in _SCHEDULES
    ]


def proposals(default: Configuration, space: SearchSpace, context: StudyContext) -> list[Configuration]:
    """The first distinct configurations of the grid, the most promising first."""
    surrogate = surrogate_from(HISTORY, space, context)
    if surrogate is None:
        raise SystemExit(f"{HISTORY} holds no study with this space's parameters")
    configs = grid(default, space)
    values = surrogate.values(configs)
    chosen: list[Configuration] = []
    for number in sorted(range(len(configs)), key=lambda number: -values[number]):
        if not is_near(space, configs[number], chosen):
            chosen.append(configs[number])
    return chosen[:_TRIALS]


def study(configs: list[Configuration], space: SearchSpace, trainings: list[dict[str, Any]]) -> dict[str, Any]:
    """What each proposal reaches: the figures of the nearest training, and how far away that is."""
    places = [coordinates(space, training["config"]) for training in trainings]
    found: dict[str, Any] = {"scores": [], "tests": [], "distances": []}
    for config in configs:
        gaps = [math.dist(coordinates(space, config), place) for place in places]
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
        default = default_configuration(entries[trainings[0]["model"]["name"]], space=space)
        configs = proposals(default, space, StudyContext(facts=trainings[0]["context"]))
        seeds = sorted({training["seed"] for training in trainings})
        found[name] = {
            str(seed): study(configs, space, [each for each in trainings if each["seed"] == seed]) for seed in seeds
        }
    return found


def main() -> None:
    """Write the result."""
    content = {"command": "python docs/surrogate_grid.py", "method": "nearest committed training", "studies": studies()}
    OUT.write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(f"wrote {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
