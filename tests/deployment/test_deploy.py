"""From a finished study to a bundle, for every task and engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autommlab.analysis.records import Analysis
from autommlab.common.errors import DeploymentError, StorageError
from autommlab.deployment.records import Deployment
from autommlab.deployment.stage import deploy
from autommlab.progress.events import Event, Events
from autommlab.settings import Quantize, QuantizePolicy
from autommlab.tasks import Task, measured_metric
from autommlab.understanding.request import Engine
from tests.helpers.tiny_study import Study, with_engine

pytestmark = pytest.mark.slow
TASKS = list(Task)
#: What the small studies reach at least, so that equal figures mean something.
LEARNT = {Task.CLASSIFICATION: 0.6, Task.DETECTION: 0.0, Task.SEGMENTATION: 0.2, Task.KEYPOINT: 0.3}
BundleOf = Callable[[Task, str], Deployment]
StudyOf = Callable[[Task], Study]


@pytest.mark.parametrize(
    ("task", "engine"),
    [
        *((task, "none") for task in TASKS),
        (Task.DETECTION, "openvino"),
        (Task.CLASSIFICATION, "ncnn"),
        *(pytest.param(task, "openvino", marks=pytest.mark.long) for task in TASKS if task is not Task.DETECTION),
        *(pytest.param(task, "ncnn", marks=pytest.mark.long) for task in TASKS if task is not Task.CLASSIFICATION),
    ],
)
def test_every_task_on_every_engine(bundle_of: BundleOf, task: Task, engine: str) -> None:
    done = bundle_of(task, engine)
    check = done.verification
    assert done.engine == (Engine.ONNXRUNTIME if engine == "none" else engine), done.notes
    assert check.agrees, check
    assert check.images == 12
    assert check.tolerance is not None and check.max_difference <= check.tolerance
    assert check.torch_metric > LEARNT[task]
    assert abs(check.bundle_metric - check.torch_metric) <= check.metric_tolerance
    assert check.input_difference < 0.1
    assert 0 < check.p50_ms <= check.p95_ms
    assert check.p50_ms < check.end_to_end_p50_ms
    assert 20 < check.memory_mb < 500, "a bundle's process must not carry torch"


@pytest.mark.parametrize("task", TASKS)
def test_bundle_is_complete(bundle_of: BundleOf, task: Task) -> None:
    bundle = bundle_of(task, "none").bundle
    expected = {
        "model.onnx", "labels.txt", "bundle.json", "predict.py", "bundle_runtime", "requirements.txt",
        "model_card.md", "README.md", "LICENSE.md",
    }  # fmt: skip
    assert {path.name for path in bundle.iterdir()} == expected
    assert not list(bundle.parent.glob(".deploying-*"))
    assert not list(bundle.rglob("__pycache__"))
    info = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    assert info["task"] == task.value
    assert (bundle / "labels.txt").read_text(encoding="utf-8").splitlines() == info["classes"]
    card = (bundle / "model_card.md").read_text(encoding="utf-8")
    for fact in ("AdamW", "0.8500", "0.9000", "shapes", "agrees with PyTorch", "Intended use", "Licences"):
        assert fact in card


@pytest.mark.parametrize("task", TASKS)
def test_same_answers_without_torch(
    bundle_of: BundleOf, study_of: StudyOf, fresh_python: Callable[[Path], Path], task: Task, tmp_path: Path
) -> None:
    from autommlab.deployment.predicting import load_bundle

    bundle = tmp_path / "elsewhere"
    shutil.copytree(bundle_of(task, "none").bundle, bundle)
    python = fresh_python(bundle)
    for absent in ("torch", "autommlab"):
        tried = subprocess.run([python, "-c", f"import {absent}"], capture_output=True, check=False, cwd=tmp_path)
        assert tried.returncode == 1
    images = sorted(study_of(task).bag.folder.glob("test???.png"))[:4]
    options = ["--json", "--threshold", "0.05", "--masks", str(tmp_path / "masks")]
    command: list[str | Path] = [python, bundle / "predict.py", *images, *options, "--box", "10,10,50,50"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    predictor = load_bundle(bundle).predictor
    lines = done.stdout.splitlines()
    assert len(lines) == len(images)
    for line, image in zip(lines, images, strict=True):
        here = predictor(image, threshold=0.05, boxes=[(10, 10, 50, 50)])
        compare(json.loads(line), here, image)


def compare(there: dict[str, Any], here: dict[str, Any], image: Path) -> None:
    import numpy as np
    from PIL import Image

    assert there.pop("image") == str(image)
    if "mask" in here:
        saved = np.asarray(Image.open(there.pop("mask_file")))
        np.testing.assert_array_equal(saved, here.pop("mask"))
        assert saved.shape == (80, 100)
    assert near(there, here), (there, here)


def near(a: Any, b: Any) -> bool:
    """Equal, numbers up to rounding."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(near(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(near(x, y) for x, y in zip(a, b, strict=True))
    return a == (pytest.approx(b, abs=1e-4) if isinstance(b, float) else b)


@pytest.mark.parametrize("task", TASKS)
def test_figures_by_class_are_those_of_an_independent_script(
    bundle_of: BundleOf, study_of: StudyOf, task: Task
) -> None:
    """It has the bundle, the pictures and their annotations, and nothing of ours."""
    from autommlab.analysis.analyse import analyse
    from autommlab.deployment.predicting import load_bundle

    bundle, bag = bundle_of(task, "none").bundle, study_of(task).bag
    found = analyse(bag, load_bundle(bundle).predictor)
    script = Path(__file__).parents[1] / "helpers" / "by_class.py"
    command: list[str | Path] = [sys.executable, "-I", "-B", script, bundle, bag.annotation_file("test")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    anew = json.loads(done.stdout)
    ours: dict[str, dict[str, Any]] = {one.name: one.figures for one in found.classes}
    ours |= {point.name: point.model_dump(include=set(anew[point.name])) for point in found.points}
    assert found.pictures == 12
    assert list(anew) == list(bag.keypoints.names if bag.keypoints else bag.classes)
    for name, figures in anew.items():
        assert ours[name] == pytest.approx(figures, abs=1e-6), name
        assert any(value for value in figures.values()), "nothing was learnt, so nothing is shown"


def test_another_models_weights_do_not_pass(bundle_of: BundleOf, study_of: StudyOf, tmp_path: Path) -> None:
    import torch

    from autommlab.deployment.trained import load_trained
    from autommlab.deployment.verify import verify

    study = study_of(Task.CLASSIFICATION)
    trained = load_trained(study.result, study.bag, images=4, scratch=tmp_path)
    bundle = bundle_of(Task.CLASSIFICATION, "none").bundle
    assert verify(trained, bundle, Engine.ONNXRUNTIME).agrees
    with torch.no_grad():
        trained.model.head.fc.weight += 0.2 * torch.randn_like(trained.model.head.fc.weight)
    assert not verify(trained, bundle, Engine.ONNXRUNTIME).agrees


@pytest.mark.parametrize(("task", "name"), [(Task.CLASSIFICATION, "F1"), (Task.KEYPOINT, "PCK")])
def test_the_figure_that_was_searched_for_is_compared(
    bundle_of: BundleOf, study_of: StudyOf, tmp_path: Path, task: Task, name: str
) -> None:
    from autommlab.deployment.trained import load_trained
    from autommlab.deployment.verify import verify

    study = study_of(task)
    trained = load_trained(study.result, study.bag, images=4, scratch=tmp_path)
    check = verify(trained, bundle_of(task, "none").bundle, Engine.ONNXRUNTIME, measured_metric(task, name))
    assert check.metric == name
    assert check.torch_metric > 0.2
    assert check.agrees


@pytest.mark.parametrize(
    ("task", "engine"),
    [
        (Task.CLASSIFICATION, "none"),
        *(
            pytest.param(task, engine, marks=pytest.mark.long)
            for task in TASKS
            for engine in ("none", "openvino")
            if (task, engine) != (Task.CLASSIFICATION, "none")
        ),
    ],
)
def test_an_int8_bundle_is_measured_like_the_float_one(
    study_of: StudyOf, tmp_path: Path, task: Task, engine: str
) -> None:
    """Whatever these small models lose, the record has it."""
    study = study_of(task)
    policy = QuantizePolicy(when=Quantize.ALWAYS, most_loss=1.0)
    request = with_engine(study.request, engine)
    done = deploy(request, study.bag, study.choice, study.result, folder=tmp_path, policy=policy)
    found = done.quantization
    assert found is not None, done.notes
    assert found.delivered
    assert found.tried[0].scope == found.scope == "all layers"
    assert (found.val_images, found.test_images, found.calibrated_on) == (8, 12, 24)
    assert found.size_mb.int8 < 0.5 * found.size_mb.float32
    assert min(found.p50_ms.float32, found.p50_ms.int8, found.speedup) > 0
    assert done.verification.precision == "int8"
    assert done.verification.tolerance is None
    assert done.verification.bundle_metric == found.test.int8
    assert json.loads((done.bundle / "bundle.json").read_text(encoding="utf-8"))["precision"] == "int8"
    assert found.reason in done.notes[-1]
    assert not list(tmp_path.glob(".deploying-*"))


def test_int8_that_loses_too_much_leaves_the_float_model(study_of: StudyOf, tmp_path: Path) -> None:
    study = study_of(Task.CLASSIFICATION)
    told: list[Event] = []
    done = deploy(
        study.request,
        study.bag,
        study.choice,
        study.result,
        folder=tmp_path,
        events=Events(told.append),
        policy=QuantizePolicy(when=Quantize.ALWAYS, most_loss=-1.0),
    )
    found = done.quantization
    assert found is not None
    assert not found.delivered
    assert len(found.tried) > 1, "less and less of the network is tried"
    left_in_float = [one.float_layers for one in found.tried]
    assert left_in_float[0] == 0
    assert left_in_float == sorted(set(left_in_float))
    assert (done.verification.precision, done.verification.agrees) == ("float32", True)
    assert [event.message for event in told if event.kind == "warning"] == list(done.notes)


def test_an_engine_that_cannot_take_the_model(study_of: StudyOf, tmp_path: Path) -> None:
    from tests.helpers.tiny_models import two_stage_detector
    from tests.helpers.tiny_study import make_study

    def no_room(_: Analysis) -> None:
        raise ValueError("nothing can be kept")

    study = make_study(Task.DETECTION, tmp_path / "study", model=two_stage_detector(), iterations=0)
    told: list[Event] = []
    done = deploy(
        with_engine(study.request, "ncnn"),
        study.bag,
        study.choice,
        study.result,
        folder=tmp_path,
        events=Events(told.append),
        keep=no_room,
    )
    assert (done.asked, done.engine) == (Engine.NCNN, Engine.ONNXRUNTIME)
    assert "ncnn cannot run this model" in done.notes[0]
    assert "Delivered for onnxruntime instead" in done.notes[0]
    assert any(event.kind == "note" and event.message == done.notes[0] for event in told)
    assert [event.message for event in told if "by class" in event.message] == [
        "no figures by class: ValueError: nothing can be kept"
    ]
    assert [check.holds for check in done.limits if check.name == "inference engine"] == [False]
    assert "ncnn cannot run" in (done.bundle / "model_card.md").read_text(encoding="utf-8")
    # Whether it agrees is not asked here: the scores of an untrained detector are tied, so which box
    # survives the suppression is a matter of rounding.


def test_a_new_bundle_replaces_an_old_one(study_of: StudyOf, tmp_path: Path) -> None:
    old = tmp_path / "bundle"
    old.mkdir()
    (old / "stale").touch()
    study = study_of(Task.CLASSIFICATION)
    kept: list[Analysis] = []
    done = deploy(study.request, study.bag, study.choice, study.result, folder=tmp_path, keep=kept.append)
    assert done.bundle == old
    assert not (old / "stale").exists()
    (found,) = kept
    assert found.figures["accuracy"] == pytest.approx(done.verification.bundle_metric)
    card = (done.bundle / "model_card.md").read_text(encoding="utf-8")
    assert f"## By class\nThrough this bundle, on {found.pictures} test pictures." in card
    assert "| square | " in card
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_missing_weights(study_of: StudyOf, tmp_path: Path) -> None:
    study = study_of(Task.CLASSIFICATION)
    gone = study.result.model_copy(update={"checkpoint": tmp_path / "gone.pth"})
    with pytest.raises(DeploymentError, match=r"gone\.pth of the study is missing"):
        deploy(study.request, study.bag, study.choice, gone, folder=tmp_path / "out")
    assert not (tmp_path / "out" / "bundle").exists()


def test_weights_of_another_model(study_of: StudyOf, tmp_path: Path) -> None:
    study, other = study_of(Task.CLASSIFICATION), study_of(Task.SEGMENTATION)
    mixed = replace(study, result=study.result.model_copy(update={"checkpoint": other.result.checkpoint}))
    with pytest.raises(DeploymentError, match="do not fit the model"):
        deploy(mixed.request, mixed.bag, mixed.choice, mixed.result, folder=tmp_path)


def test_a_folder_that_cannot_be_written(study_of: StudyOf, tmp_path: Path) -> None:
    study = study_of(Task.CLASSIFICATION)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        deploy(study.request, study.bag, study.choice, study.result, folder=tmp_path / "file")


def test_program_explains_itself(bundle_of: BundleOf, study_of: StudyOf, fresh_python: Callable[[Path], Path]) -> None:
    bundle = bundle_of(Task.CLASSIFICATION, "none").bundle
    python = fresh_python(bundle)

    def program(*arguments: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [python, bundle / "predict.py", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env={"PYTHONDONTWRITEBYTECODE": "1"}
        )

    image = str(study_of(Task.CLASSIFICATION).bag.folder / "test000.png")
    assert program(image).stdout.startswith(f"{image}: ")
    both = program("gone.png", image)
    assert both.returncode == 2
    assert "gone.png: the file does not exist" in both.stderr
    assert image in both.stdout
    assert "is not x,y,width,height" in program(image, "--box", "1,2").stderr
    assert json.loads(program(image, "--bench", "3").stdout).keys() == {
        "p50_ms", "p95_ms", "end_to_end_p50_ms", "memory_mb",
    }  # fmt: skip
