"""Studies whose trials run over two workers each, on a real Ray: results, a killed worker, a broken image."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autommlab.common.errors import TrainingError
from autommlab.progress.events import Events
from autommlab.tasks import Task
from autommlab.training.records import StudyResult
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study import run_study
from autommlab.training.study_options import StudyOptions
from tests.helpers.tiny_trials import small_space

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[None]:
    from autommlab.cluster import ray_session

    with ray_session():
        yield


def study(setup: TrialSetup, folder: Path, **options: object) -> StudyResult:
    own = {"searcher": "random", "trials": 1, "workers_per_trial": 2, "cpus_per_trial": 0.5, **options}
    space = small_space((30, 30), (8, 8), (1e-3, 1.1e-3))
    return run_study(setup, space, StudyOptions(**own), folder=folder, events=Events())


@pytest.mark.long
def test_a_killed_worker_costs_nothing_but_time(tiny_setups: dict, tmp_path: Path) -> None:
    """One of two workers is killed with -9 after the first report; the trial goes on from its checkpoint."""
    killed: list[int] = []

    def kill_one_worker() -> None:
        deadline = time.monotonic() + 180
        while not killed and time.monotonic() < deadline:
            if any((tmp_path / "ray").glob("*/checkpoint_*/progress.json")) and (workers := _group_workers()):
                os.kill(workers[-1], signal.SIGKILL)
                killed.append(workers[-1])
            time.sleep(0.05)

    killer = threading.Thread(target=kill_one_worker)
    killer.start()
    setup = tiny_setups[Task.CLASSIFICATION].model_copy(update={"reports": 3})
    result = study(setup, tmp_path)
    killer.join()
    assert killed, "no worker was found to kill"
    (trial,) = result.trials
    assert trial.status == "ok"
    assert [iteration for iteration, _ in trial.curve] == [10, 20, 30]
    assert trial.readback["batch_size"] == trial.hyperparameters.batch_size == 8
    assert result.checkpoint.exists()
    assert result.test_metrics["accuracy"] >= 0.75  # red and green squares: chance is 0.5


def _group_workers() -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or ()).startswith("ray::RayTrainWorker"):
            found.append(process.pid)
    return found


def test_more_broken_images_than_are_skipped_end_the_trial_with_their_words(tiny_setups: dict, tmp_path: Path) -> None:
    """Whichever worker meets them first; the other would wait for its gradients until the time-out."""
    setup = tiny_setups[Task.CLASSIFICATION]
    folder = tmp_path / "bag"
    folder.mkdir()
    for split in ("train", "val", "test"):
        lines = (setup.bag.folder / setup.bag.splits[split].annotations).read_text().splitlines()
        if split == "train":
            lines = [f"{tmp_path}/no-such-image-{number}.png 0" for number in range(len(lines))]
        (folder / setup.bag.splits[split].annotations).write_text("\n".join(lines) + "\n")
    broken = setup.model_copy(update={"bag": setup.bag.model_copy(update={"folder": folder})})
    with pytest.raises(TrainingError, match=r"trial 1 failed: [\s\S]*no-such-image"):
        study(broken, tmp_path / "study")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers_per_trial": 99}, r"99 workers with 0\.5 CPU and 0 GPU each; this Ray has room for \d+"),
        ({"gpus_per_trial": 0.5}, r"--gpus-per-trial is 0\.5, .* must be 0 or 1"),
    ],
)
def test_groups_that_cannot_be_are_refused_before_training(
    tiny_setups: dict, tmp_path: Path, options: dict, words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        study(tiny_setups[Task.CLASSIFICATION], tmp_path, **options)
