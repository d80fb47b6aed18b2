"""The questions that the benchmark is to answer: is one searcher after so many trials as good as another after more?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from autommlab.race.curves import estimate
from autommlab.race.records import RaceResult
from training_data_gen.benchmarks.hpo_overall import common_seeds, if_all_known, shares, tested
from training_data_gen.benchmarks.hpo_records import After, Contrast

#: A searcher that is to prove itself, and the rival that it is measured against. Fixed before the benchmark was run,
#: but for those after the first empty line: added when `prior` had done well after 3, and with the learned score.
#: Those after the second one were added before `tpe+default` had run on held-out bags.
QUESTIONS = (
    (After("hpo-llama", 1), After("default", 1)),
    (After("hpo-llama", 1), After("random", 5)),
    (After("hpo-llama", 1), After("prior", 1)),
    (After("hpo-llama", 3), After("random", 10)),
    (After("hpo-llama", 3), After("tpe", 10)),
    (After("hpo-llama", 20), After("prior", 20)),
    (After("hpo-llama", 20), After("tpe+default", 20)),
    (After("llm+tpe", 10), After("tpe", 10)),
    (After("llm+tpe", 10), After("hpo-llama", 10)),
    (After("llm+tpe", 20), After("tpe", 20)),
    (After("llm+tpe", 20), After("hpo-llama", 20)),

    (After("hpo-llama", 3), After("prior", 3)),
    (After("hpo-llama", 1), After("forest", 1)),
    (After("hpo-llama", 3), After("forest", 3)),
    (After("hpo-llama", 1), After("hpo-llama-likely", 1)),
    (After("hpo-llama", 3), After("hpo-llama-likely", 3)),

    (After("hpo-llama", 3), After("tpe+default", 10)),
    (After("hpo-llama", 10), After("tpe+default", 10)),
    (After("llm+tpe", 10), After("tpe+default", 10)),
    (After("llm+tpe", 20), After("tpe+default", 20)),
)  # fmt: skip


def contrasts(races: Mapping[str, RaceResult], searchers: Sequence[str], trials: int) -> tuple[Contrast, ...]:
    """Answers to those questions whose searchers and numbers of trials the benchmark has.

    A difference is taken on each bag with each seed, in shares of the bag's range; its interval is over seeds.
    """
    bags = [shares(race, searchers, trials) for race in races.values()]
    seeds = common_seeds(bags)
    if not seeds:
        return ()

    def differences(one: After, other: After) -> list[list[float]]:
        """Of each bag, for each seed."""
        return [
            [bag[one.searcher][seed][one.trials - 1] - bag[other.searcher][seed][other.trials - 1] for seed in seeds]
            for bag in bags
        ]

    tests = [tested(race, searchers) for race in races.values()]
    found = []
    reached = {name: min(len(bag[name][seed]) for bag in bags for seed in seeds) for name in searchers}
    for one, other in QUESTIONS:
        if any(reached.get(asked.searcher, 0) < asked.trials for asked in (one, other)):
            continue
        by_bag = differences(one, other)
        on_test = [
            statistics.fmean(bag[one.searcher][seed] - bag[other.searcher][seed] for bag in tests) for seed in seeds
        ]
        at_the_end = all(reached[asked.searcher] == asked.trials for asked in (one, other))
        means = [statistics.fmean(own) for own in by_bag]
        found.append(
            Contrast(
                one=one,
                other=other,
                difference=estimate([statistics.fmean(values) for values in zip(*by_bag, strict=True)]),
                better=sum(mean > 0 for mean in means),
                equal=sum(mean == 0 for mean in means),
                worse=sum(mean < 0 for mean in means),
                on_test=if_all_known(on_test) if at_the_end else None,
            )
        )
    return tuple(found)
