"""Statistics and questions of the registered comparison, on tables whose answer is known."""

from __future__ import annotations

import itertools

import pytest

from autommlab.tasks import Task
from training_data_gen.benchmarks import analysis
from training_data_gen.benchmarks.registered.arms import ARMS, FROM_DEFAULT, chosen_arms
from training_data_gen.benchmarks.registered.bench import order
from training_data_gen.benchmarks.registered.questions import QUESTIONS, Results, lines, on_test, on_val, result_of
from training_data_gen.benchmarks.registered.studies import Outcome, RegisteredStudy

TASKS = [f"task-{number}" for number in range(12)]


def study(
    arm: str, task: str, trials: list[tuple[float, float | None]], seed: int = 0, **more: object
) -> RegisteredStudy:
    """Of (val, test) pairs; test None = the trial failed."""
    outcomes = tuple(
        Outcome(val=val, test=test, status="ok" if test is not None else "failed", progress=number, seconds=10.0,
                thought_s=1.0, proposed_by=arm)
        for number, (val, test) in enumerate(trials, start=1)
    )  # fmt: skip
    given = {"budget": len(trials), "llm_tokens": 0, **more}
    return RegisteredStudy.model_validate(
        {
            "track": "trials",
            "task": task,
            "kind": Task.DETECTION,
            "objective": "mAP",
            "arm": arm,
            "seed": seed,
            "outcomes": outcomes,
            "default_s": 10.0,
            **given,
        }
    )


def made_up(gain: float, arms: dict[str, float]) -> list[RegisteredStudy]:
    """Three trials of each arm on each task: its level, plus `gain` for hpo-llama; tasks differ widely."""
    found = []
    for number, task in enumerate(TASKS):
        base = 0.02 * number
        for arm, level in arms.items():
            score = base + level + (gain * (1 + number / 100) if arm == "hpo-llama" else 0.0)
            found.append(study(arm, task, [(0.1, 0.1), (score, score), (0.2, 0.9)]))
        found.append(study("default", task, [(base + 0.3, base + 0.3)]))
    return found


ALL_CORE = {arm.name: 0.5 for arm in ARMS if arm.is_core and arm.name != "default"}


def test_the_interval_is_as_wide_as_tasks_differ_even_where_seeds_agree() -> None:
    same = analysis.interval([[0.5, 0.5]] * 8)
    assert same == (0.5, 0.5)
    low, high = analysis.interval([[0.0] * 5] * 4 + [[1.0] * 5] * 4)
    assert (low, high) == pytest.approx((0.125, 0.875), abs=0.03)  # binomial of 8: 1/8 to 7/8
    only_seeds = analysis.interval([[0.0, 1.0]] * 400, draws=1000)
    assert only_seeds == pytest.approx((0.465, 0.535), abs=0.01)  # sd of a mean of 2 draws: 0.354


def test_holm_on_a_table_worked_by_hand() -> None:
    assert analysis.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # What is not run yet counts in the family, so that later results can only keep a verdict or sharpen it.
    assert analysis.holm([0.02, None, None, None]) == [pytest.approx(0.08), None, None, None]


def test_wilcoxon_over_tasks() -> None:
    assert analysis.wilcoxon_p([0.0] * 5) == 1
    assert analysis.wilcoxon_p([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(2 / 2**6)
    assert analysis.wilcoxon_p([0.1, -0.2, 0.3, -0.4, 0.5, -0.6]) > 0.5
    # The normal approximation gives 0.0048 here, which would be significant among eight questions.
    few = [number / 10 for number in range(1, 9)] + [0.0] * 32
    assert analysis.wilcoxon_p(few) == pytest.approx(2 / 2**8, rel=0.15)


def test_tasks_of_one_source_are_drawn_together() -> None:
    values = {f"{source}{number}": float(source == "a") for source in "ab" for number in range(4)}
    assert analysis.clustered_interval(values, {task: task[0] for task in values}) == (0.0, 1.0)
    apart = analysis.clustered_interval(values, {task: task for task in values})
    assert apart == pytest.approx((0.125, 0.875), abs=0.03)


def test_critical_difference_is_that_of_the_textbook() -> None:
    """Demsar 2006, section 3.2.4: four methods on 14 sets, 1.25 at 5 %."""
    assert analysis.critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)
    ranks = analysis.average_ranks({"a": [0.9, 0.8], "b": [0.5, 0.8], "c": [0.1, 0.1]})
    assert ranks == {"a": 1.25, "b": 1.75, "c": 3.0}
    assert analysis.cliques(ranks, 0.6) == [("a", "b")]
    assert analysis.cliques(ranks, 2.0) == [("a", "b", "c")]
    assert analysis.friedman_p({"a": [3, 3, 3, 3], "b": [2, 2, 2, 2], "c": [1, 1, 1, 1]}) == pytest.approx(
        0.018, abs=1e-3
    )


@pytest.mark.parametrize(
    ("value", "default", "gap"), [(0.75, 0.5, 0.5), (0.4, 0.5, -0.2), (0.5, 0.99, -1.0), (1.0, 1.0, None)]
)
def test_gap_closed(value: float, default: float, gap: float | None) -> None:
    assert analysis.gap_closed(value, default) == (None if gap is None else pytest.approx(gap))


def test_test_is_that_of_the_best_by_val_among_trials_that_ended() -> None:
    one = study("random", "t", [(0.5, 0.4), (0.9, 0.6), (0.95, None), (0.6, 0.99)])
    assert [on_test(one, after) for after in (1, 2, 3, 4)] == [0.4, 0.6, 0.6, 0.6]
    assert on_val(one, 4) == 0.9
    assert on_test(study("random", "t", [(0.0, None)]), 1) == 0


def test_a_known_difference_is_found_and_none_is_not() -> None:
    better = result_of(made_up(0.1, ALL_CORE), "trials", command="c")
    (first, *_) = better.answers
    assert (first.one, first.other, first.after, first.verdict) == ("hpo-llama", "surrogate-grid", 3, "yes")
    assert first.difference is not None
    assert first.difference.mean == pytest.approx(0.1055)
    assert (first.tasks, first.better, first.equal, first.worse) == (12, 12, 0, 0)
    assert first.p == pytest.approx(2 / 2**12)
    assert first.adjusted == pytest.approx(8 * 2 / 2**12)
    grid = better.answers[1]
    assert (grid.one, grid.verdict, grid.equal) == ("llm+grid", "not shown", 12)
    assert [answer.verdict for answer in better.answers[4:]] == ["not run yet"] * 4
    worse = result_of(made_up(-0.1, ALL_CORE), "trials", command="c")
    assert worse.answers[0].verdict == "no, worse"


def test_best_of_optuna_is_chosen_by_val_and_compared_on_test() -> None:
    studies = [one for one in made_up(0.0, ALL_CORE) if one.arm != "default+gp"]
    for number, task in enumerate(TASKS):  # best on VAL, poor on TEST
        studies.append(study("default+gp", task, [(0.99, 0.01 * number)] * 3))
    answer = next(one for one in result_of(studies, "trials", command="c").answers if "Optuna" in one.other)
    assert "(default+gp)" in answer.other
    assert answer.verdict == "yes"


def test_only_tasks_that_all_arms_have_finished_are_in_the_table_and_larger_budgets_serve_smaller_ones() -> None:
    studies = made_up(0.0, ALL_CORE)
    cut_off = [one for one in studies if (one.arm, one.task) != ("hpo-llama", TASKS[0])]
    result = result_of(cut_off, "trials", command="c")
    assert result.tasks[Task.DETECTION] == 11
    ten = [study("surrogate-grid", TASKS[0], [(0.1, 0.2)] * 10), *studies]
    assert len(Results(ten, "trials").done("surrogate-grid", 3)) == 12
    assert {line.after for line in lines(Results(studies, "trials"))} == {1, 3}
    default = next(line for line in result.lines if (line.arm, line.after) == ("default", 3))
    assert default.gap is not None
    assert default.gap.mean == 0


def test_work_cut_off_anywhere_is_balanced() -> None:
    jobs = list(order(TASKS, ARMS, 2))
    assert len({(job.task, job.arm.name, job.seed) for job in jobs}) == len(jobs) == len(TASKS) * len(ARMS) * 2
    core = [arm.name for arm in ARMS if arm.is_core]
    for arms, own in ((core, jobs[: len(core) * len(TASKS)]),):
        by_task = [list(group) for _, group in itertools.groupby(own, lambda job: job.task)]
        assert [[job.arm.name for job in group] for group in by_task] == [arms] * len(TASKS)
    assert {job.seed for job in jobs[: len(jobs) // 2]} == {0}


def test_the_questions_are_about_arms_that_there_are() -> None:
    core = {arm.name for arm in chosen_arms("core")}
    assert set(FROM_DEFAULT) <= core
    assert {name for one, other, _ in QUESTIONS for name in (one, other)} - core == {"best of Optuna from the default"}
    assert not any(arm.asks_llm for arm in chosen_arms("no-llm"))
