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
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

from autommlab import compat
from autommlab.tasks import TASK_METRICS, Task, objective
from autommlab.training.checkpoint import WEIGHTS_FILE, restore_random_state, save_progress, save_weights
from autommlab.training.config_file import read_config
from autommlab.training.data_config import test_on
from autommlab.training.evaluated import evaluated
from autommlab.training.pace import Pace
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
    ) -> None:
        """Build everything; nothing is trained yet.

        Args:
            setup: what the study's trials share.
            point: this trial's hyperparameters.
            work_dir: where the toolbox may write its log.
            resume_from: folder written by `save`, to go on from there.
            per_worker: where this process is one of an initialised group, what makes its config of the trial's.
        """
        started = time.monotonic()
        self._task = setup.bag.task
        self._reports, self._score = setup.reports, setup.objective.score
        self._iterations = point.iterations
        self._pace = Pace(setup.deadline) if setup.deadline else None
        prepare_toolbox(self._task)
        config = runner_config(setup, point, work_dir=work_dir, name=f"trial-{uuid.uuid4().hex[:8]}")
        self._whole = Config(config, format_python_code=False) if per_worker else None
        self.runner = _build_runner(per_worker(config) if per_worker else config, resume_from)
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
        """Train up to the next report and validate.

        Returns:
            Canonical metric name -> fraction, on VAL.

        Raises:
            DivergedError: the loss is not finite any more.
        """
        started = time.monotonic()
        until = next_report(self.iteration, self._iterations, self._reports)
        if self._pace:
            self._pace.begin(reports=max(1, round(self._reports * (1 - self.iteration / self._iterations))))
        self.runner.train_loop.advance(until, self._pace)
        trained = time.monotonic()
        with evaluated(self.runner.val_evaluator) as kept:
            metrics = canonical_figures(self._task, self.runner.val_loop.run())
        if self.finished and (statistics := kept.statistics(self._task)) is not None:
            self.resampled = resampled_scores(statistics, self._score)
        self.train_s += trained - started
        self.val_s += time.monotonic() - trained
        if self._pace:
            self._pace.validated(time.monotonic() - trained)
            self.readback["passed_over"] = self._pace.passed_over
        return metrics

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """(file, reason) of the training and validation samples that failed so far."""
        from autommlab.training.transforms import skipped_samples

        return skipped_samples(self.runner.train_loop.dataloader, self.runner.val_loop.dataloader)

    def test(self) -> dict[str, float]:
        """Measure the model as it is now on TEST; training cannot go on after it.

        Returns:
            Canonical metric name -> fraction.
        """
        with contextlib.redirect_stdout(io.StringIO()):
            return canonical_figures(self._task, self.runner.test())

    def save(self, folder: Path) -> None:
        """Write a checkpoint: all of it in mid-training, only the weights at the end."""
        (save_weights if self.finished else save_progress)(self.runner, folder)

    def config_text(self) -> str:
        """The config as a Python file, for a single worker even where several trained."""
        return str((self._whole or self.runner.cfg).dump())

    def close(self) -> None:
        """Drop the toolbox's global references to this trial."""
        forget(self.runner)


def prepare_toolbox(task: Task) -> None:
    """Import what training of this task needs, once per process."""
    compat.import_toolboxes(task)
    from autommlab.training import stepped, transforms  # noqa: F401  registers our loop, hook and transforms

    if task is Task.DETECTION:
        from autommlab.training import detection_transforms  # noqa: F401  registers our resize
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
    """Measure a trained model on TEST, with the intervals of its figures.

    Args:
        config_file: of a trial (`config_file.write_config`).
        checkpoint: weights of the trial.
        task: the model's task.
        annotations: of the test images, wherever they lie now; None = where they lay in training.
        warn: told of test images that could not be used.
    """
    from autommlab.training.transforms import skipped_samples

    prepare_toolbox(task)
    config = read_config(config_file)
    if annotations is not None:
        test_on(config, annotations)
    config.load_from, config.resume = str(checkpoint), False
    config.experiment_name = f"test-{uuid.uuid4().hex[:8]}"
    config.visualizer.name = config.experiment_name
    runner = _quietly_built(config)
    try:
        with contextlib.redirect_stdout(io.StringIO()), evaluated(runner.test_evaluator) as kept:
            figures = canonical_figures(task, runner.test())
        statistics = kept.statistics(task)
        skipped = skipped_samples(runner.test_loop.dataloader)
        if skipped and warn:
            warn(f"{len(skipped)} test images count as missed: {'; '.join(f'{f} ({why})' for f, why in skipped)}")
        return TestResult(figures=figures, intervals=intervals(statistics, figures) if statistics else {})
    finally:
        forget(runner)


def forget(runner: Any) -> None:
    """Remove a Runner's entries from mmengine's global tables, which otherwise grow with every trial."""
    name = runner.experiment_name
    for table in (MMLogger, MessageHub, Visualizer):
        for key in [key for key in table._instance_dict if name in key]:
            table._instance_dict.pop(key)


def _build_runner(settings: dict[str, Any], resume_from: Path | None) -> Any:
    # Formatting the config's text, which only machines read, would cost three seconds a trial.
    config = Config(settings, format_python_code=False)
    if resume_from is not None:
        config.load_from, config.resume = str(resume_from / WEIGHTS_FILE), True
    runner = _quietly_built(config)
    runner.train()  # gets ready only: our loop trains when told to advance
    if resume_from is not None:
        restore_random_state(resume_from)
    return runner


def _quietly_built(config: Config) -> Any:
    """A Runner without the pages of log that the toolboxes write while it is built."""
    logging.getLogger("mmengine").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        runner = Runner.from_cfg(config)
    if not torch.cuda.is_available() and not is_model_wrapper(runner.model):
        # Convolutions on a CPU: trials of EfficientNet-Lite and ResNet-18 take 10 to 35 % less time in all four tasks.
        runner.model.to(memory_format=torch.channels_last)
    return runner
