"""The bundle's folder: model, labels, settings, the code that predicts, and its papers."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import Any

from autommlab.common.escaping import one_line
from autommlab.data.records import Bag
from autommlab.deployment.engines import ENGINE_PACKAGES, EngineFiles, convert
from autommlab.deployment.export import OnnxModel
from autommlab.deployment.preprocessing import codec_rule, input_rule
from autommlab.deployment.quantization.records import Precision
from autommlab.deployment.trained import Trained
from autommlab.models.records import ModelChoice
from autommlab.tasks import Task
from autommlab.understanding.request import Device, Engine

FORMAT = 1
_HERE = Path(__file__).parent


def build_bundle(
    folder: Path,
    *,
    trained: Trained,
    exported: OnnxModel,
    engine: Engine,
    device: Device,
    bag: Bag,
    choice: ModelChoice,
    precision: Precision = "float32",
) -> None:
    """All that prediction needs: the engine's files, and what stands around them.

    Writes `bundle.json`, `labels.txt`, `requirements.txt`, `predict.py` and `bundle_runtime/` beside the model.

    Raises:
        DeploymentError: the engine cannot take this model; the text is the bare reason.
    """
    converted: EngineFiles = convert(engine, exported, trained, folder)
    info: dict[str, Any] = {
        "format": FORMAT,
        "task": trained.task.value,
        "model": choice.entry.title,
        "engine": engine.value,
        "device": device.value,
        "precision": precision,
        "files": list(converted.files),
        "classes": list(bag.classes),
        "input": input_rule(trained, exported, choice.input_size, bag.depth),
        "output": converted.output,
    }
    if trained.task is Task.KEYPOINT and bag.keypoints is not None:
        info |= {"codec": codec_rule(trained), "keypoints": bag.keypoints.model_dump(mode="json")}
    _write(folder / "bundle.json", json.dumps(info, indent=2))
    _write(folder / "labels.txt", "\n".join(map(one_line, bag.classes)))
    _write(folder / "requirements.txt", "\n".join(requirements(engine)))
    shutil.copyfile(_HERE / "predict_template.py", folder / "predict.py")
    runtime = folder / "bundle_runtime"
    kept = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_HERE.parent / "bundle_runtime", runtime, ignore=kept, dirs_exist_ok=True)


def requirements(engine: Engine) -> list[str]:
    """The exact versions that the bundle was verified with."""
    packages = (ENGINE_PACKAGES[engine], "numpy", "pillow")
    return [f"{name}=={importlib.metadata.version(name)}" for name in packages]


def _write(path: Path, text: str) -> None:
    path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
