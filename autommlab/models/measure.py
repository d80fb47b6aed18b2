"""Parameters, FLOPs and latency of the real model, built for one bag.

FLOPs are multiply-adds of one image as `mmengine.analysis` counts them (what the
toolboxes' own tables say); operators it does not know, such as deformable
attention, count as nothing and are named in the log.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.cfg_options import CfgOption, merged
from autommlab.common.errors import ModelError
from autommlab.data.records import Bag
from autommlab.models.config import ModelConfig, build_model, model_config, reason_of
from autommlab.models.records import Measured, ModelEntry
from autommlab.tasks import Task

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

WARM_UP_PASSES = 2
TIMED_PASSES = 7
#: Seconds of passes after which the rest is left out: the median of a slow model's differs less than machines do.
LONGEST_S = 20.0
#: Segmentation heads whose forward pass asks for the pictures' sizes.
_HEADS_WITH_QUERIES = {"MaskFormerHead", "Mask2FormerHead"}
#: One thread: the figure then does not depend on what else runs, and trials use one as well.
THREADS = 1


def measure(
    entry: ModelEntry,
    bag: Bag,
    input_size: tuple[int, int],
    tell: Callable[[str], None] = lambda _: None,
    options: Sequence[CfgOption] = (),
) -> Measured:
    """Build the model for this bag's classes and measure it on this machine (GPU if there is one).

    The latency is that of one forward pass of the whole network with its head, without the decoding
    of its outputs.

    Args:
        input_size: (width, height) in pixels.
        tell: told what is being done, for a heavy model takes a minute on a CPU.
        options: overrides of the trial's config; those of the model count.

    Raises:
        ModelError: it cannot be built for this bag, or does not run at this size.
    """
    import torch

    tell(f"building {entry.title}")
    config = model_config(entry, classes=bag.classes, keypoints=bag.keypoints, input_size=input_size, pretrained=None)
    of_model = [option for option in options if option.path[0] == "model"]
    config = dataclasses.replace(config, model=merged({"model": config.model}, of_model)["model"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model(config, name=entry.name).to(device).eval()
    params = sum(parameter.numel() for parameter in model.parameters())
    width, height = input_size
    image = torch.rand(1, 3, height, width, device=device) * 2 - 1
    with _few_threads(), torch.inference_mode():
        try:
            forward = _raw_forward(model, config, entry.task, input_size)
            milliseconds = _latency_ms(forward, image, lambda words: tell(f"timing {entry.title}: {words}"))
            tell(f"counting the operations of {entry.title}")
            flops = _flops(model, forward, image, entry.name)
        except Exception as error:
            raise ModelError(f"{entry.name} does not run at {width}x{height} pixels: {reason_of(error)}") from error
    return Measured(
        params_m=params / 1e6,
        flops_g=flops / 1e9,
        ms_per_image=milliseconds,
        input_size=input_size,
        device=_describe(device),
    )


def _raw_forward(
    model: nn.Module, config: ModelConfig, task: Task, input_size: tuple[int, int]
) -> Callable[[Tensor], Any]:
    """The forward pass to raw outputs; detectors and heads with queries need to know the image's size."""
    from mmengine.registry import DefaultScope

    plain = model.forward
    if task is Task.SEGMENTATION and type(getattr(model, "decode_head", None)).__name__ in _HEADS_WITH_QUERIES:
        return _forward_of_queries(model, config, input_size)
    samples = [_image_facts(input_size)] if task is Task.DETECTION else None

    @functools.wraps(plain)
    def forward(image: Tensor) -> Any:
        with DefaultScope.overwrite_default_scope(config.default_scope):
            return plain(image, data_samples=samples, mode="tensor")

    return forward


def _forward_of_queries(model: Any, config: ModelConfig, input_size: tuple[int, int]) -> Callable[[Tensor], Any]:
    """The forward pass with the scores of all pixels, which mmseg's plain one cannot make from queries."""
    from mmengine.registry import DefaultScope

    shape = (input_size[1], input_size[0])
    facts = [dict.fromkeys(("img_shape", "ori_shape", "pad_shape", "batch_input_shape"), shape)]

    def forward(image: Tensor) -> Any:
        with DefaultScope.overwrite_default_scope(config.default_scope):
            return model.encode_decode(image, facts)

    return forward


def _image_facts(input_size: tuple[int, int]) -> Any:
    from mmdet.structures import DetDataSample

    shape = (input_size[1], input_size[0])
    facts = dict.fromkeys(("img_shape", "ori_shape", "pad_shape", "batch_input_shape"), shape)
    return DetDataSample(metainfo={**facts, "scale_factor": (1.0, 1.0), "img_id": 0, "img_path": ""})


def _latency_ms(forward: Callable[[Tensor], Any], image: Tensor, tell: Callable[[str], None]) -> float:
    """Median of the timed passes; of a slow model fewer are made, at least one after one to warm up."""
    import torch

    began = time.perf_counter()
    seconds: list[float] = []
    for number in range(1 - WARM_UP_PASSES, TIMED_PASSES + 1):
        late = time.perf_counter() - began > LONGEST_S
        if late and seconds:
            break
        tell(f"pass {number + WARM_UP_PASSES} of {WARM_UP_PASSES + TIMED_PASSES}")
        _wait_for(image, torch)
        start = time.perf_counter()
        forward(image)
        _wait_for(image, torch)
        if number > 0 or late:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1000


def _wait_for(image: Tensor, torch: Any) -> None:
    if image.is_cuda:
        torch.cuda.synchronize()


def _flops(model: nn.Module, forward: Callable[[Tensor], Any], image: Tensor, name: str) -> int:
    from mmengine.analysis import FlopAnalyzer

    plain = model.forward
    model.forward = forward
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            analyzer = FlopAnalyzer(model, (image,))
            analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
            total = analyzer.total()
    finally:
        model.forward = plain
    uncounted = [operator for operator in analyzer.unsupported_ops() if not operator.startswith("aten::")]
    if uncounted:
        _log.info("FLOPs of %s leave out the custom operators %s", name, ", ".join(sorted(uncounted)))
    return int(total)


@contextmanager
def _few_threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _describe(device: str) -> str:
    import psutil
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    threads = "1 thread" if THREADS == 1 else f"{THREADS} threads"
    return f"{psutil.cpu_count()} x {_cpu_name()}, {threads}"


def _cpu_name() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
