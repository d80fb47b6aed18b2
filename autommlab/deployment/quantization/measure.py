"""The float and the INT8 bundle measured alike: the task's figure, latency in turns, size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autommlab.bundle_runtime import BundleError, Predictor
from autommlab.bundle_runtime.images import Box
from autommlab.data.bag_part import evenly
from autommlab.data.records import Bag
from autommlab.data.truths import annotated_pictures
from autommlab.deployment.comparison import predict_with_bundle, score
from autommlab.deployment.quantization.records import Pair
from autommlab.deployment.trained import Trained
from autommlab.tasks import MeasuredMetric, Task

#: Ranges of activations hardly change after some dozens of pictures.
CALIBRATION_IMAGES = 64
_WARM_UP, _TURNS = 5, 50


class InTurns(NamedTuple):
    """Medians of an engine's time for one image, and the median of float over INT8 of neighbouring runs."""

    p50_ms: Pair
    speedup: float


def calibration_inputs(bag: Bag, predictor: Predictor) -> Iterator[NDArray[np.float32]]:
    """Network inputs of training pictures, made by the bundle as it makes those of new pictures.

    For keypoints the first object of a picture is cut out. A picture that cannot be read any more is passed over.
    """
    for picture in evenly(annotated_pictures(bag, "train"), CALIBRATION_IMAGES):
        box: Box | None = None
        if bag.task is Task.KEYPOINT:
            if not picture.objects:
                continue
            left, top, width, height = map(float, picture.objects[0]["bbox"])
            box = (left, top, width, height)
        try:
            yield predictor.prepare(picture.path, box).tensor
        except BundleError:
            continue


def figure_of(trained: Trained, predictor: Predictor, figure: MeasuredMetric) -> float:
    """The figure of a bundle over the images that are loaded, as a fraction."""
    samples = [predict_with_bundle(trained, predictor, index) for index in range(len(trained.dataset))]
    return score(trained, samples, figure)


def in_turns(float32: Predictor, int8: Predictor, image: Path) -> InTurns:
    """Time both on one image, one run of each after the other: what else the machine does slows both alike."""
    tensor = float32.prepare(image).tensor
    times: dict[str, list[float]] = {"float32": [], "int8": []}
    for turn in range(_WARM_UP + _TURNS):
        for name, predictor in (("float32", float32), ("int8", int8)):
            began = time.perf_counter()
            predictor.run(tensor)
            if turn >= _WARM_UP:
                times[name].append((time.perf_counter() - began) * 1e3)
    ratios = [slow / fast for slow, fast in zip(times["float32"], times["int8"], strict=True)]
    medians = {name: statistics.median(each) for name, each in times.items()}
    return InTurns(Pair(**medians), statistics.median(ratios))


def size_mb(predictor: Predictor) -> float:
    """Of a bundle's model files, in 10^6 bytes."""
    files: list[Any] = predictor.info["files"]
    return sum((predictor.folder / name).stat().st_size for name in files) / 1e6
