"""Searchers that carry on what an LLM began, rehearsed on the training bags: for decisions without a held-out bag.

A bag's own trials become a landscape, in two ways: a Gaussian process over them, and the surrogate of all bags. Each
point has a luck of its own on top, so that the best of many trials is partly lucky, as it is in real studies.
The adapter has learnt from these bags, so a stand-in takes the LLM's place: it knows other bags only.

    python -m training_data_gen.benchmarks.source_task_ablation --bags 52 --seeds 2
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from searchers.context import StudyContext
from searchers.distance import at_place, is_near, place
from searchers.ensembles.hybrid import Hybrid
from searchers.optuna_search import tpe_few, tpe_ranked
from searchers.space import ChoiceParameter, Point, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.transfer_surrogate import LearnedScore
from searchers.transfer.trial_history import past_studies
from training_data_gen.benchmarks.ask_tell import play
from training_data_gen.benchmarks.surrogate_benchmark import Landscape, Modelled, Smooth, Value
from training_data_gen.trials.records import Triplet
from training_data_gen.trials.statistics import by_bag
from training_data_gen.trials.store import past_trial, learnable, read_triplets
from training_data_gen.trials.surrogate import Surrogate

#: Standard deviation of a trial's luck, as a share of the landscape's range.
LUCK = 0.02
TRIALS, SHOWN = 20, (5, 10, 20)
#: Random points that show a landscape's range.
_PROBES = 2000
#: The stand-in: alike bags, the share of a bag's range that makes a trial of theirs good, candidates, and how far
#: they lie from a good trial.
_ALIKE, _GOOD, _CANDIDATES, _STEP, _OTHER = 6, 0.85, 12, 0.08, 0.1


class StandIn(TrackingSearcher):
    """Does as `hpo-llama` does, without a model: of twelve points near good ones of alike bags the most promising.

    Args:
        space: what may be proposed.
        good: trials of the most alike bags that were good there.
        score: ranks the candidates.
        settings: see `TrackingSearcher`.
    """

    def __init__(self, space: SearchSpace, good: Sequence[Point], score: LearnedScore, **settings: Any) -> None:
        super().__init__(space, **{"name": "stand-in", **settings})
        self._good, self._score = good, score

    def _propose(self, trial_id: str) -> tuple[Point, str]:
        rng = random.Random(f"{self.seed}/{len(self._attempts)}")
        drawn = [self._near_good(rng) for _ in range(_CANDIDATES)]
        tried = [attempt.point for attempt in self._attempts.values()]
        new = [point for point in drawn if not is_near(self.space, point, tried)] or drawn
        return new[int(np.argmax(self._score.values(new)))], self.name

    def _near_good(self, rng: random.Random) -> Point:
        point = dict(rng.choice(self._good))
        for parameter in self.space.parameters:
            name = parameter.name
            if isinstance(parameter, ChoiceParameter):
                if rng.random() < _OTHER:
                    point[name] = rng.choice(parameter.choices)
            else:
                share = place(parameter, point[name]) + rng.gauss(0, _STEP)
                point[name] = at_place(parameter, min(1.0, max(0.0, share)))
        return self.space.clip(point)


class Scaled:
    """A landscape with luck, and its shares without.

    Args:
        landscape: of a bag.
        low, high: its range.
        seed: of the luck.
        luck: its standard deviation, as a share of the landscape's range.
    """

    def __init__(self, landscape: Landscape, low: float, high: float, seed: int, luck: float = LUCK) -> None:
        self._landscape, self._seed, self._luck = landscape, seed, luck
        self._low, self._range = low, high - low
        #: Share of the range that each trial really was worth.
        self.shares: list[float] = []

    def __call__(self, point: Point) -> Value:
        """See `Landscape`."""
        value = self._landscape(point).score
        self.shares.append((value - self._low) / self._range)
        luck = random.Random(f"{self._seed}/{json.dumps(point, sort_keys=True)}").gauss(0, self._luck)
        return Value(value + luck * self._range)


def range_of(landscape: Landscape, space: SearchSpace) -> tuple[float, float]:
    """Least and most of random points."""
    rng = random.Random(0)
    values = [landscape(space.sample(rng)).score for _ in range(_PROBES)]
    return min(values), max(values)


class Rehearsed(NamedTuple):
    """A study of one bag.

    Attributes:
        shares: what the winner after each of `SHOWN` is really worth.
    """

    landscape: str
    bag: str
    searcher: str
    shares: tuple[float, ...]


def rehearse(
    triplets: Sequence[Triplet], bags: int, seeds: int, tell: Callable[[str], None], luck: float = LUCK
) -> list[Rehearsed]:
    """All searchers on landscapes of training bags.

    Args:
        triplets: those of held-out bags are not looked at.
        bags: how many, drawn at random under a fixed seed.
        seeds: paired.
        tell: told each bag that begins.
        luck: see `Scaled`.
    """
    known = by_bag(learnable(triplets))
    chosen = random.Random(0).sample(sorted(known), min(bags, len(known)))
    surrogate = Surrogate([triplet for own in known.values() for triplet in own])
    found: list[Rehearsed] = []
    for number, name in enumerate(chosen, start=1):
        tell(f"bag {number} of {len(chosen)}: {name}")
        others = [triplet for bag, own in known.items() if bag != name for triplet in own]
        makers = _makers(known[name][0], others)
        landscapes: dict[str, Landscape] = {"gp": Smooth(known[name]), "forest": Modelled(surrogate, name)}
        for kind, landscape in landscapes.items():
            low, high = range_of(landscape, SearchSpace(parameters=known[name][0].parameters))
            for seed in range(seeds):
                for searcher, make in makers.items():
                    scaled = Scaled(landscape, low, high, seed, luck)
                    scores = [value.score for value in play(make(seed), scaled, TRIALS)]
                    winners = (scaled.shares[int(np.argmax(scores[:trials]))] for trials in SHOWN)
                    found.append(Rehearsed(kind, name, searcher, tuple(winners)))
    return found


def _makers(bag: Triplet, others: Sequence[Triplet]) -> dict[str, Callable[[int], TrackingSearcher]]:
    space, context = SearchSpace(parameters=bag.parameters), StudyContext(facts=bag.context)
    studies = past_studies(space, context, [past_trial(triplet) for triplet in others], "max")
    score = LearnedScore(space, context, studies)
    good = [point for study in studies[:_ALIKE] for point, share in study.trials if share > _GOOD]
    first: dict[str, Any] = {"metric": "score", "mode": "max"}

    def alone(seed: int) -> TrackingSearcher:
        return StandIn(space, good, score, seed=seed, **first)

    def beside(optuna: Callable[..., TrackingSearcher], llm_first: int) -> Callable[[int], TrackingSearcher]:
        def make(seed: int) -> TrackingSearcher:
            members = {"llm": alone(seed), "optuna": optuna(space, seed=seed, **first)}
            return Hybrid(space, **members, llm_first=llm_first, llm_every=4, name="mixed", seed=seed, **first)

        return make

    def ranked(space: SearchSpace, **settings: Any) -> TrackingSearcher:
        return tpe_ranked(space, score=score, **settings)

    return {
        "stand-in alone": alone,
        "then tpe-few": beside(tpe_few, 10),
        "then tpe-ranked": beside(ranked, 10),
        "tpe-few from 4 on": beside(tpe_few, 3),
        "tpe-ranked from 4 on": beside(ranked, 3),
    }


def table(found: Sequence[Rehearsed]) -> str:
    """Means over bags, and the difference to the first searcher after all trials with its standard error."""
    lines = []
    for kind in dict.fromkeys(one.landscape for one in found):
        means = {
            (one.searcher, one.bag): np.mean(
                [r.shares for r in found if r[:3] == (kind, one.bag, one.searcher)], axis=0
            )
            for one in found
        }
        names = list(dict.fromkeys(searcher for searcher, _ in means))
        bags = list(dict.fromkeys(bag for _, bag in means))
        lines.append(f"{kind}, {len(bags)} bags: after " + ", ".join(map(str, SHOWN)))
        for name in names:
            shares = np.mean([means[name, bag] for bag in bags], axis=0)
            gains = [float(means[name, bag][-1] - means[names[0], bag][-1]) for bag in bags]
            error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
            told = ", ".join(f"{share:.3f}" for share in shares)
            lines.append(f"  {name:20} {told}; {statistics.fmean(gains):+.3f} +- {error:.3f}")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triplets", type=Path, default=Path("training_data_gen/data"), help="file or folder")
    parser.add_argument("--bags", type=int, default=52, help="how many training bags")
    parser.add_argument("--seeds", type=int, default=2, help="studies of each searcher on each landscape")
    parser.add_argument("--luck", type=float, default=LUCK, help="standard deviation of a trial's luck, 1 = the range")
    given = parser.parse_args()
    print(
        table(rehearse(read_triplets(given.triplets), given.bags, given.seeds, partial(print, flush=True), given.luck))
    )


if __name__ == "__main__":
    main()
