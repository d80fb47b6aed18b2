"""One trial: build a Runner, train it piece by piece, measure it on VAL."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from autommlab import compat

with compat.light_imports():
    from mmengine.config import Config
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.registry import DefaultScope
    from mmengine.runner import Runner
    from mmengine.visualization import Visualizer

from autommlab.acceleration import PLAIN, Execution
from autommlab.tasks import TASK_METRICS, Task, objective
from autommlab.training.checkpoint import WEIGHTS_FILE, restore_random_state, save_progress, save_weights
from autommlab.training.config_file import read_values
from autommlab.training.data_config import test_on
from autommlab.training.evaluated import evaluated
from autommlab.training.execution import (
    batch_bytes,
    device_here,
    end_loading,
    execution_told,
    lay_out,
    loading,
    with_execution,
)
from autommlab.training.loss_curve import LossPoint
from autommlab.training.pace import DeadlinePace
from autommlab.training.records import Hyperparameters, TestResult
from autommlab.training.resampling import intervals, resampled_scores
from autommlab.training.runner_config import TrialSetup, runner_config
from autommlab.training.translate import readback


class Trial:
    """A training in progress.

    Attributes:
        train_s, val_s, setup_s: seconds spent in the training loop, in validation and in building.
        resampled: see `TrialRecord`; empty before the last report, and in all processes of a group but the first.
    """

    def __init__(
        self,
        setup: TrialSetup,
        point: Hyperparameters,
        work_dir: Path,
        resume_from: Path | None = None,
        per_worker: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        cpus: int = 1,
    ) -> None:
        """Build everything; nothing is trained yet.

        Args:
            setup: what the study's trials share.
            point: this trial's hyperparameters.
            work_dir: where the toolbox may write its log.
            resume_from: folder written by `save`, to go on from there.
            per_worker: where this process is one of an initialised group, what makes its config of the trial's.
            cpus: that this process may use, for loading pictures.
        """
        started = time.monotonic()
        self._task = setup.bag.task
        self._reports, self._score = setup.reports, setup.objective.score
        self._val_figures = setup.val_figures
        self._iterations = point.iterations
        self._pace = DeadlinePace(setup.deadline) if setup.deadline else None
        prepare_toolbox(self._task)
        config = runner_config(setup, point, work_dir=work_dir, name=f"trial-{uuid.uuid4().hex[:8]}")
        self._config = config
        self.runner, self._execution = _built_for_training(
            per_worker(config) if per_worker else config, setup, cpus, resume_from, alone=per_worker is None
        )
        self.readback = readback(self.runner)
        self.train_s = self.val_s = 0.0
        self.resampled: tuple[float, ...] = ()
        self.setup_s = time.monotonic() - started

    @property
    def iteration(self) -> int:
        """Optimiser steps done."""
        return int(self.runner.iter)

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return self.iteration >= self._iterations

    def advance(self) -> dict[str, float]:
        """Train up to the next report and validate, unless VAL is trained on.

        Returns:
            Canonical metric name -> fraction, on VAL or of `TrialSetup.val_figures`.

        Raises:
            DivergedError: the loss is not finite any more.
        """
        started = time.monotonic()
        until = next_report(self.iteration, self._iterations, self._reports)
        if self._pace:
            self._pace.begin(reports=max(1, round(self._reports * (1 - self.iteration / self._iterations))))
        self.runner.train_loop.advance(until, self._pace)
        trained = time.monotonic()
        metrics = self._validated() if self._val_figures is None else dict(self._val_figures)
        self.train_s += trained - started
        self.val_s += time.monotonic() - trained
        if self._pace:
            self._pace.validated(time.monotonic() - trained)
            self.readback["passed_over"] = self._pace.passed_over
        return metrics

    def _validated(self) -> dict[str, float]:
        with evaluated(self.runner.val_evaluator) as kept:
            metrics = canonical_figures(self._task, self.runner.val_loop.run())
        if self.finished and (statistics := kept.statistics(self._task)) is not None:
            self.resampled = resampled_scores(statistics, self._score)
        return metrics

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """(file, reason) of the training and validation samples that failed so far."""
        from autommlab.training.transforms import skipped_samples

        return skipped_samples(self.runner.train_loop.dataloader, self.runner.val_loop.dataloader)

    def take_losses(self) -> tuple[LossPoint, ...]:
        """Loss and learning rate since the last call."""
        points: tuple[LossPoint, ...] = self.runner.train_loop.losses.take()
        return points

    def test(self) -> dict[str, float]:
        """Measure the model as it is now on TEST; training cannot go on after it.

        Returns:
            Canonical metric name -> fraction.
        """
        with contextlib.redirect_stdout(io.StringIO()):
            return canonical_figures(self._task, self.runner.test())

    @property
    def execution(self) -> dict[str, Any]:
        """How it runs on its device, see `TrialRecord.execution`."""
        return execution_told(self.runner, self._execution)

    def save(self, folder: Path) -> None:
        """Write a checkpoint: all of it in mid-training, only the weights at the end."""
        (save_weights if self.finished else save_progress)(self.runner, folder)

    def config_text(self) -> str:
        """The config as a Python file, for one process on any device."""
        # Formatting the config's text, which only machines read, would cost three seconds a trial.
        return str(Config(self._config, format_python_code=False).dump())

    def close(self) -> None:
        """Let go of the model, and end the loading processes."""
        release(self.runner)


def prepare_toolbox(task: Task) -> None:
    """Import what training of this task needs, once per process."""
    compat.import_toolboxes(task)
    from autommlab.models import timm_backbone  # noqa: F401  registers our backbones
    from autommlab.training import stepped, transforms  # noqa: F401  registers our loop, hook and transforms

    if task is Task.DETECTION:
        from autommlab.training import detection_data, detection_transforms  # noqa: F401  registers ours
    if task is Task.SEGMENTATION:
        from autommlab.training import datasets  # noqa: F401  registers our data set


def next_report(iteration: int, iterations: int, reports: int) -> int:
    """The iteration of the next of `reports` evenly spaced reports after `iteration`."""
    boundaries = [max(1, round(iterations * k / reports)) for k in range(1, reports + 1)]
    return next((boundary for boundary in boundaries if boundary > iteration), iterations)


def canonical_figures(task: Task, raw: dict[str, Any]) -> dict[str, float]:
    """The toolbox's figures under canonical names, as fractions.

    mmdet and mmpose leave their COCO figures out when a model predicts nothing at all: these then count as 0.
    """
    found = {metric.name: float(raw[metric.key]) * metric.scale for metric in TASK_METRICS[task] if metric.key in raw}
    figures = {name: value for name, value in found.items() if not math.isnan(value)}
    if objective(task).name not in figures:
        coco = [metric.name for metric in TASK_METRICS[task] if metric.key.startswith("coco/")]
        figures = dict.fromkeys([objective(task).name, *coco], 0.0) | figures
    return {name: max(0.0, value) for name, value in figures.items()}


def evaluate(
    config_file: Path,
    checkpoint: Path,
    task: Task,
    annotations: Path | None = None,
    warn: Callable[[str], None] | None = None,
) -> TestResult:
    """Measure a trained model on TEST, with the intervals of its figures, in this process.

    Args:
        config_file: of a trial (`config_file.write_config`).
        checkpoint: weights of the trial.
        task: the model's task.
        annotations: of the test images, wherever they lie now; None = where they lay in training.
        warn: told of test images that could not be used.
    """
    tested = measure_on_test(read_values(config_file), checkpoint, task, annotations)
    if tested.skipped and warn:
        warn(tested.words_of_skipped())
    return tested.result


class Tested(NamedTuple):
    """A model's figures on TEST, and (file, reason) of the images that count as missed."""

    result: TestResult
    skipped: tuple[tuple[str, str], ...]

    def words_of_skipped(self) -> str:
        """The warning about the images that failed."""
        named = "; ".join(f"{file} ({why})" for file, why in self.skipped)
        return f"{len(self.skipped)} test images count as missed: {named}"


def measure_on_test(
    values: dict[str, Any],
    checkpoint: Path,
    task: Task,
    annotations: Path | None = None,
    execution: Execution = PLAIN,
) -> Tested:
    """Measure a trained model on TEST, in float32 as the exported model computes.

    Args:
        values: of the trial's config.
        checkpoint, task, annotations: as of `evaluate`.
        execution: how to load the images and lay out the model.
    """
    from autommlab.training.transforms import skipped_samples

    prepare_toolbox(task)
    config = Config(values, format_python_code=False)
    if annotations is not None:
        test_on(config, annotations)
    config.load_from, config.resume = str(checkpoint), False
    config.test_dataloader = loading(config.test_dataloader, execution)
    config.test_cfg = {"type": "TrialTestLoop"}
    config.experiment_name = f"test-{uuid.uuid4().hex[:8]}"
    config.visualizer.name = config.experiment_name
    runner = _quietly_built(config)
    lay_out(runner.model, execution)
    try:
        with contextlib.redirect_stdout(io.StringIO()), evaluated(runner.test_evaluator) as kept:
            figures = canonical_figures(task, runner.test())
        statistics = kept.statistics(task)
        result = TestResult(figures=figures, intervals=intervals(statistics, figures) if statistics else {})
        return Tested(result, skipped_samples(runner.test_loop.dataloader))
    finally:
        release(runner)


def release(runner: Any) -> None:
    """End a Runner: its loading processes, its entries in mmengine's global tables, and its hold on the model.

    A Runner and its loops refer to each other. Python would free such a circle, and with it the model, only when it
    next looks for circles, which the few but large objects of a trial rarely make it do.
    """
    name = runner.experiment_name
    for table in (MMLogger, MessageHub, Visualizer, DefaultScope):
        for key in [key for key in table._instance_dict if name in key]:
            table._instance_dict.pop(key)
    for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
        end_loading(getattr(loop, "dataloader", None))
    vars(runner).clear()


def _built_for_training(
    config: dict[str, Any], setup: TrialSetup, cpus: int, resume_from: Path | None, *, alone: bool
) -> tuple[Any, Execution]:
    """A Runner that is ready to train, and how it does on this device."""
    size = batch_bytes(config, setup.choice.input_size)
    execution = setup.acceleration.on(device_here(cpus), batch_bytes=size, alone=alone)
    settings = Config(with_execution(config, execution), format_python_code=False)
    if resume_from is not None:
        settings.load_from, settings.resume = str(resume_from / WEIGHTS_FILE), True
    runner = _quietly_built(settings)
    try:
        lay_out(runner.model, execution)
        # Gets ready only: our loop trains when told to advance. mmengine prints each tensor of another shape.
        with contextlib.redirect_stdout(io.StringIO()):
            runner.train()
        if resume_from is not None:
            restore_random_state(resume_from)
    except BaseException:
        release(runner)
        raise
    return runner, execution


def _quietly_built(config: Config) -> Any:
    """A Runner without the pages of log that the toolboxes write while it is built."""
    logging.getLogger("mmengine").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        return Runner.from_cfg(config)
