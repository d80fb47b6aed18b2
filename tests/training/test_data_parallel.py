"""A trial's batch shared out among workers: the same images, gradients, statistics and figures as in one process."""

from pathlib import Path
from typing import Any

import pytest

from autommlab.compat import import_toolboxes
from autommlab.tasks import Task
from tests.helpers.two_workers import POINT, trained, worker

TASKS = (Task.CLASSIFICATION, Task.DETECTION)


@pytest.mark.parametrize(("batch", "workers", "share"), [(8, 2, 4), (5, 2, 2), (1, 2, 1), (3, 4, 1)])
def test_each_worker_takes_its_part_of_the_batch_and_at_least_one_image(batch: int, workers: int, share: int) -> None:
    import_toolboxes(Task.CLASSIFICATION)
    from autommlab.training.distributed.data_parallel import images_per_worker

    assert images_per_worker(batch, workers) == share


@pytest.fixture(scope="module")
def two_workers(tiny_setups: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left after training each task together."""
    from torch import multiprocessing

    folder = tmp_path_factory.mktemp("two")
    multiprocessing.spawn(worker, (folder, {task: tiny_setups[task] for task in TASKS}), nprocs=2)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_two_workers_train_what_one_trains(task: Task, tiny_setups: dict, two_workers: Path, tmp_path: Path) -> None:
    """The first step of SGD is the gradient times a number, so equal steps are equal gradients."""
    import torch

    both = torch.load(two_workers / f"{task.value}.pth", weights_only=False)
    alone = trained(tiny_setups[task], tmp_path)
    assert both["readback"] == alone["readback"]
    assert both["readback"]["batch_size"] == POINT.batch_size
    assert all(torch.equal(both["before"][name], values) for name, values in alone["before"].items())
    for statistics in (False, True):
        mine, theirs = (_step(outcome, statistics=statistics) for outcome in (both, alone))
        assert theirs.norm() > 0
        # Rounding in float32 alone makes 0.0005 to 0.003, by the number of threads; a batch norm that is not
        # synchronised, or gradients that are summed instead of averaged, make far more.
        assert (mine - theirs).norm() < 5e-3 * theirs.norm()
    for mine, theirs in zip(both["figures"], alone["figures"], strict=True):
        assert mine == pytest.approx(theirs, abs=0.02)


def _step(outcome: dict, *, statistics: bool) -> Any:
    """What the first step changed: batch norm's running statistics, or the parameters, in one vector."""
    import torch

    names = [name for name in outcome["before"] if ("running" in name or "tracked" in name) == statistics]
    return torch.cat([(outcome["after"][name] - outcome["before"][name]).flatten() for name in names])


@pytest.mark.slow
def test_all_workers_end_when_the_loss_of_one_is_not_finite(two_workers: Path) -> None:
    reasons = {(two_workers / f"diverged-{rank}.txt").read_text() for rank in (0, 1)}
    assert len(reasons) == 1
    assert next(iter(reasons)).endswith("at iteration 1")


@pytest.mark.slow
def test_the_kept_config_is_that_of_a_single_worker(two_workers: Path) -> None:
    import torch

    config = torch.load(two_workers / "classification.pth", weights_only=False)["config"]
    assert "launcher='none'" in config
    assert "TrialDataParallel" not in config
