"""A trial over several workers: one `TorchTrainer.fit()` in the background, driven like a trial in this process.

Why so. Ray Tune 2.60 knows two ways to a `TorchTrainer`: a function that calls `fit()` and passes reports on
(`TuneReportCallback`), or Train V1's trainer as a Trainable, which is deprecated. With the first the reports
arrive in a Tune function, whose checkpoints, failures and replays would be others than those of a trial in one
process. `GroupedTrial` keeps the first way's means (Train V2's `TorchTrainer`, a callback, a queue) inside our own
Trainable instead: `advance` waits for the workers' next report, so searchers, schedulers, the ledger, replays and
checkpoints do not know how many workers a trial has.

Resources. Train V2 reserves a placement group of its own for the workers, all or nothing, so Tune's part of the
trial asks for a little memory alone, and the study bounds the trials at once by the workers that fit
(`study._slots`). Further trials wait for their placement group without holding anything.

Workers run ahead of Tune by at most the reports of a trial; what a scheduler stops is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.train import Checkpoint, WorkerGroupError
from ray.train.torch import TorchConfig
from ray.train.v2.api.config import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.torch.torch_trainer import TorchTrainer
from ray.util.queue import Queue

from autommlab import settings
from autommlab.training.distributed.relay import Holdings, Relay, Started, WorkersReport, free_placement_group
from autommlab.training.distributed.worker import GroupJob, train_share
from autommlab.training.failures import TrialFailure, WorkerLostError
from autommlab.training.loss_curve import LossPoint
from autommlab.training.records import GroupShape

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class GroupStorage:
    """Where Ray Train keeps a trial's checkpoints while it runs, reachable from all nodes."""

    path: str
    filesystem: FileSystem


class GroupedTrial:
    """A trial in progress over several workers; attributes and methods as of `trial.Trial`."""

    def __init__(self, job: GroupJob, shape: GroupShape, storage: GroupStorage, scratch: Path) -> None:
        """Start the workers in the background.

        Args:
            job: what to train.
            shape: over how many workers.
            storage: for checkpoints; emptied by `close`.
            scratch: folder of this trial on this node, the same one if Tune starts the trial again here.
        """
        self._job, self._storage, self._scratch = job, storage, scratch
        self._run = f"group-{uuid.uuid4().hex[:8]}"
        self._report: WorkersReport | None = None
        self._controller: Any = None
        self._error: BaseException | None = None
        self.train_s = self.val_s = self.setup_s = 0.0
        self.readback: dict[str, Any] = {}
        self.execution: dict[str, Any] = {}
        self.skipped: tuple[tuple[str, str], ...] = ()
        self.resampled: tuple[float, ...] = ()
        self._losses: tuple[LossPoint, ...] = ()
        free_placement_group(scratch)  # of an earlier attempt whose process was killed
        self._queue = Queue(actor_options={"num_cpus": 0})
        trainer = self._trainer(shape)
        self._thread = threading.Thread(target=self._fit, args=(trainer,), name=self._run, daemon=True)
        self._thread.start()

    @property
    def iteration(self) -> int:
        """Optimiser steps done at the last report."""
        return self._report.iteration if self._report else 0

    @property
    def finished(self) -> bool:
        """Whether the last report has come."""
        return self.iteration >= self._job.point.iterations

    def advance(self) -> dict[str, float]:
        """Wait for the next report.

        Raises:
            TrialFailure: the trial failed on a worker.
            WorkerLostError: a worker's process, or one of Ray Train's, died.
        """
        item = self._queue.get()
        while isinstance(item, Started):
            self._controller = item.controller
            item = self._queue.get()
        if item is None:
            raise self._why()
        self._report = item
        self.train_s, self.val_s, self.setup_s = item.seconds
        self.readback, self.execution = item.readback, item.execution
        self.skipped, self.resampled = item.skipped, item.resampled
        self._losses = item.losses
        return dict(item.metrics)

    def take_losses(self) -> tuple[LossPoint, ...]:
        """Those of the last report, once."""
        points, self._losses = self._losses, ()
        return points

    def save(self, folder: Path) -> None:
        """Copy the last report's checkpoint from the storage."""
        if self._report is not None:
            Checkpoint(self._report.checkpoint, filesystem=self._storage.filesystem).to_directory(str(folder))

    def config_text(self) -> str:
        """The config as a Python file, for a single worker."""
        return self._report.config if self._report else ""

    def close(self) -> None:
        """End the workers if they still run, free what they held, delete what Ray Train has stored."""
        if self.finished or self._error is not None:
            self._thread.join(timeout=settings.GROUP_END_S)
        if self._thread.is_alive():
            self._abort()
        free_placement_group(self._scratch)
        with contextlib.suppress(OSError):
            self._storage.filesystem.delete_dir(f"{self._storage.path}/{self._run}")
        self._queue.shutdown(force=True)

    def _trainer(self, shape: GroupShape) -> TorchTrainer:
        # Read by Ray Train's controller: its own 2 s would be added to each report.
        os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(settings.GROUP_POLL_S))
        os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(settings.GROUP_START_S))
        callbacks: list[Any] = [Relay(self._queue), Holdings(self._queue, self._scratch)]
        alone = ray.util.get_node_ip_address() == _LOOPBACK
        return TorchTrainer(
            train_share,
            train_loop_config={"job": self._job},
            torch_config=TorchConfig(timeout_s=settings.GROUP_TIMEOUT_S),
            scaling_config=ScalingConfig(
                num_workers=shape.workers,
                use_gpu=shape.gpus > 0,
                resources_per_worker={"CPU": shape.cpus} | ({"GPU": shape.gpus} if shape.gpus else {}) | shape.custom,
            ),
            run_config=RunConfig(
                name=self._run,
                storage_path=self._storage.path,
                storage_filesystem=self._storage.filesystem,
                # Tune counts the tries of a trial, as for one in a single process.
                failure_config=FailureConfig(max_failures=0, controller_failure_limit=settings.MAX_WORKER_FAILURES),
                checkpoint_config=CheckpointConfig(num_to_keep=None),
                callbacks=callbacks,
                # gloo would otherwise listen on the network card of a machine that runs alone.
                worker_runtime_env={"env_vars": {"GLOO_SOCKET_IFNAME": "lo"}} if alone else None,
            ),
        )

    def _fit(self, trainer: TorchTrainer) -> None:
        try:
            trainer.fit()
        except BaseException as error:  # told by `advance`, in the thread that waits for it
            self._error = error
        with contextlib.suppress(Exception):  # nobody waits any more
            self._queue.put(None)

    def _why(self) -> Exception:
        """The exception for a group that ended without its last report: the first worker's own failure, if any."""
        failures = getattr(self._error, "worker_failures", {}) if isinstance(self._error, WorkerGroupError) else {}
        causes = [getattr(failures[rank], "_base_exc", failures[rank]) for rank in sorted(failures)]
        own = next((cause for cause in causes if isinstance(cause, TrialFailure)), None)
        if own is not None:
            return own
        said = str(causes[0] if causes else self._error).strip().splitlines()
        return WorkerLostError(said[-1][:300] if said else "the group of workers ended without a report")

    def _abort(self) -> None:
        """End a group in mid-training, the workers first."""
        if self._controller is None:
            return
        with contextlib.suppress(Exception):  # its end is its answer
            ray.get(self._controller.abort.remote(), timeout=settings.GROUP_END_S)
        with contextlib.suppress(Exception):
            ray.kill(self._controller)
        self._thread.join(timeout=settings.GROUP_END_S)
