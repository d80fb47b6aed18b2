"""Typed records of the model stage."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from autommlab.tasks import Task


class ModelEntry(BaseModel):
    """One model of the zoo.

    Attributes:
        name: unique in its task, the toolbox's own name ("resnet50_8xb32_in1k").
        title: as people write it ("ResNet-50").
        family: architecture or paper ("ResNet", "YOLOX", "EfficientNet-Lite").
        toolbox: package that builds it: mmpretrain, mmdet, mmseg or mmpose.
        config: path of the config inside `<toolbox>/.mim/`; "" for a packaged backbone, whose
            config `models.packaged` writes.
        packaged: name of the pip package that carries its pretrained backbone, "" if none.
        params_m, flops_g: millions of parameters and GFLOPs as the index says, None if it does not.
        input_size: (width, height) in pixels of training on its benchmark, None if not known.
        score: on its benchmark, fraction 0..1; `score_metric` and `score_dataset` say what it is.
        weights_url: the zoo's checkpoint, "" if none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    task: Task
    family: str
    toolbox: Literal["mmpretrain", "mmdet", "mmseg", "mmpose"]
    config: str = ""
    packaged: str = ""
    params_m: float | None = None
    flops_g: float | None = None
    input_size: tuple[int, int] | None = None
    score: float | None = None
    score_metric: str = ""
    score_dataset: str = ""
    weights_url: str = ""


class Rejection(BaseModel):
    """A candidate that was not taken, and why."""

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str


class Measured(BaseModel):
    """Figures of the real model built for this bag's classes and input size.

    Attributes:
        params_m: millions of parameters.
        flops_g: GFLOPs for one image of `input_size`.
        ms_per_image: median latency of one image in PyTorch on this machine, milliseconds.
        input_size: (width, height) in pixels.
        device: what it was measured on.
    """

    model_config = ConfigDict(frozen=True)

    params_m: float
    flops_g: float
    ms_per_image: float
    input_size: tuple[int, int]
    device: str


class Pretrained(BaseModel):
    """Where the initial weights come from.

    Attributes:
        kind: "package" (an installed package carries the backbone), "file", "url" or "none".
        source: package name, absolute path or URL; "" for none.
        reason: why this, in one sentence (for instance why the URL was not used).
        fit: how many tensors of the model they fill ("258 of 262 tensors of Net"); "" where nothing is loaded.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["package", "file", "url", "none"]
    source: str = ""
    reason: str = ""
    fit: str = ""


class ModelChoice(BaseModel):
    """The outcome of model selection.

    Attributes:
        reasons: why this one, sentences for the report.
        runners_up: next best candidates that also fit, best first.
        rejected: every candidate looked at and not taken, with its reason.
    """

    model_config = ConfigDict(frozen=True)

    entry: ModelEntry
    input_size: tuple[int, int]
    measured: Measured
    pretrained: Pretrained
    reasons: tuple[str, ...]
    runners_up: tuple[str, ...] = ()
    rejected: tuple[Rejection, ...] = ()

    def summary(self) -> str:
        """One line: the model, its cost, its weights."""
        measured = self.measured
        return (
            f"{self.entry.title}: {measured.params_m:.2f} M parameters, {measured.flops_g:.2f} GFLOPs, "
            f"{measured.ms_per_image:.0f} ms/image, weights: {self.pretrained.kind}"
        )
