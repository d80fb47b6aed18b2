"""What comes out of the tables: regret, ranks and costs of each arm after so many trials."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from autommlab.common import provenance
from training_data_gen.benchmarks import analysis
from training_data_gen.benchmarks.paired import Figure, PairedStudies, Ranking, by_task, figure, ranking
from training_data_gen.benchmarks.tabular.studies import TabularStudy

#: Trials at which the tables look.
CHECKPOINTS = (1, 3, 5, 10, 20, 50)
#: Stands for all sets together.
ALL = "all"


class TabularLine(BaseModel):
    """One arm after so many trials.

    Attributes:
        set: of tables, or "all".
        regret: normalised: how far the mean value of the trial that the searcher saw best lies below the table's best
            mean, in fractions of the table's range of means (as in HPO-B, arXiv 2106.06257).
        relative: the same in fractions of the regret of the table's median point, which weighs tables more evenly: the
            range of some is that of their worst points.
        rank: mean place over datasets, 1 = least regret.
        different: fraction of the trials that asked for a point of the grid for the first time.
        seconds: of the searcher, by the clock; llm_seconds, llm_tokens: of the LLM in the whole study.
        fallbacks: fraction of the trials of the whole study that nobody's model proposed.
    """

    model_config = ConfigDict(frozen=True)

    set: str
    arm: str
    after: int
    regret: Figure
    relative: Figure
    rank: float
    different: float
    seconds: float
    llm_seconds: float
    llm_tokens: float
    fallbacks: float


class TabularResult(BaseModel):
    """All figures.

    Attributes:
        tasks: "SET/DATASET" -> seeds that all arms have finished.
        rankings: over all datasets.
    """

    model_config = ConfigDict(frozen=True)

    tasks: dict[str, int]
    lines: tuple[TabularLine, ...]
    rankings: tuple[Ranking, ...]
    command: str
    date: str
    machine: dict[str, str] = {}


def result_of(
    studies: Sequence[TabularStudy], arms: Sequence[str], sets: Sequence[str], *, command: str
) -> TabularResult:
    """Tables of these arms on these sets, over the datasets and seeds that all of them have finished.

    Args:
        studies: of these and others.
        arms: in the order of the tables.
        sets: of tables.
        command: what a reader types to repeat it.
    """
    of_set = {name: [study for study in studies if study.task.startswith(f"{name}/")] for name in sets}
    chosen = [study for own in of_set.values() for study in own]
    parts = {ALL: chosen, **(of_set if len(of_set) > 1 else {})}
    results = {name: PairedStudies(own, arms) for name, own in parts.items()}
    pairs = results[ALL].common(results[ALL].arms(1), 1)
    regrets = [_negative_regrets(results[ALL], after) for after in CHECKPOINTS]
    ranked = [ranking(after, own) for after, own in zip(CHECKPOINTS, regrets, strict=True)]
    return TabularResult(
        tasks={task: sum(pair.task == task for pair in pairs) for task in dict.fromkeys(pair.task for pair in pairs)},
        lines=tuple(
            line for name, own in results.items() for after in CHECKPOINTS for line in _lines(name, own, after)
        ),
        rankings=tuple(one for one in ranked if one),
        **provenance.circumstances(command),
    )


def _negative_regrets(results: PairedStudies[TabularStudy], after: int) -> dict[str, list[float]]:
    arms = results.arms(after)
    pairs = results.common(arms, after)
    return {arm: [-one for one in by_task(results.values(arm, after, pairs, TabularStudy.regret))] for arm in arms}


def _lines(name: str, results: PairedStudies[TabularStudy], after: int) -> list[TabularLine]:
    arms = results.arms(after)
    pairs = results.common(arms, after)
    if not pairs:
        return []
    ranks = analysis.average_ranks(_negative_regrets(results, after))
    found = []
    for arm in arms:
        studies = [results.done(arm, after)[pair] for pair in pairs]
        found.append(
            TabularLine(
                set=name,
                arm=arm,
                after=after,
                regret=figure(results.values(arm, after, pairs, TabularStudy.regret)),
                relative=figure(results.values(arm, after, pairs, TabularStudy.relative_regret)),
                rank=ranks[arm],
                different=statistics.fmean(len(set(study.points[:after])) / after for study in studies),
                seconds=statistics.fmean(study.seconds[:after][-1] for study in studies),
                llm_seconds=statistics.fmean(study.llm_seconds for study in studies),
                llm_tokens=statistics.fmean(study.llm_tokens for study in studies),
                fallbacks=statistics.fmean(study.fallbacks / study.budget for study in studies),
            )
        )
    return found
