"""`autommlab status`: run folders of every age, and what it says where nothing runs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from autommlab.common.errors import ResumeError
from autommlab.common.llm_usage import LlmUsage
from autommlab.common.trial_status import TrialStatus
from autommlab.options import RunOptions
from autommlab.progress.events import Event, EventLog
from autommlab.status.runs import run_status, status_of
from autommlab.storage.run_folder import RunFolder
from autommlab.training.ledger import Ledger
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.usage import usage_of
from tests.helpers.program import autommlab_here

#: Seconds since 1970 at which training began, and that each trial took.
BEGAN, TRIAL_S = 1_000_000.0, 10.0


def trial(number: int, score: float, status: TrialStatus = "ok", **proposal: str) -> TrialRecord:
    point = Hyperparameters(
        iterations=20 + number, batch_size=4, optimizer="SGD", lr=1e-3, weight_decay=0, lr_schedule="StepLR"
    )
    return TrialRecord(
        number=number,
        trial_id=str(number),
        hyperparameters=point,
        score=score,
        status=status,
        proposal=dict(proposal),
        train_s=1700,
        setup_s=100,
    )


@pytest.fixture
def half_way(tmp_path: Path) -> RunFolder:
    """A run after 3 of 5 trials, one of which failed and one of which the LLM could not propose."""
    folder = RunFolder(tmp_path / "run")
    folder.open(RunOptions(text="tell cats and dogs apart", trials=5))
    folder.study.mkdir()
    log, ledger = EventLog(folder.events), Ledger(folder.study / "trials.jsonl")
    log(Event("stage-finished", "model", "ResNet-18", time=BEGAN - 1))
    log(Event("stage-started", "training", "starting workers", time=BEGAN))
    for record in (trial(1, 0.7), trial(2, 0.0, "diverged"), trial(3, 0.5, fallback="service too slow")):
        ledger.append(record)
        told = {"number": record.number, "total": 5, "metric": "accuracy", "best": 0.7}
        told |= {"score": record.score, "status": record.status}
        log(Event("trial", "training", f"trial {record.number}", told, BEGAN + TRIAL_S * record.number))
    return folder


def test_a_run_in_mid_study(half_way: RunFolder) -> None:
    run = run_status(half_way.path, now=BEGAN + 3 * TRIAL_S + 4)
    assert (run.stage, run.text) == ("training", "tell cats and dogs apart")
    assert (run.trials_done, run.trials_total) == (3, 5)
    assert (run.metric, run.best) == ("accuracy", 0.7)
    assert (run.failures, run.fallbacks) == ({"diverged": 1}, 1)
    assert run.left_s == pytest.approx(2 * TRIAL_S - 4)
    assert run.silent_s == pytest.approx(4)
    assert run.usage.cpu_hours == pytest.approx(1.5)
    assert run.usage.gpu_hours == 0


def test_a_run_that_nobody_runs_any_more_has_no_time_left(half_way: RunFolder) -> None:
    now = BEGAN + 3 * TRIAL_S + 4
    assert run_status(half_way.path, now).left_s
    half_way.close()
    assert run_status(half_way.path, now).left_s is None
    assert run_status(half_way.path, now, elsewhere=True).left_s


def test_a_run_on_a_storage_is_read_where_it_lies(half_way: RunFolder) -> None:
    cost = LlmUsage(calls=4, prompt_tokens=900, tokens=100, seconds=3)
    (half_way.study / "llm.json").write_text(cost.model_dump_json())
    here, there = status_of(half_way.path, now=BEGAN), status_of(f"file://{half_way.path}", now=BEGAN)
    assert there.folder == f"file://{half_way.path}"
    assert there.usage.llm == cost
    assert there == here.model_copy(update={"folder": there.folder})
    with pytest.raises(ResumeError, match=r"file:///.*nothing holds no run"):
        status_of(f"file://{half_way.path}/nothing")


def test_gpus_and_workers_count(half_way: RunFolder) -> None:
    options = RunOptions(text="x", gpus_per_trial=0.5, cpus_per_trial=2, workers_per_trial=2)
    used = usage_of(options, [trial(1, 0.5)])
    assert (used.cpu_hours, used.gpu_hours) == pytest.approx((2, 0.5))
    assert used.in_words() == "2 CPU hours and 0.5 GPU hours"


def test_looking_changes_nothing_even_while_a_line_is_being_written(half_way: RunFolder) -> None:
    for file in (half_way.events, half_way.study / "trials.jsonl"):
        with file.open("a") as log:
            log.write('{"number": 4, "torn')
    before = {file: file.read_bytes() for file in half_way.path.rglob("*") if file.is_file()}
    assert run_status(half_way.path).trials_done == 3
    assert {file: file.read_bytes() for file in half_way.path.rglob("*") if file.is_file()} == before


def test_a_finished_run_and_one_that_has_not_begun(half_way: RunFolder, tmp_path: Path) -> None:
    EventLog(half_way.events)(Event("done", "", "bundle: there", time=BEGAN + 99))
    finished = run_status(half_way.path, now=BEGAN + 100)
    assert (finished.stage, finished.left_s, finished.best) == ("finished", None, 0.7)
    fresh = RunFolder(tmp_path / "fresh")
    fresh.open(RunOptions(text="x"))
    fresh.close()
    assert run_status(fresh.path).trials_total == 6, "the profile's budget"
    with pytest.raises(ResumeError, match="holds no run"):
        run_status(tmp_path)


def test_as_table_and_as_json(half_way: RunFolder, home: Path) -> None:
    shown = autommlab_here("status", half_way.path, home=home)
    assert shown.code == 0, shown.err
    for words in ("[5/8] training", "3 of 5", "accuracy 0.700", "1 diverged", "LLM service: down"):
        assert words in shown.out
    told = json.loads(autommlab_here("status", half_way.path, "--json", home=home).out)
    assert told["service"]["state"] == "down"
    assert [run["best"] for run in told["runs"]] == [0.7]


@pytest.mark.parametrize("address", ["127.0.0.1:{free}", "nonsense", "http://127.0.0.1:8265"])
def test_an_address_where_no_ray_is(home: Path, address: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    done = autommlab_here("status", "--address", address.format(free=free), home=home)
    assert done.code == 5
    assert "HOST:" in done.err
