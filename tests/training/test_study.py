"""Studies on a real Ray: equal budgets, failures that do not stop them, worker death, one look at TEST."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autommlab.common.errors import ResumeError, StorageError, TrainingError
from autommlab.progress.events import Event, Events, Listener
from autommlab.tasks import Task
from autommlab.training.loss_curve import read_curves
from autommlab.training.records import StudyResult
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study import run_study
from autommlab.training.study_options import StudyOptions
from autommlab.understanding.request import Metric
from tests.helpers.tiny_trials import small_space

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[None]:
    from autommlab.cluster import ray_session

    with ray_session():
        yield


def study(setup: TrialSetup, folder: Path, *listeners: Listener, trials: int = 4, **options: object) -> StudyResult:
    own = {"searcher": "random", "trials": trials, **options}
    return run_study(setup, small_space(), StudyOptions(**own), folder=folder, events=Events(*listeners))


def test_a_study_keeps_its_budget_and_its_winner(tiny_setups: dict, tmp_path: Path) -> None:
    told: list[Event] = []
    named = tiny_setups[Task.CLASSIFICATION].model_copy(update={"requirements": (Metric(name="F1", value=0.9),)})
    result = study(named, tmp_path, told.append)
    assert len(result.trials) == 4
    assert (result.objective, result.score_name) == ("F1", "F1")
    assert result.best.score == max(trial.score for trial in result.trials)
    assert all(trial.score == trial.metrics["F1"] == trial.curve[-1][1] for trial in result.trials)
    assert {event.data["metric"] for event in told if event.kind == "trial"} == {"F1"}
    interval = result.test_intervals["F1"]
    assert interval.low <= result.test_metrics["F1"] <= interval.high
    assert all(trial.resampled for trial in result.trials)
    assert result.lead is not None
    with pytest.raises(ResumeError, match="were searched for another figure than accuracy"):
        study(tiny_setups[Task.CLASSIFICATION], tmp_path)
    assert all(trial.worker and trial.train_s > 0 and trial.proposed_by for trial in result.trials)
    for trial in result.trials:
        for name, value in trial.hyperparameters.model_dump().items():
            assert trial.readback[name] == (pytest.approx(value) if isinstance(value, float) else value)
    assert [event.data["number"] for event in told if event.kind == "trial"] == [1, 2, 3, 4]
    assert len({trial.worker for trial in result.trials}) <= (os.cpu_count() or 1), "workers serve several trials"
    assert result.checkpoint.exists()
    assert not (tmp_path / "ray").exists()
    curves = read_curves(tmp_path)
    assert curves.keys() == {trial.trial_id for trial in result.trials}
    for trial in result.trials:
        curve = curves[trial.trial_id]
        assert [p.iteration for p in curve.points] == list(range(1, trial.hyperparameters.iterations + 1))
        assert curve.scores == dict(trial.curve)
        assert (curve.hyperparameters, curve.proposed_by) == (trial.hyperparameters, trial.proposed_by)


def test_a_finished_study_is_not_run_again_and_test_is_measured_once(tiny_setups: dict, tmp_path: Path) -> None:
    setup = tiny_setups[Task.CLASSIFICATION]
    first = study(setup, tmp_path, trials=2, max_concurrent=1)
    (tmp_path / "best" / "test.json").write_text(json.dumps({"accuracy": 0.123}))
    again = study(setup, tmp_path, trials=2, max_concurrent=1)
    assert again.trials == first.trials
    assert again.test_metrics == {"accuracy": 0.123}


@pytest.mark.long
def test_same_seed_same_trials_same_scores(tiny_setups: dict, tmp_path: Path) -> None:
    def figures(folder: str) -> list:
        result = study(tiny_setups[Task.CLASSIFICATION], tmp_path / folder, trials=3, max_concurrent=1)
        return [(trial.hyperparameters, trial.score) for trial in result.trials]

    assert figures("a") == figures("b")


def test_a_broken_data_set_stops_the_study_with_the_workers_words(tiny_setups: dict, tmp_path: Path) -> None:
    setup = tiny_setups[Task.CLASSIFICATION]
    folder = tmp_path / "bag"
    folder.mkdir()
    for split in ("train", "val", "test"):
        (folder / f"{split}.txt").write_text("".join(f"{tmp_path}/no-such-image-{i}.png 0\n" for i in range(32)))
    broken = setup.model_copy(update={"bag": setup.bag.model_copy(update={"folder": folder})})
    with pytest.raises(TrainingError, match=r"all \d trials failed[\s\S]*no-such-image"):
        study(broken, tmp_path / "study", trials=6, max_concurrent=1)


def test_a_study_that_asks_for_more_than_the_cluster_has_says_so_before_training(
    tiny_setups: dict, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"a trial needs 999 CPU and 0 GPU .* the largest with"):
        study(tiny_setups[Task.CLASSIFICATION], tmp_path, cpus_per_trial=999)


def test_a_disk_without_room_for_checkpoints_is_noticed_before_training(
    tiny_setups: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=24_000_000))
    with pytest.raises(StorageError, match=r"has 24 MB free; .* need \d+ MB.*--concurrent"):
        study(tiny_setups[Task.CLASSIFICATION], tmp_path)


@pytest.mark.long
def test_a_killed_worker_costs_no_trial(tiny_setups: dict, tmp_path: Path) -> None:
    """The worker of a running trial is killed with -9; the trial goes on elsewhere from its checkpoint.

    In the usual run a whole node is killed (`tests/cluster/test_node_failure.py`), and below three workers.
    """
    killed: list[int] = []

    def kill_one_worker() -> None:
        deadline = time.monotonic() + 120
        while not killed and time.monotonic() < deadline:
            for progress in (tmp_path / "ray").glob("*/checkpoint_*/progress.json"):
                worker = _busy_worker()
                if worker and progress.exists():
                    worker.kill()
                    killed.append(worker.pid)
                    return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_one_worker)
    killer.start()
    result = run_study(
        tiny_setups[Task.CLASSIFICATION],
        small_space((30, 40)),
        StudyOptions(searcher="random", trials=2),
        folder=tmp_path,
        events=Events(),
    )
    killer.join()
    assert killed, "no worker was found to kill"
    assert [trial.status for trial in result.trials] == ["ok"] * 2


def test_a_trial_that_loses_every_worker_is_given_up(tiny_setups: dict, tmp_path: Path) -> None:
    """Each worker of the first trial is killed with -9, as a trial does that crashes its process."""
    killed: dict[int, str] = {}
    warnings: list[str] = []

    def kill_three_workers() -> None:
        deadline = time.monotonic() + 200
        while len(killed) < 3 and time.monotonic() < deadline:
            worker = _busy_worker()
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                if worker and worker.cwd() == next(iter(killed.values()), worker.cwd()):
                    killed[worker.pid] = worker.cwd()
                    worker.kill()
            time.sleep(0.02)

    killer = threading.Thread(target=kill_three_workers)
    killer.start()
    result = run_study(
        tiny_setups[Task.CLASSIFICATION],
        small_space((30, 40)),
        StudyOptions(searcher="random", trials=2, max_concurrent=1),
        folder=tmp_path,
        events=Events(lambda event: warnings.append(event.message) if event.kind == "warning" else None),
    )
    killer.join()
    assert len(killed) == 3
    assert sorted(trial.status for trial in result.trials) == ["ok", "worker-died"]
    assert [trial.reason for trial in result.trials if "its worker died 3 times" in trial.reason]
    assert len(warnings) == 2, warnings


def _busy_worker() -> psutil.Process | None:
    """One that trains for this Ray, not for another on this machine: workers stand in the folder of their trial."""
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or ())
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            if title.startswith("ray::") and "train" in title and process.cwd().startswith(_session_folder()):
                return process
    return None


def _session_folder() -> str:
    import ray

    node = ray._private.worker._global_node
    assert node is not None
    return str(node.get_session_dir_path())


@pytest.mark.parametrize("scheduler", ["asha", pytest.param("median", marks=pytest.mark.long)])
def test_schedulers_stop_trials_and_the_record_says_so(tiny_setups: dict, tmp_path: Path, scheduler: str) -> None:
    result = study(tiny_setups[Task.CLASSIFICATION], tmp_path, trials=6, scheduler=scheduler)
    assert len(result.trials) == 6
    reports = tiny_setups[Task.CLASSIFICATION].reports
    whole = {trial.number: len(trial.curve) == reports for trial in result.trials}
    assert {trial.number: trial.status for trial in result.trials} == {
        number: "ok" if all_of_it else "stopped" for number, all_of_it in whole.items()
    }
    assert not all(whole.values()), "nothing was stopped, so nothing was shown"
