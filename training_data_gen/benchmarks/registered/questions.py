"""The registered questions and tables, answered from finished studies."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from autommlab.tasks import Task
from training_data_gen.benchmarks import analysis
from training_data_gen.benchmarks.paired import Figure, Pair, PairedStudies, by_task, figure, mean_of, ranking
from training_data_gen.benchmarks.registered.arms import ARMS, DEFAULT, FROM_DEFAULT
from training_data_gen.benchmarks.registered.records import Answer, Line, Ranking, RegisteredResult
from training_data_gen.benchmarks.registered.studies import RegisteredStudy, Track
from training_data_gen.benchmarks.registered.tasks import TASKS

#: Stands for the one of `FROM_DEFAULT` whose mean on VAL is highest at that budget; TEST does not choose it.
BEST_FROM_DEFAULT = "best of Optuna from the default"
#: The registered questions: is the first better than the second on TEST, after so many trials?
QUESTIONS: tuple[tuple[str, str, int], ...] = tuple(
    (one, other, trials)
    for trials in (3, 10)
    for one, other in (
        ("hpo-llama", "surrogate-grid"),
        ("llm+grid", "surrogate-grid"),
        ("llm+grid", BEST_FROM_DEFAULT),
        ("hpo-llama", BEST_FROM_DEFAULT),
    )
)
#: Trials, or multiples of a default training, at which the tables look.
CHECKPOINTS = {"trials": (1, 3, 5, 10, 20), "seconds": (1, 3, 5, 10)}


class Results(PairedStudies[RegisteredStudy]):
    """Finished studies of a track: what each arm reached on each task under each seed.

    Args:
        studies: any; of several budgets of the same study the largest counts.
        track: the one that is looked at.
    """

    def __init__(self, studies: Sequence[RegisteredStudy], track: Track) -> None:
        # The default's one trial is enough for any budget.
        own = [study for study in studies if study.track == track]
        super().__init__(own, [arm.name for arm in ARMS], for_any_budget=DEFAULT)
        self.track = track
        self.kinds = {study.task: study.kind for study in studies}


def on_test(study: RegisteredStudy, after: int) -> float:
    """TEST of the best by VAL; 0 where nothing was reached."""
    best = study.best(_reach(study, after))
    return best.test or 0.0 if best else 0.0


def on_val(study: RegisteredStudy, after: int) -> float:
    """VAL of the best; 0 where nothing was reached."""
    best = study.best(_reach(study, after))
    return best.val if best else 0.0


def _reach(study: RegisteredStudy, after: int) -> float:
    # By seconds, the default's own training ends a little after "one default training" if the searcher takes time.
    return float("inf") if study.arm == DEFAULT else after


def lines(results: Results) -> list[Line]:
    """Every arm after every budget, over the tasks and seeds that all arms of this budget have finished."""
    found = []
    for after in CHECKPOINTS[results.track]:
        arms = results.arms(after)
        pairs = results.common(arms, after)
        if len(arms) < 2 or not pairs:
            continue
        tests = {arm: results.values(arm, after, pairs, on_test) for arm in arms}
        ranks = analysis.average_ranks({arm: by_task(own) for arm, own in tests.items()})
        for arm in arms:
            found.append(_line(results, arm, after, pairs, tests, ranks[arm]))
    return found


def _line(
    results: Results, arm: str, after: int, pairs: Sequence[Pair], tests: dict[str, dict[str, list[float]]], rank: float
) -> Line:
    studies = [results.done(arm, after)[pair] for pair in pairs]
    reached = [[one for one in study.outcomes if one.progress <= _reach(study, after)] for study in studies]
    trials = max(1, sum(map(len, reached)))
    thought = statistics.fmean(sum(one.thought_s for one in own) for own in reached)
    asks = any(study.llm_tokens for study in studies)
    gaps = _gaps(tests[arm], tests.get(DEFAULT, {}))
    return Line(
        arm=arm,
        after=after,
        test=figure(tests[arm]),
        val=figure(results.values(arm, after, pairs, on_val)),
        gap=figure(gaps) if gaps else None,
        rank=rank,
        seconds=statistics.fmean(sum(one.seconds for one in own) for own in reached),
        llm_seconds=thought if asks else 0.0,
        llm_tokens=statistics.fmean(study.llm_tokens * len(own) / max(1, len(study.outcomes))
                                    for study, own in zip(studies, reached, strict=True)),
        other_seconds=0.0 if asks else thought,
        fallbacks=sum(study.fallbacks for study in studies) / max(1, sum(len(study.outcomes) for study in studies)),
        failed=sum(one.test is None for own in reached for one in own) / trials,
    )  # fmt: skip


def _gaps(values: dict[str, list[float]], default: dict[str, list[float]]) -> dict[str, list[float]]:
    found = {}
    for task, own in values.items():
        gaps = [analysis.gap_closed(one, base) for one, base in zip(own, default.get(task, []), strict=False)]
        if kept := [gap for gap in gaps if gap is not None]:
            found[task] = kept
    return found


def answers(results: Results) -> list[Answer]:
    """To the registered questions; only by equal trials."""
    if results.track != "trials":
        return []
    found = [_answer(results, one, other, after) for one, other, after in QUESTIONS]
    adjusted = analysis.holm([answer.p for answer in found])
    return [answer.model_copy(update={"adjusted": p}) for answer, p in zip(found, adjusted, strict=True)]


def _answer(results: Results, one: str, other: str, after: int) -> Answer:
    rivals = list(FROM_DEFAULT) if other == BEST_FROM_DEFAULT else [other]
    pairs = results.common([one, *rivals], after)
    if not pairs:
        return Answer(one=one, other=other, after=after)
    rival = max(rivals, key=lambda arm: mean_of(results.values(arm, after, pairs, on_val)))
    mine, theirs = (results.values(arm, after, pairs, on_test) for arm in (one, rival))
    differences = {task: [a - b for a, b in zip(mine[task], theirs[task], strict=True)] for task in mine}
    means = [round(statistics.fmean(own), 9) for own in differences.values()]
    return Answer(
        one=one,
        other=rival if rival == other else f"{other} ({rival})",
        after=after,
        tasks=len(means),
        difference=figure(differences),
        by_source=_by_source(dict(zip(differences, means, strict=True))),
        p=analysis.wilcoxon_p(means),
        better=sum(mean > 0 for mean in means),
        equal=sum(mean == 0 for mean in means),
        worse=sum(mean < 0 for mean in means),
    )


def _by_source(means: dict[str, float]) -> Figure:
    """Tasks of one set of photos are drawn together; any other task is a source of its own."""
    sources = {task.id: task.source for task in TASKS if task.is_real}
    low, high = analysis.clustered_interval(means, {task: sources.get(task, task) for task in means})
    return Figure(mean=statistics.fmean(means.values()), low=low, high=high)


def rankings(results: Results) -> list[Ranking]:
    """Of each budget with three arms or more on two tasks or more."""
    found = []
    for after in CHECKPOINTS[results.track]:
        arms = results.arms(after)
        pairs = results.common(arms, after)
        tests = {arm: by_task(results.values(arm, after, pairs, on_test)) for arm in arms}
        if one := ranking(after, tests):
            found.append(one)
    return found


def result_of(
    studies: Sequence[RegisteredStudy],
    track: Track,
    *,
    command: str,
    missing: dict[str, str] | None = None,
    failed: dict[str, str] | None = None,
) -> RegisteredResult:
    """Tables and answers of a track.

    Args:
        studies: of any track.
        track: the one that is looked at.
        command: what a reader types to repeat it.
        missing: tasks that could not be had; failed: studies that could not be played; each with its reason.
    """
    from autommlab.common import provenance

    results = Results(studies, track)
    shown = lines(results)
    arms = list(dict.fromkeys(line.arm for line in shown))
    least = min((line.after for line in shown), default=0)
    pairs = results.common(arms, least) if arms else []
    tasks = {pair.task for pair in pairs}
    return RegisteredResult(
        track=track,
        tasks={kind: sum(results.kinds[task] is kind for task in tasks) for kind in Task},
        seeds=min((sum(pair.task == task for pair in pairs) for task in tasks), default=0),
        lines=tuple(shown),
        answers=tuple(answers(results)),
        rankings=tuple(rankings(results)),
        missing=missing or {},
        failed=failed or {},
        **provenance.circumstances(command),
    )
