"""Searchers that carry on what an LLM began, compared on the source tasks: for decisions without a held-out task.

A task's own trials become a black box, in two ways: a Gaussian process over them, and the surrogate of all tasks. Each
configuration has noise of its own on top, so that the best of many trials is partly chance, as it is in real studies.
The adapter has learnt from these tasks, so a simulated LLM takes its place: it knows other tasks only.

    python -m training_data_gen.benchmarks.source_task_ablation --tasks 52 --seeds 2
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autommlab.common.trial_status import SCORE
from searchers.context import StudyContext, StudySettings
from searchers.distance import from_unit_value, is_near, unit_value
from searchers.ensembles.hybrid import Hybrid
from searchers.optuna_search import tpe_few, tpe_ranked
from searchers.space import ChoiceParameter, Configuration, SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.transfer_surrogate import TransferSurrogate
from searchers.transfer.trial_history import past_studies
from training_data_gen.benchmarks.ask_tell import trial_values
from training_data_gen.benchmarks.surrogate_benchmark import BlackBox, GpBenchmark, SurrogateBenchmark, Value
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.statistics import by_bag
from training_data_gen.trials.store import learnable, past_trial, read_trials
from training_data_gen.trials.surrogate import Surrogate

#: Standard deviation of a trial's noise, as a normalised score.
NOISE = 0.02
TRIALS, SHOWN = 20, (5, 10, 20)
#: Random configurations that show a black box's range.
_PROBES = 2000
#: The simulated LLM: alike bags, normalised score that makes a trial of theirs good, candidates, and how far
#: they lie from a good trial.
_ALIKE, _GOOD, _CANDIDATES, _STEP, _OTHER = 6, 0.85, 12, 0.08, 0.1


class SimulatedLlm(TrackingSearcher):
    """Does as `hpo-llama` does, without a model: of twelve configurations near good ones of alike bags the most
    promising.

    Args:
        space, study: see `TrackingSearcher`.
        good: trials of the most alike bags that were good there.
        score: ranks the candidates.
    """

    def __init__(
        self, space: SearchSpace, study: StudySettings, *, good: Sequence[Configuration], score: TransferSurrogate
    ) -> None:
        super().__init__(space, study, name="simulated-llm")
        self._good, self._score = good, score

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        rng = random.Random(f"{self.seed}/{len(self._attempts)}")  # noqa: S311 - draws configurations, not secrets
        drawn = [self._near_good(rng) for _ in range(_CANDIDATES)]
        tried = [attempt.config for attempt in self._attempts.values()]
        new = [config for config in drawn if not is_near(self.space, config, tried)] or drawn
        return new[int(np.argmax(self._score.values(new)))], self.name

    def _near_good(self, rng: random.Random) -> Configuration:
        config = dict(rng.choice(self._good))
        for parameter in self.space.parameters:
            name = parameter.name
            if isinstance(parameter, ChoiceParameter):
                if rng.random() < _OTHER:
                    config[name] = rng.choice(parameter.choices)
            else:
                normalised = unit_value(parameter, config[name]) + rng.gauss(0, _STEP)
                config[name] = from_unit_value(parameter, min(1.0, max(0.0, normalised)))
        return self.space.clip(config)


class NoisyBlackBox:
    """A black box with noise, and its normalised without.

    Args:
        black_box: of a bag.
        low, high: its range.
        seed: of the noise.
        noise: its standard deviation, as a normalised score.
    """

    def __init__(self, black_box: BlackBox, low: float, high: float, seed: int, noise: float = NOISE) -> None:
        self._black_box, self._seed, self._noise = black_box, seed, noise
        self._low, self._range = low, high - low
        #: Fraction of the range that each trial really was worth.
        self.normalised: list[float] = []

    def __call__(self, config: Configuration) -> Value:
        """See `BlackBox`."""
        value = self._black_box(config).score
        self.normalised.append((value - self._low) / self._range)
        point = json.dumps(config, sort_keys=True)
        rng = random.Random(f"{self._seed}/{point}")  # noqa: S311 - draws noise, not secrets
        return Value(value + rng.gauss(0, self._noise) * self._range)


def range_of(black_box: BlackBox, space: SearchSpace) -> tuple[float, float]:
    """Least and most of random configurations."""
    rng = random.Random(0)  # noqa: S311 - draws configurations, not secrets
    values = [black_box(space.sample(rng)).score for _ in range(_PROBES)]
    return min(values), max(values)


class AblationStudy(NamedTuple):
    """A study of one bag.

    Attributes:
        normalised: what the winner after each of `SHOWN` is really worth.
    """

    black_box: str
    bag: str
    searcher: str
    normalised: tuple[float, ...]


def run_ablation(
    recorded: Sequence[RecordedTrial], bags: int, seeds: int, tell: Callable[[str], None], noise: float = NOISE
) -> list[AblationStudy]:
    """All searchers on black boxes of source tasks.

    Args:
        recorded: those of held-out tasks are not looked at.
        bags: how many, drawn at random under a fixed seed.
        seeds: paired.
        tell: told each bag that begins.
        noise: see `NoisyBlackBox`.
    """
    known = by_bag(learnable(recorded))
    chosen = random.Random(0).sample(sorted(known), min(bags, len(known)))  # noqa: S311 - draws bags, not secrets
    surrogate = Surrogate([trial for own in known.values() for trial in own])
    found: list[AblationStudy] = []
    for number, name in enumerate(chosen, start=1):
        tell(f"bag {number} of {len(chosen)}: {name}")
        others = [trial for bag, own in known.items() if bag != name for trial in own]
        makers = _makers(known[name][0], others)
        black_boxes: dict[str, BlackBox] = {
            "gp": GpBenchmark(known[name]),
            "surrogate": SurrogateBenchmark(surrogate, name),
        }
        for kind, black_box in black_boxes.items():
            low, high = range_of(black_box, SearchSpace(parameters=known[name][0].parameters))
            for seed in range(seeds):
                for searcher, make in makers.items():
                    scaled = NoisyBlackBox(black_box, low, high, seed, noise)
                    scores = [value.score for value in trial_values(make(seed), scaled, TRIALS)]
                    winners = (scaled.normalised[int(np.argmax(scores[:trials]))] for trials in SHOWN)
                    found.append(AblationStudy(kind, name, searcher, tuple(winners)))
    return found


def _makers(bag: RecordedTrial, others: Sequence[RecordedTrial]) -> dict[str, Callable[[int], TrackingSearcher]]:
    space, context = SearchSpace(parameters=bag.parameters), StudyContext(facts=bag.context)
    studies = past_studies(space, context, [past_trial(trial) for trial in others], "max")
    score = TransferSurrogate(space, context, studies)
    good = [config for study in studies[:_ALIKE] for config, normalised in study.trials if normalised > _GOOD]

    def alone(seed: int) -> TrackingSearcher:
        return SimulatedLlm(space, StudySettings(SCORE, seed=seed), good=good, score=score)

    def beside(optuna: Callable[..., TrackingSearcher], llm_first: int) -> Callable[[int], TrackingSearcher]:
        def make(seed: int) -> TrackingSearcher:
            study = StudySettings(SCORE, seed=seed)
            members = {"llm": alone(seed), "optuna": optuna(space, study)}
            return Hybrid(space, study, **members, llm_first=llm_first, llm_every=4, name="mixed")

        return make

    ranked = partial(tpe_ranked, score=score)
    return {
        "simulated LLM alone": alone,
        "then tpe-few": beside(tpe_few, 10),
        "then tpe-ranked": beside(ranked, 10),
        "tpe-few from 4 on": beside(tpe_few, 3),
        "tpe-ranked from 4 on": beside(ranked, 3),
    }


def ablation_table(found: Sequence[AblationStudy]) -> str:
    """Means over bags, and the difference to the first searcher after all trials with its standard error."""
    lines = []
    for kind in dict.fromkeys(one.black_box for one in found):
        means = {
            (one.searcher, one.bag): np.mean(
                [r.normalised for r in found if r[:3] == (kind, one.bag, one.searcher)], axis=0
            )
            for one in found
        }
        names = list(dict.fromkeys(searcher for searcher, _ in means))
        bags = list(dict.fromkeys(bag for _, bag in means))
        lines.append(f"{kind}, {len(bags)} bags: after " + ", ".join(map(str, SHOWN)))
        for name in names:
            normalised = np.mean([means[name, bag] for bag in bags], axis=0)
            gains = [float(means[name, bag][-1] - means[names[0], bag][-1]) for bag in bags]
            error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
            told = ", ".join(f"{normalised:.3f}" for normalised in normalised)
            lines.append(f"  {name:20} {told}; {statistics.fmean(gains):+.3f} +- {error:.3f}")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=Path, default=Path("training_data_gen/data"), help="file or folder")
    parser.add_argument("--tasks", type=int, default=52, help="how many source tasks")
    parser.add_argument("--seeds", type=int, default=2, help="studies of each searcher on each black box")
    parser.add_argument(
        "--noise", type=float, default=NOISE, help="standard deviation of a trial's noise, 1 = the range"
    )
    given = parser.parse_args()
    print(
        ablation_table(
            run_ablation(read_trials(given.trials), given.tasks, given.seeds, partial(print, flush=True), given.noise)
        )
    )


if __name__ == "__main__":
    main()
