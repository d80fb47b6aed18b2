"""From ONNX to the files of an inference engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autommlab.common.errors import DeploymentError
from autommlab.deployment.export import OnnxModel, without_suppression
from autommlab.deployment.trained import Trained
from autommlab.tasks import Task
from autommlab.understanding.request import Engine

#: Packages that a bundle of each engine needs besides numpy and Pillow.
ENGINE_PACKAGES = {Engine.ONNXRUNTIME: "onnxruntime", Engine.OPENVINO: "openvino", Engine.NCNN: "ncnn"}
#: pnnx took up to 30 s for small models on a busy laptop core.
_PNNX_TIMEOUT_S = 600
#: pnnx marks with these words what it could not translate, on its error output.
_NOT_TRANSLATED = re.compile(r"^(?:todo|ignore) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class EngineFiles:
    """A model in an engine's own form.

    Attributes:
        files: names inside the folder, the graph first.
        output: "output" of `bundle.json`: names, kind and what decoding needs to know.
    """

    files: tuple[str, ...]
    output: dict[str, Any]


def preferences(asked: Engine) -> tuple[Engine, ...]:
    """Engines to try, in order: the one asked for, then ONNX Runtime, which takes every export."""
    wanted = Engine.ONNXRUNTIME if asked is Engine.NONE else asked
    return tuple(dict.fromkeys((wanted, Engine.ONNXRUNTIME)))


def convert(engine: Engine, exported: OnnxModel, trained: Trained, folder: Path) -> EngineFiles:
    """Write the engine's files into `folder`.

    Raises:
        DeploymentError: the engine cannot take this model; the text is the bare reason.
    """
    return _CONVERTERS[engine](exported, trained, folder)


def _output(trained: Trained, names: tuple[str, ...]) -> dict[str, Any]:
    kinds = {
        Task.CLASSIFICATION: "scores",
        Task.DETECTION: "boxes",
        Task.SEGMENTATION: "logits",
        Task.KEYPOINT: "points",
    }
    output: dict[str, Any] = {"names": list(names), "kind": kinds[trained.task]}
    if trained.task is Task.SEGMENTATION:
        output["align_corners"] = bool(trained.model.align_corners)
    return output


def _to_onnxruntime(exported: OnnxModel, trained: Trained, folder: Path) -> EngineFiles:
    shutil.copyfile(exported.path, folder / "model.onnx")
    return EngineFiles(("model.onnx",), _output(trained, exported.outputs))


def _to_openvino(exported: OnnxModel, trained: Trained, folder: Path) -> EngineFiles:
    import openvino

    try:
        model = openvino.convert_model(str(exported.path))
        openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    except Exception as error:  # its frontends raise a type of their own for each stage
        raise DeploymentError(f"OpenVINO's converter says: {_first_lines(error)}") from error
    return EngineFiles(("model.xml", "model.bin"), _output(trained, exported.outputs))


def _to_ncnn(exported: OnnxModel, trained: Trained, folder: Path) -> EngineFiles:
    if trained.task is not Task.DETECTION:
        _pnnx(exported, folder)
        return EngineFiles(("model.ncnn.param", "model.ncnn.bin"), _output(trained, exported.outputs))
    # ncnn has no non-maximum suppression that pnnx maps to: it is done in numpy by the bundle.
    head = without_suppression(exported, trained, exported.path.with_name("head.onnx"))
    _pnnx(head.model, folder)
    output = {
        "names": list(head.model.outputs),
        "kind": "raw-boxes",
        "scores_shape": list(head.scores_shape),
        "nms": head.rule,
    }
    return EngineFiles(("model.ncnn.param", "model.ncnn.bin"), output)


def _pnnx(exported: OnnxModel, folder: Path) -> None:
    import pnnx

    work = exported.path.parent / f"pnnx-{exported.path.stem}"
    work.mkdir()
    shape = ",".join(str(side) for side in exported.shape)
    source = shutil.copyfile(exported.path, work / "model.onnx")
    # Half-precision weights would cost accuracy that nobody asked to give up.
    command = [pnnx.EXEC_PATH, source.name, f"inputshape=[{shape}]f32", "fp16=0"]
    try:
        done = subprocess.run(  # noqa: S603 - a program of an installed package
            command, cwd=work, capture_output=True, text=True, errors="replace", timeout=_PNNX_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeploymentError(f"pnnx did not run: {error}") from error
    missing = sorted(set(_NOT_TRANSLATED.findall(done.stderr + done.stdout)))
    if missing:
        raise DeploymentError(f"pnnx cannot translate these operators for ncnn: {', '.join(missing)}")
    written = [work / "model.ncnn.param", work / "model.ncnn.bin"]
    if done.returncode != 0 or not all(path.is_file() for path in written):
        raise DeploymentError(f"pnnx failed (exit status {done.returncode}): {done.stderr.strip()[-300:]}")
    for path in written:
        shutil.copyfile(path, folder / path.name)


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


_CONVERTERS: dict[Engine, Callable[[OnnxModel, Trained, Path], EngineFiles]] = {
    Engine.ONNXRUNTIME: _to_onnxruntime,
    Engine.OPENVINO: _to_openvino,
    Engine.NCNN: _to_ncnn,
}
