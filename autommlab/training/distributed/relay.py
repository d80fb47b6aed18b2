"""From Ray Train's controller to the trainable that waits: who runs, what the workers report, what they hold."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.train import Checkpoint, UserCallback
from ray.train.v2._internal.execution.callback import WorkerGroupCallback
from ray.util.placement_group import PlacementGroup, remove_placement_group

from autommlab.training.loss_curve import LossPoint

if TYPE_CHECKING:
    from ray.util.queue import Queue

_HELD_FILE = "placement_group"


@dataclass(frozen=True, slots=True)
class Started:
    """The first message of a run. `controller`: handle of Ray Train's controller, which can abort it."""

    controller: Any


@dataclass(frozen=True, slots=True)
class WorkersReport:
    """One report of all workers.

    Attributes:
        iteration: optimiser steps done.
        metrics: canonical names, fractions, on VAL, of the whole split.
        seconds: (training, validation, building) so far, of the first worker.
        readback: see `translate.readback`.
        execution: see `TrialRecord`, of the first worker.
        skipped: (file, reason) of the samples that failed in any worker.
        resampled: see `TrialRecord`.
        losses: since the report before, see `Trial.take_losses`.
        config: the trial's config as text.
        checkpoint: its path in the storage.
    """

    iteration: int
    metrics: dict[str, float]
    seconds: tuple[float, float, float]
    readback: dict[str, Any]
    execution: dict[str, Any]
    skipped: tuple[tuple[str, str], ...]
    resampled: tuple[float, ...]
    losses: tuple[LossPoint, ...]
    config: str
    checkpoint: str


class Relay(UserCallback):
    """Lives in the controller; puts every report into a queue.

    Args:
        queue: read by `GroupedTrial`.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None) -> None:
        """All workers have reported, and their checkpoint is stored."""
        first = metrics[0]
        self._queue.put(
            WorkersReport(
                iteration=first["iteration"],
                metrics=first["metrics"],
                seconds=(first["train_s"], first["val_s"], first["setup_s"]),
                readback=first["readback"],
                execution=first["execution"],
                skipped=tuple({file: (file, why) for worker in metrics for file, why in worker["skipped"]}.values()),
                resampled=tuple(first["resampled"]),
                losses=first["losses"],
                config=first["config"],
                checkpoint=checkpoint.path if checkpoint else "",
            )
        )


class Holdings(WorkerGroupCallback):
    """Lives in the controller; tells who it is and writes down which placement group it holds.

    Ray frees a placement group whose creator died only through its dashboard's interface, which a private Ray
    does not have; the resources would stay taken.

    Args:
        queue: read by `GroupedTrial`.
        scratch: the trial's folder on this node, which the controller shares with the trainable.
    """

    def __init__(self, queue: Queue, scratch: Path) -> None:
        self._queue, self._scratch = queue, scratch

    def after_worker_group_start(self, worker_group: Any) -> None:
        """The workers are there."""
        held = worker_group.get_worker_group_state().placement_group_handle.placement_group
        self._scratch.mkdir(parents=True, exist_ok=True)
        (self._scratch / _HELD_FILE).write_text(held.id.hex(), encoding="utf-8")
        self._queue.put(Started(ray.get_runtime_context().current_actor))


def free_placement_group(scratch: Path) -> None:
    """Remove the placement group that `Holdings` wrote down, with the processes in it, if it is still there."""
    held = scratch / _HELD_FILE
    if held.exists():
        with contextlib.suppress(Exception):  # removed already, or of a Ray that is gone
            remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(held.read_text(encoding="utf-8"))))
        held.unlink()
