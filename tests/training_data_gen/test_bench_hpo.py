"""The HPO benchmark: scores and ranks over bags from known studies, and a tiny real run through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autommlab.cli.main import app
from autommlab.common.errors import RequestError
from autommlab.common.keyed_lines import KeyedFile, write_compressed
from autommlab.compare.across_records import HpoBenchOptions, HpoBenchResult, Source
from autommlab.compare.across_show import contrast_table, draw_hpo_bench, hpo_bench_table
from autommlab.compare.across_tasks import contrasts, joined, mean_curves, overall
from autommlab.compare.records import Comparison, StudySummary
from autommlab.compare.standings import standings
from autommlab.tasks import Task
from tests.helpers.program import autommlab, autommlab_here
from tests.helpers.trial_making import made_up
from training_data_gen.benchmarks.hpo import TRAININGS_FILE, held_out_bags
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.store import read_trials

SEARCHERS = ("random", "better")


def study(searcher: str, seed: int, *scores: float) -> StudySummary:
    return StudySummary(
        searcher=searcher, seed=seed, scores=scores, statuses=("ok",) * len(scores), proposed_by={}, test=0.5, seconds=9
    )


def comparison(task: Task, *studies: StudySummary) -> Comparison:
    return Comparison(
        task=task, objective="x", data="d", model="m", trials=3, seeds=2, studies=studies, standings=(), command="c",
        date="d",
    )  # fmt: skip


KNOWN = {
    "wide": comparison(
        Task.DETECTION,
        study("random", 0, 0.0, 0.4, 0.2),
        study("better", 0, 0.2, 0.2, 0.8),
        study("random", 1, 0.4, 0.4, 0.4),
        study("better", 1, 0.6, 0.6, 0.6),
    ),
    "narrow": comparison(
        Task.KEYPOINT,
        study("random", 0, 0.1, 0.12, 0.1),
        study("better", 0, 0.12, 0.1, 0.1),
        study("random", 1, 0.1, 0.1, 0.1),  # "better" has not had this seed here
    ),
}


def test_scores_are_normalised_by_bag() -> None:
    assert mean_curves([KNOWN["wide"]], SEARCHERS, 3) == {
        "random": [[0.0, 0.5, 0.5], [0.5, 0.5, 0.5]],
        "better": [[0.25, 0.25, 1.0], [pytest.approx(0.75)] * 3],
    }


def test_a_seed_that_one_bag_lacks_counts_only_where_it_is_complete() -> None:
    lines = {(line.task, line.searcher): line for line in overall(KNOWN, SEARCHERS, 3)}
    assert lines[Task.DETECTION, "better"].seeds == 2
    assert lines[None, "better"].seeds == 1
    assert lines[None, "better"].bags == 2
    assert lines[None, "random"].after[3].mean == pytest.approx((0.5 + 1.0) / 2)
    assert lines[None, "better"].after[1].mean == pytest.approx((0.25 + 1.0) / 2)
    assert (lines[Task.DETECTION, "better"].rank, lines[Task.DETECTION, "random"].rank) == (1, 2)
    assert lines[Task.KEYPOINT, "better"].rank == lines[Task.KEYPOINT, "random"].rank == 1.5


def test_a_searcher_with_a_smaller_budget_ends_there_and_has_no_rank(tmp_path: Path) -> None:
    short = study("better", 0, 0.6).model_copy(update={"budget": 1})
    comparisons = {
        "one": comparison(Task.DETECTION, study("random", 0, 0.2, 0.4, 0.8), study("worse", 0, 0.2, 0.2, 0.2), short)
    }
    names = ("random", "worse", "better")
    lines = {line.searcher: line for line in overall(comparisons, names, 3) if line.task is None}
    assert {name: (list(line.after), line.rank) for name, line in lines.items()} == {
        "random": ([1, 3], 1), "worse": ([1, 3], 2), "better": ([1], None),
    }  # fmt: skip
    assert mean_curves(list(comparisons.values()), names, 3)["better"] == [[pytest.approx(0.4 / 0.6)]]
    (standing,) = [s for s in standings(comparisons["one"].studies, names, 3) if s.searcher == "better"]
    assert list(standing.best_after) == [1]
    result = HpoBenchResult(
        searchers=names,
        trials=3,
        comparisons=comparisons,
        overall=overall(comparisons, names, 3),
        command="c",
        date="d",
    )
    assert hpo_bench_table(result).row_count == 6
    assert draw_hpo_bench(result, tmp_path / "plot.png").exists()
    asked = HpoBenchOptions(trials=3, budgets={"better": 1, "random": 9})
    assert [asked.budget(name) for name in names] == [3, 3, 1]


@pytest.mark.parametrize("asked", ["random:", "random:0", "random:x", "random:-1"])
def test_a_budget_that_is_no_number_of_trials_is_refused(asked: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "hpo", "--searchers", asked, "--out", str(tmp_path)])
    assert isinstance(done.exception, RequestError)
    assert "behind the colon goes a number of trials" in str(done.exception)


def test_the_questions_are_answered_bag_by_bag_and_seed_by_seed() -> None:
    names = ("hpo-llama", "default")
    comparisons = {
        "one": comparison(
            Task.DETECTION,
            *(study("hpo-llama", seed, 0.5 + seed / 10, 1.0) for seed in range(3)),
            *(study("default", seed, 0.5) for seed in range(3)),
            study("hpo-llama", 3, 0.9),  # no rival has this seed
        ),
        "other": comparison(
            Task.KEYPOINT,
            *(study("hpo-llama", seed, 0.0, 1.0) for seed in range(3)),
            *(study("default", seed, 0.25) for seed in range(3)),
        ),
    }
    (found,) = contrasts(comparisons, names, 3)
    assert (str(found.one), str(found.other)) == ("hpo-llama after 1", "default after 1")
    assert (found.better, found.equal, found.worse) == (1, 0, 1)
    assert found.difference.mean == pytest.approx(((0 + 0.2 + 0.4) / 3 - 0.25) / 2)
    assert found.difference.low is not None
    assert found.difference.low < found.difference.mean
    assert not contrasts(comparisons, ("default",), 3)
    result = HpoBenchResult(
        searchers=names, trials=3, comparisons=comparisons, overall=(), contrasts=(found,), command="c", date="d"
    )
    assert HpoBenchResult.model_validate_json(result.model_dump_json()) == result
    assert contrast_table(result).row_count == 1
    assert found.on_test is None  # its winner on test is that of three trials


def test_on_test_the_winners_at_the_end_of_the_budgets_are_compared() -> None:
    names = ("hpo-llama", "default")

    def end(searcher: str, seed: int, best: float, test: float | None) -> StudySummary:
        return study(searcher, seed, best).model_copy(update={"test": test, "budget": 1})

    def comparisons(last: float | None) -> dict[str, Comparison]:
        easy = (end("default", 0, 0.5, 0.4), end("hpo-llama", 0, 1.0, 0.5))
        hard = (end("default", 0, 0.0, 0.1), end("hpo-llama", 0, 0.2, last))
        return {"easy": comparison(Task.DETECTION, *easy), "hard": comparison(Task.KEYPOINT, *hard)}

    (found,) = contrasts(comparisons(0.2), names, 3)
    assert found.difference.mean == pytest.approx(1.0)
    assert found.on_test is not None
    assert found.on_test.mean == pytest.approx((0.1 / 0.5 + 0.1 / 0.2) / 2)
    tests = {line.searcher: line.test for line in overall(comparisons(0.2), names, 3) if line.task is None}
    assert tests["hpo-llama"] is not None
    assert tests["hpo-llama"].mean == pytest.approx((0.0 + 1.0) / 2)
    (untested,) = contrasts(comparisons(None), names, 3)
    assert untested.on_test is None
    unknown = {line.searcher: line.test for line in overall(comparisons(None), names, 3) if line.task is None}
    assert unknown["hpo-llama"] is None
    assert unknown["default"] is not None


def test_nothing_finished_is_no_line_and_all_of_it_can_be_drawn(tmp_path: Path) -> None:
    assert overall({"wide": comparison(Task.DETECTION, study("random", 0, 0.1))}, SEARCHERS, 3) == ()
    lines = overall(KNOWN, SEARCHERS, 3)
    result = HpoBenchResult(searchers=SEARCHERS, trials=3, comparisons=KNOWN, overall=lines, command="c", date="d")
    assert hpo_bench_table(result).row_count == len(lines) == 6
    assert draw_hpo_bench(result, tmp_path / "plot.png").stat().st_size > 10_000


def result_of(*bags: str, trials: int = 3) -> HpoBenchResult:
    comparisons = {bag: KNOWN[bag] for bag in bags}
    lines = overall(comparisons, SEARCHERS, 3)
    return HpoBenchResult(
        searchers=SEARCHERS, trials=trials, comparisons=comparisons, overall=lines, command=bags[0], date="d"
    )


def alone(bag: str, searcher: str, **facts: str) -> HpoBenchResult:
    """The studies of `random` as another searcher's."""
    studies = [
        study.model_copy(update={"searcher": searcher}) for study in KNOWN[bag].studies if study.searcher == "random"
    ]
    ran = KNOWN[bag].model_copy(update={"studies": tuple(studies), "command": f"{searcher} alone", **facts})
    return result_of(bag).model_copy(update={"searchers": (searcher,), "comparisons": {bag: ran}})


def test_other_searchers_on_the_same_bag_join_its_comparison() -> None:
    both = joined([result_of("wide"), alone("wide", "tpe")], "c")
    assert both.searchers == (*SEARCHERS, "tpe")
    ran = both.comparisons["wide"]
    best = {line.searcher: line.best_after[3].mean for line in ran.standings}
    assert best == pytest.approx({"random": 0.4, "better": 0.7, "tpe": 0.4})
    assert (len(ran.studies), ran.command) == (6, "c\ntpe alone")
    parted = joined([result_of("wide", "narrow"), alone("wide", "tpe")], "c")
    assert parted.searchers == SEARCHERS  # on the other bag `tpe` has not run


def test_parts_of_a_benchmark_are_joined_into_the_same_figures(tmp_path: Path) -> None:
    files = [tmp_path / f"{bag}.json" for bag in KNOWN]
    for bag, file in zip(KNOWN, files, strict=True):
        file.write_text(result_of(bag).model_dump_json())
    asked = ["bench", "hpo", "--join", ",".join(map(str, files)), "--out", str(tmp_path / "joined")]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0
    stored = tmp_path / "joined" / "bench-hpo.json"
    whole = HpoBenchResult.model_validate_json(stored.read_bytes())
    assert whole.overall == overall(KNOWN, SEARCHERS, 3)
    assert whole.comparisons["wide"].command == KNOWN["wide"].command
    assert (tmp_path / "joined" / "bench-hpo.png").exists()
    assert f"{stored} holds every figure" in shown.stdout
    again = CliRunner().invoke(app, ["bench", "hpo", "--plot", str(stored), "--json"])
    assert HpoBenchResult.model_validate_json(again.stdout) == whole


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ([result_of("wide"), result_of("wide", "narrow")], "wide, random, seed 0 is in two results"),
        ([result_of("wide"), alone("wide", "tpe", data="other")], "different data or models by wide"),
        ([result_of("wide"), result_of("narrow", trials=20)], r"trials of a study differ: \[3, 20\]"),
        ([result_of("wide"), alone("narrow", "tpe")], "no searcher in common"),
        ([result_of("wide"), result_of("narrow").model_copy(update={"source": Source(kind="surrogate")})], "replays"),
    ],
)
def test_what_does_not_belong_together_is_not_joined(results: list[HpoBenchResult], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        joined(results, "c")


def test_only_held_out_bags_are_used_and_each_task_has_two_or_more() -> None:
    everything = held_out_bags(HpoBenchOptions())
    assert all(bag.held_out for bag in everything)
    assert all(sum(bag.task is task for bag in everything) >= 2 for task in Task)
    one_each = held_out_bags(HpoBenchOptions(bags=1))
    assert sorted(bag.task for bag in one_each) == sorted(Task)
    named = held_out_bags(HpoBenchOptions(bags=("keypoint-held-out-1", "detection-held-out-0")))
    assert [bag.id for bag in named] == ["detection-held-out-0", "keypoint-held-out-1"]


def test_wrong_bags_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    for given, said in [
        ("detection-held-out-9", r"unknown held-out task 'detection-held-out-9'. Did you mean 'detection-held-out-0'"),
        ("keypoint-held-out-1", r"unknown held-out task 'keypoint-held-out-1'.*Known: detection-held-out-0, "),
        ("0", "--datasets: '0' is no list of counts"),
        ("9" * 5000, "is no list of counts"),
    ]:
        out = tmp_path / "bench"
        done = CliRunner().invoke(
            app,
            ["bench", "hpo", "--datasets", given, "--tasks", "detection", "--searchers", "random", "--out", str(out)],
        )
        assert isinstance(done.exception, RequestError)
        assert re.search(said, str(done.exception)), done.exception
        assert not list(out.glob("*-held-out-*"))


def test_a_benchmark_that_fails_packs_what_it_has(tmp_path: Path) -> None:
    out, packed = tmp_path / "bench", tmp_path / "packed"
    rows = made_up(next(bag for bag in plan_bags() if bag.held_out), 4)
    known = write_compressed(rows[:2], tmp_path / "known.jsonl.gz")
    out.mkdir()
    KeyedFile(out / TRAININGS_FILE, RecordedTrial, "training").add(rows[2:])
    options = ["--known", known, "--pack", packed, "--out", out, "--searchers", "random", "--datasets", "no-such-bag"]
    done = CliRunner().invoke(app, ["bench", "hpo", *map(str, options)])
    assert isinstance(done.exception, RequestError)
    assert {row.key for row in read_trials(packed / "hpo_trainings.jsonl.gz")} == {row.key for row in rows}


def test_a_file_that_is_no_result_is_refused_clearly(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    for file in ("nowhere.json", "other.json"):
        done = CliRunner().invoke(app, ["bench", "hpo", "--plot", str(tmp_path / file)])
        assert isinstance(done.exception, RequestError)
        assert "is no result of `autommlab bench hpo`" in str(done.exception)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_tiny_real_benchmark_is_not_run_twice(home: Path, shapes: Path, tmp_path: Path) -> None:
    assert autommlab_here("data", "add", shapes, "--name", "materials", home=home).code == 0
    out = tmp_path / "bench"
    asked = ("bench", "hpo", "--data", "materials", "--tasks", "classification", "--datasets", 1, "--trials", 1)
    first = autommlab(home, *asked, "--seeds", 1, "--searchers", "random", "--out", out)
    assert first.returncode == 0, first.stderr
    assert "normalised score" in first.stdout
    trainings = out / "trainings.jsonl"
    (trained,) = read_trials(trainings)
    assert trained.held_out and trained.test is not None
    more = autommlab_here(*asked, "--seeds", 1, "--searchers", "random", "--out", out, "--json", home=home)
    assert more.code == 0, more.err
    result = HpoBenchResult.model_validate_json(more.out)
    (study,) = result.comparisons["materials-0"].studies
    assert (study.searcher, study.scores, study.test) == ("random", (trained.score,), trained.test)
    assert {line.searcher for line in result.overall} == {"random"}
    assert json.loads((out / "bench-hpo.json").read_text()) == json.loads(more.out)
    assert (out / "bench-hpo.png").exists()
    moved = autommlab_here(*asked, "--seeds", 1, "--searchers", "random", "--out", tmp_path / "elsewhere",
                           "--known", trainings, "--pack", tmp_path / "packed", "--json", home=home)  # fmt: skip
    assert moved.code == 0, moved.err
    assert read_trials(tmp_path / "packed" / "hpo_trainings.jsonl.gz") == [trained]
    taken = HpoBenchResult.model_validate_json(moved.out)
    assert taken.comparisons["materials-0"].studies[0].scores == study.scores
    assert not (tmp_path / "elsewhere" / "trainings.jsonl").exists(), "it was trained again"
    unknown = autommlab_here(*asked, "--searchers", "tpo", "--out", out, home=home)
    assert unknown.code == 2
    assert "unknown searcher 'tpo'" in unknown.err
