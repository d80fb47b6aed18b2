"""Does the bundle do what the trained model did? On real test images, with figures, latency and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import DeploymentError
from autommlab.deployment.comparison import OutputComparison, predict_with_bundle, score, torch_outputs
from autommlab.deployment.predicting import load_bundle
from autommlab.deployment.quantization.records import Precision
from autommlab.deployment.records import Verification
from autommlab.deployment.trained import Trained
from autommlab.tasks import MeasuredMetric, Task, objective
from autommlab.understanding.request import Engine

#: Most test images (keypoints: images whose objects) that are compared.
IMAGES = 100
#: How far the task's figure through the bundle may be from PyTorch's. Crops of keypoints are cut out
#: by numpy instead of OpenCV, which differs by at most one grey level.
METRIC_TOLERANCE = {
    Task.CLASSIFICATION: 0.01,
    Task.DETECTION: 0.01,
    Task.SEGMENTATION: 0.01,
    Task.KEYPOINT: 0.02,
}


def verify(
    trained: Trained,
    bundle: Path,
    engine: Engine,
    figure: MeasuredMetric | None = None,
    *,
    most_loss: float | None = None,
) -> Verification:
    """Compare a bundle with the PyTorch model it came from, and measure it on this machine.

    Args:
        trained: the model and its test images (at most `IMAGES` of them are loaded).
        bundle: a folder with all working parts.
        engine: of the bundle; it decides the tolerance.
        figure: what the study searched for; None = the task's objective.
        most_loss: of a bundle that computes with 8-bit integers: what it may lose of the figure. Its outputs are told,
            and not bounded.

    Raises:
        DeploymentError: the bundle does not run at all; the text is the bare reason.
        ValueError: its outputs have other shapes than PyTorch's.
    """
    measured = benchmark(bundle, Path(trained.dataset[0]["data_samples"].img_path))
    predictor: Any = load_bundle(bundle).predictor
    comparison = OutputComparison(trained.task, predictor.info["output"], max(predictor.info["input"]["size"]))
    from_torch, from_bundle = [], []
    input_difference = 0.0
    for index in range(len(trained.dataset)):
        tensor, sample = _predict_with_torch(trained, index)
        from_torch.append(sample)
        comparison.add(torch_outputs(trained, tensor, sample), predictor.run(tensor.numpy()))
        from_bundle.append(predict_with_bundle(trained, predictor, index))
        input_difference = max(input_difference, _input_difference(predictor, tensor, sample))
    figure = figure or objective(trained.task)
    torch_metric, bundle_metric = score(trained, from_torch, figure), score(trained, from_bundle, figure)
    precision: Precision = "float32" if most_loss is None else "int8"
    tolerance = comparison.tolerance(engine) if most_loss is None else None
    allowed = METRIC_TOLERANCE[trained.task] if most_loss is None else most_loss
    apart = figure.lost(torch_metric, bundle_metric) if most_loss is not None else abs(torch_metric - bundle_metric)
    return Verification(
        images=len(trained.dataset),
        max_difference=comparison.largest,
        tolerance=tolerance,
        input_difference=input_difference,
        metric=figure.name,
        torch_metric=torch_metric,
        bundle_metric=bundle_metric,
        metric_tolerance=allowed,
        **measured.model_dump(),
        agrees=(tolerance is None or comparison.largest <= tolerance) and apart <= allowed,
        precision=precision,
    )


def _predict_with_torch(trained: Trained, index: int) -> tuple[Any, Any]:
    """Tensor of a test item, and its data sample with PyTorch's prediction."""
    import torch

    tensor, samples = trained.batch(index)
    with torch.no_grad():
        return tensor, trained.model(tensor, samples, mode="predict")[0]


def _input_difference(predictor: Any, tensor: Any, sample: Any) -> float:
    """Largest difference of the network inputs that bundle and toolbox make of the same file."""
    import numpy as np

    box = None
    if predictor.task == Task.KEYPOINT:
        left, top, right, bottom = (float(value) for value in sample.gt_instances.bboxes[0])
        box = (left, top, right - left, bottom - top)
    mine = predictor.prepare(sample.img_path, box).tensor
    return float(np.abs(mine - tensor.numpy()).max())


RUNS = 50
_TIMEOUT_S = 900
#: Longest part of an engine's complaint that is shown.
_REASON_LENGTH = 300


class Benchmark(BaseModel):
    """Figures of `predict.py --bench`: milliseconds for one image, and MB."""

    model_config = ConfigDict(frozen=True)

    p50_ms: float
    p95_ms: float
    end_to_end_p50_ms: float
    memory_mb: float


def benchmark(bundle: Path, image: Path, runs: int = RUNS) -> Benchmark:
    """Run the bundle's own benchmark.

    Args:
        bundle: folder with `predict.py`.
        image: what is predicted again and again.
        runs: timed predictions, after a warm-up.

    Raises:
        DeploymentError: the bundle does not run; the text is the bare reason.
    """
    command = [sys.executable, str(bundle / "predict.py"), str(image), "--bench", str(runs)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a bundle holds no byte code of this machine
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and file
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeploymentError(f"{runs} predictions took more than {_TIMEOUT_S} s") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        reason = " ".join(done.stderr.split())[-_REASON_LENGTH:] or "it said nothing"
        raise DeploymentError(f"the bundle does not run ({how}): {reason}")
    return Benchmark.model_validate(json.loads(lines[-1]))
