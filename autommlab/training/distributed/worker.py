"""What each worker of a group does: build the same trial, train its share, report together.

The process group is there before `train_share` is called: Ray Train has set it up (gloo for CPUs, nccl for
GPUs), and mmengine's distributed mode finds it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.training.failures import WorkerLostError, fault_of, leave, trial_failure
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import TrialSetup

if TYPE_CHECKING:
    from ray import ObjectRef

    from autommlab.common.storage import Place
    from autommlab.training.trial import Trial


@dataclass(frozen=True, slots=True)
class GroupJob:
    """What a group of workers is to train.

    Attributes:
        setup, point: as for `Trial`.
        workers: of the group.
        threads: of each worker on a CPU.
        place: of the run, for nodes that do not share the driver's disk.
        resume: files of the checkpoint to go on from, name -> contents, in Ray's object store.
    """

    setup: TrialSetup
    point: Hyperparameters
    workers: int
    threads: int
    place: Place | None = None
    resume: ObjectRef[dict[str, bytes]] | None = None


def train_share(config: dict[str, Any]) -> None:
    """Ray Train's `train_loop_per_worker`; `config["job"]` is a `GroupJob`.

    Raises:
        TrialFailure: the trial failed by itself, here.
        WorkerLostError: another worker is gone, or this machine is at fault.
    """
    try:
        _train(config["job"])
    except Exception as error:  # the words go to the trainable, which has no toolbox to unpickle the rest
        if _peer_is_gone(error):
            raise WorkerLostError(str(error)) from None
        if (fault := fault_of(error, Path(tempfile.gettempdir()))) is not None:
            raise leave(fault) from None
        raise trial_failure(error) from None


def _train(job: GroupJob) -> None:
    import torch

    from autommlab.training.node_data import bring_bag
    from autommlab.training.trial import Trial, prepare_toolbox

    prepare_toolbox(job.setup.bag.task)
    from autommlab.training.distributed.data_parallel import config_of_worker

    bring_bag(job.setup.bag, job.place)
    torch.set_num_threads(max(1, job.threads))
    with tempfile.TemporaryDirectory(prefix="autommlab-share-") as scratch:
        resume_from = _resumed_files(job, Path(scratch) / "resumed")
        per_worker = partial(config_of_worker, workers=job.workers) if job.workers > 1 else None
        work_dir = Path(scratch) / "openmmlab"
        trial = Trial(job.setup, job.point, work_dir, resume_from, per_worker, cpus=max(1, job.threads))
        try:
            while not trial.finished:
                _report(trial, trial.advance())
        finally:
            trial.close()


def _report(trial: Trial, metrics: dict[str, float]) -> None:
    from ray import train

    report = {
        "iteration": trial.iteration,
        "metrics": metrics,
        "train_s": trial.train_s,
        "val_s": trial.val_s,
        "setup_s": trial.setup_s,
        "readback": trial.readback,
        "execution": trial.execution,
        "skipped": trial.skipped,
        "resampled": list(trial.resampled),
        "losses": trial.take_losses(),
        "config": trial.config_text(),
    }
    with tempfile.TemporaryDirectory(prefix="autommlab-report-") as folder:
        trial.save(Path(folder))
        # Ray Train merges what the workers wrote into one checkpoint.
        train.report(report, checkpoint=train.Checkpoint.from_directory(folder))


def _resumed_files(job: GroupJob, folder: Path) -> Path | None:
    """Where to go on from: Ray Train's checkpoint if it has started this group again, else Tune's, else none."""
    import ray
    from ray import train

    if (newest := train.get_checkpoint()) is not None:
        return Path(newest.to_directory(str(folder)))
    if job.resume is None:
        return None
    folder.mkdir()
    for name, contents in ray.get(job.resume).items():
        (folder / name).write_bytes(contents)
    return folder


def _peer_is_gone(error: BaseException) -> bool:
    """Whether a collective call broke off or timed out, which says nothing about this trial."""
    from torch import distributed

    text = str(error).lower()
    return isinstance(error, distributed.DistError) or "gloo" in text or "connection closed by peer" in text
