"""Popular models of the zoo on the way from config to ONNX Runtime: measured, loaded, one step, exported, run.

Drawn pictures stand for the person's, and a checkpoint of the model with its benchmark's classes and random values
for the zoo's: what is checked is that every part works, not how good the model is.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import AutoMMLabError
from autommlab.data.records import Bag, KeypointMeta
from autommlab.models import zoo
from autommlab.models.records import ModelChoice, ModelEntry, Pretrained
from autommlab.settings import TaskBudget, profile
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import TrialSetup

#: Ten of each task, by name: what people ask for, from light to heavy.
POPULAR: dict[Task, tuple[str, ...]] = {
    Task.CLASSIFICATION: (
        "mobilenet-v3-small_8xb128_in1k",
        "shufflenet-v2-1x_16xb64_in1k",
        "mobilenet-v2_8xb32_in1k",
        "efficientnet-b0_3rdparty_8xb32_in1k",
        "mobilevit-xxsmall_3rdparty_in1k",
        "resnet18_8xb32_in1k",
        "resnet50_8xb32_in1k",
        "deit-tiny_4xb256_in1k",
        "swin-tiny_16xb64_in1k",
        "convnext-tiny_32xb128_in1k",
    ),
    Task.DETECTION: (
        "rtmdet_tiny_8xb32-300e_coco",
        "yolox_tiny_8x8_300e_coco",
        "ssdlite_mobilenetv2-scratch_8xb24-600e_coco",
        "yolov3_mobilenetv2_8xb24-320-300e_coco",
        "retinanet_r18_fpn_1x_coco",
        "fcos_r50-caffe_fpn_gn-head_1x_coco",
        "atss_r50_fpn_1x_coco",
        "faster-rcnn_r50_fpn_1x_coco",
        "detr_r50_8xb2-150e_coco",
        "deformable-detr_r50_16xb2-50e_coco",
    ),
    Task.SEGMENTATION: (
        "fast_scnn_8xb4-160k_cityscapes-512x1024",
        "mobilenet-v3-d8_lraspp_4xb4-320k_cityscapes-512x1024",
        "segformer_mit-b0_8xb1-160k_cityscapes-1024x1024",
        "segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512",
        "stdc1_in1k-pre_4xb12-80k_cityscapes-512x1024",
        "bisenetv2_fcn_4xb8-160k_cityscapes-1024x1024",
        "fcn_hr18_4xb2-160k_cityscapes-512x1024",
        "deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024",
        "unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024",
        "mask2former_r50_8xb2-90k_cityscapes-512x1024",
    ),
    Task.KEYPOINT: (
        "rtmpose-t_8xb256-420e_coco-256x192",
        "rtmpose-m_8xb256-420e_coco-256x192",
        "td-hm_litehrnet-18_8xb64-210e_coco-256x192",
        "td-hm_mobilenetv2_8xb64-210e_coco-256x192",
        "td-hm_shufflenetv2_8xb64-210e_coco-256x192",
        "td-hm_res50_8xb64-210e_coco-256x192",
        "td-reg_res50_8xb64-210e_coco-256x192",
        "simcc_res50_8xb64-210e_coco-256x192",
        "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
        "td-hm_ViTPose-small_8xb64-210e_coco-256x192",
    ),
}
#: Classes (key points) of the benchmarks, whose head a checkpoint of the zoo has.
_BENCHMARK_CLASSES = {Task.CLASSIFICATION: 1000, Task.DETECTION: 80, Task.SEGMENTATION: 19, Task.KEYPOINT: 17}
_IMAGES, _BATCH = (8, 2, 2), 2
STEPS = ("measured", "loaded", "one step", "exported", "run")


class ZooLine(BaseModel):
    """How far one model came.

    Attributes:
        task, name, title: of the entry.
        params_m, flops_g: measured, millions and GFLOPs at `input_size`; 0 where it could not be.
        input_size: (width, height) in pixels.
        loaded: tensors that it took of the checkpoint with its benchmark's head, and all of its tensors.
        groups: groups of parameters that its optimiser has, 0 where it made no step.
        difference: largest between the outputs of PyTorch and of ONNX Runtime, and the one allowed.
        seconds: all of it.
        failed: the step of `STEPS` that it did not pass, "" if it passed all.
        reason: why, "" without a failure.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    name: str
    title: str
    params_m: float = 0.0
    flops_g: float = 0.0
    input_size: tuple[int, int]
    loaded: tuple[int, int] = (0, 0)
    groups: int = 0
    difference: float = 0.0
    allowed: float = 0.0
    seconds: float = 0.0
    failed: str = ""
    reason: str = ""


def check_models(task: Task, models: tuple[str, ...], tell: Callable[[str], None]) -> Iterator[ZooLine]:
    """Take each model through all steps, one after the other; about half a minute each on one core.

    Args:
        task: of all of them.
        models: names of the zoo.
        tell: told what is done.

    Raises:
        ModelError: one of the names is unknown.
        DataError: the drawn pictures cannot be made.
    """
    entries = [zoo.entry(name, task) for name in models]
    budget = profile("laptop").tasks[task]
    with tempfile.TemporaryDirectory(prefix="autommlab-zoo-") as scratch:
        tell(f"drawing pictures for {task}")
        bag = _drawn(task, Path(scratch) / "bag", budget)
        for entry in entries:
            tell(f"{task}: {entry.title} ({entry.name})")
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                yield _Check(entry, bag, budget.input_size, Path(folder)).run()


def _drawn(task: Task, folder: Path, budget: TaskBudget) -> Bag:
    from autommlab.data import registry
    from autommlab.data.bag import select_bag
    from autommlab.understanding.request import ModelRequest

    drawn = next(spec for spec in registry.all_specs(task) if spec.embedded)
    objects = [name for name in drawn.classes if name != "background"][:3]
    request = ModelRequest.parse({"data": {"object": objects}, "model": {"task": task}})
    few = budget.model_copy(update={"images": _IMAGES})
    return select_bag(request, budget=few, folder=folder, seed=0, data=drawn.name)


class _Check:
    """One model on its way."""

    def __init__(self, entry: ModelEntry, bag: Bag, size: tuple[int, int], folder: Path) -> None:
        self.entry, self.bag, self.size, self.folder = entry, bag, size, folder
        self.found: dict[str, Any] = {}
        self.step = STEPS[0]

    def run(self) -> ZooLine:
        """All steps up to the first that fails; whatever a toolbox raises is that step's result."""
        began = time.monotonic()
        failed = reason = ""
        try:
            for step, do in zip(STEPS, (self._measure, self._load, self._train, self._export, self._run), strict=True):
                self.step = step
                do()
        except Exception as error:
            kind = "" if isinstance(error, AutoMMLabError) else f"{type(error).__name__}: "
            failed, reason = self.step, f"{kind}{' '.join(str(error).split())[:300]}"
        return ZooLine(
            task=self.entry.task,
            name=self.entry.name,
            title=self.entry.title,
            input_size=self.size,
            seconds=round(time.monotonic() - began, 1),
            failed=failed,
            reason=reason,
            **self.found,
        )

    def _measure(self) -> None:
        from autommlab.models.measure import measure

        self.measured = measure(self.entry, self.bag, self.size)
        self.found |= {"params_m": self.measured.params_m, "flops_g": self.measured.flops_g}

    def _load(self) -> None:
        from autommlab.models.weights_fit import fit_of

        self.weights = self.folder / "benchmark.pth"
        save_as_the_zoo_does(self.entry, self.size, self.weights)
        fit = fit_of(self.weights, self.entry, self.bag, self.size)
        self.found["loaded"] = (fit.taken, fit.of)

    def _train(self) -> None:
        from autommlab.training.trial import Trial

        choice = ModelChoice(
            entry=self.entry,
            input_size=self.size,
            measured=self.measured,
            pretrained=Pretrained(kind="file", source=str(self.weights)),
            reasons=(),
        )
        setup = TrialSetup(bag=self.bag, choice=choice, reports=1, seed=0)
        self.trial = Trial(setup, _one_step(self.entry), self.folder)
        self.found["groups"] = len(self.trial.runner.optim_wrapper.optimizer.param_groups)
        self.trial.advance()

    def _export(self) -> None:
        from mmengine.registry import DATASETS

        from autommlab.compat import quiet_toolboxes
        from autommlab.deployment.export import export_onnx
        from autommlab.deployment.trained import Trained

        runner = self.trial.runner
        with quiet_toolboxes():
            dataset = DATASETS.build(runner.cfg.test_dataloader.dataset)
        self.trained = Trained(self.entry.task, runner.cfg, runner.model.eval().cpu(), dataset, [])
        self.exported = export_onnx(self.trained, self.folder)

    def _run(self) -> None:
        import onnxruntime
        import torch

        from autommlab.deployment.comparison import OutputComparison, torch_outputs
        from autommlab.deployment.engines import convert
        from autommlab.understanding.request import Engine

        tensor, _ = self.trained.batch(0)
        delivered = self.folder / "delivered"
        delivered.mkdir()
        output = convert(Engine.ONNXRUNTIME, self.exported, self.trained, delivered).output
        session = onnxruntime.InferenceSession(str(self.exported.path), providers=["CPUExecutionProvider"])
        got = session.run(list(self.exported.outputs), {"input": tensor.numpy()})
        with torch.no_grad():
            (sample,) = self.trained.model.test_step(_collated(self.trained.dataset[0]))
        comparison = OutputComparison(self.entry.task, output, max(self.size))
        comparison.add(torch_outputs(self.trained, tensor, sample), got)
        allowed = comparison.tolerance(Engine.ONNXRUNTIME)
        self.found |= {"difference": comparison.largest, "allowed": allowed}
        if comparison.largest > allowed:
            raise ValueError(f"ONNX Runtime differs from PyTorch by {comparison.largest:.2g}, allowed is {allowed:.2g}")


def _collated(item: Any) -> Any:
    from mmengine.dataset import pseudo_collate

    return pseudo_collate([item])


def save_as_the_zoo_does(entry: ModelEntry, size: tuple[int, int], path: Path) -> None:
    """Write the entry's model with its benchmark's head and random values, in the form of OpenMMLab's checkpoints.

    Args:
        size: (width, height) in pixels.
        path: of the file.

    Raises:
        ModelError: the model cannot be built.
    """
    import numpy as np
    import torch
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    from autommlab.models.config import build_model, model_config

    count = _BENCHMARK_CLASSES[entry.task]
    of_poses = entry.task is Task.KEYPOINT
    points = KeypointMeta(names=tuple(f"point {n}" for n in range(count)), flip_pairs=((1, 2),)) if of_poses else None
    classes = ("person",) if of_poses else tuple(f"class {n}" for n in range(count))
    config = model_config(entry, classes=classes, keypoints=points, input_size=size, pretrained=None)
    state = build_model(config, name=entry.name).state_dict()
    loss = HistoryBuffer(np.arange(3.0), np.ones(3))
    meta = {"experiment_name": f"{entry.name}_20230101_000000", "best": np.float64(0.5), "config": ConfigDict(a=1)}
    hub = {"log_scalars": {"loss": loss}, "runtime_info": {"seed": np.int64(1)}}
    torch.save({"meta": meta, "message_hub": hub, "state_dict": state}, path, _use_new_zipfile_serialization=False)


def _one_step(entry: ModelEntry) -> Hyperparameters:
    """The entry's own recipe for a training of one step of two pictures."""
    from autommlab.models.recipe import default_configuration
    from autommlab.training.search_space import search_space

    budget = profile("laptop").tasks[entry.task].model_copy(update={"iterations": (1, 2), "batch_size": (1, _BATCH)})
    values = {**default_configuration(entry, space=search_space(budget)), "iterations": 1, "batch_size": _BATCH}
    return Hyperparameters.model_validate(values)
