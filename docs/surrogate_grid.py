"""What `surrogate-grid`, the control without an LLM, reaches on the development tasks, and what the LLM adds to it.

Nothing is trained: a proposal takes the figures of the nearest committed training of the same task and seed, so the
result is an estimate. For `llm+grid` the LLM's candidates are those that it proposed in the committed studies of
`hpo-llama`: of each, three more than there are results. `python docs/surrogate_grid.py` writes
`training_data_gen/results/surrogate_grid.json`; 3 minutes on 2 cores.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from autommlab.models.packaged import PACKAGED_ENTRIES
from autommlab.models.recipe import default_configuration
from searchers.context import StudyContext
from searchers.distance import coordinates
from searchers.space import Configuration, SearchSpace
from searchers.tracking import Attempt
from searchers.transfer.prospects import Prospects
from searchers.transfer.transfer_surrogate import surrogate_from

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "training_data_gen" / "results"
HISTORY = ROOT / "searchers" / "transfer" / "trial_history.jsonl.gz"
OUT = RESULTS / "surrogate_grid.json"

ARMS = ("surrogate-grid", "llm+grid")
_TRIALS = 10
#: Candidates of the LLM that are at hand beside those that its study had tried by then.
_AT_HAND = 3

Training = dict[str, Any]


def prospects_of(training: Training) -> Prospects:
    """The candidates and their order for the task of a training."""
    entries = {entry.name: entry for entry in PACKAGED_ENTRIES}
    space = SearchSpace.model_validate({"parameters": training["parameters"]})
    default = default_configuration(entries[training["model"]["name"]], space=space)
    surrogate = surrogate_from(HISTORY, space, StudyContext(facts=training["context"]))
    if surrogate is None:
        raise SystemExit(f"{HISTORY} holds no study with this space's parameters")
    return Prospects(space, surrogate, "max", default)


def play(prospects: Prospects, trainings: list[Training], llm: list[Configuration], name: str) -> dict[str, Any]:
    """One study: the figures of the nearest training to each proposal, and how far away that is."""
    space = SearchSpace.model_validate({"parameters": trainings[0]["parameters"]})
    places = np.array([coordinates(space, training["config"]) for training in trainings])
    found: dict[str, Any] = {"scores": [], "tests": [], "distances": []}
    ledger: list[Attempt] = []
    for number in range(_TRIALS):
        rng = random.Random(f"{name}/{trainings[0]['seed']}/{number}")  # noqa: S311 - draws configurations
        more = llm[: number + _AT_HAND] if number else []
        proposal = prospects.best(ledger, rng, more, "llm")
        if proposal is None:
            raise SystemExit(f"{name}: nothing is left to propose after {number} trials")
        gaps = np.linalg.norm(places - np.array(coordinates(space, proposal.config)), axis=1)
        nearest = trainings[int(gaps.argmin())]
        ledger.append(Attempt(proposal.config, proposal.source, score=nearest["score"]))
        found["scores"].append(nearest["score"])
        found["tests"].append(nearest["test"])
        found["distances"].append(round(float(gaps.min()), 4))
    return found


def of_the_llm(studies: list[dict[str, Any]], trainings: list[Training]) -> list[Configuration]:
    """What `hpo-llama` proposed in its study of a seed, in order; a score names its training."""
    by_score = {training["score"]: training["config"] for training in trainings}
    seed = trainings[0]["seed"]
    own = next(study for study in studies if study["searcher"] == "hpo-llama" and study["seed"] == seed)
    return [by_score[score] for score in own["scores"] if score in by_score]


def studies(tasks: Collection[str] = ()) -> dict[str, dict[str, dict[str, Any]]]:
    """Arm -> task -> seed -> what it reaches; of all tasks unless some are named."""
    comparisons = json.loads((RESULTS / "hpo_held_out_20.json").read_text(encoding="utf-8"))["comparisons"]
    by_task: dict[str, list[Training]] = defaultdict(list)
    with gzip.open(RESULTS / "hpo_trainings.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            training = json.loads(line)
            if not tasks or training["planned"] in tasks:
                by_task[training["planned"]].append(training)
    found: dict[str, dict[str, dict[str, Any]]] = {arm: {} for arm in ARMS}
    for task, trainings in sorted(by_task.items()):
        prospects = prospects_of(trainings[0])
        for seed in sorted({training["seed"] for training in trainings}):
            own = [training for training in trainings if training["seed"] == seed]
            for arm in ARMS:
                llm = of_the_llm(comparisons[task]["studies"], own) if arm == "llm+grid" else []
                found[arm].setdefault(task, {})[str(seed)] = play(prospects, own, llm, arm)
    return found


def main() -> None:
    """Write the result."""
    content = {"command": "python docs/surrogate_grid.py", "method": "nearest committed training", "studies": studies()}
    OUT.write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(f"wrote {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
