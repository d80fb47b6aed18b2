"""A trained PyTorch model as ONNX, through MMDeploy's exporter and rewrites.

MMDeploy's own `torch2onnx` builds the input with an altered copy of the test
pipeline; here the exporter below it gets the tensor of a real test image from
the very pipeline that the model was trained with.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autommlab.common.errors import DeploymentError
from autommlab.common.quick_imports import short_stacks, without_collector
from autommlab.compat import apply_repairs, quiet_toolboxes
from autommlab.deployment.detector_rules import keep_what_mmdet_keeps, test_rules
from autommlab.deployment.trained import Trained
from autommlab.tasks import Task

#: Opset 16 is the first with RoiAlign's half-pixel rule (two-stage detectors), 17 with LayerNormalization.
OPSET = 17
_MOST_BOXES = 100


@dataclass(frozen=True, slots=True)
class _Codebase:
    """MMDeploy's names for a task, and the names that the exported outputs get."""

    toolbox: str
    task: str
    outputs: tuple[str, ...]


_CODEBASES = {
    Task.CLASSIFICATION: _Codebase("mmpretrain", "Classification", ("scores",)),
    Task.DETECTION: _Codebase("mmdet", "ObjectDetection", ("dets", "labels")),
    Task.SEGMENTATION: _Codebase("mmseg", "Segmentation", ("logits",)),
    Task.KEYPOINT: _Codebase("mmpose", "PoseDetection", ("points",)),
}
_SIMCC_OUTPUTS = ("simcc_x", "simcc_y")


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An exported model.

    Attributes:
        path: of the ONNX file.
        outputs: names of its outputs.
        shape: of its input, (1, 3, height, width).
    """

    path: Path
    outputs: tuple[str, ...]
    shape: tuple[int, ...]


def export_onnx(trained: Trained, folder: Path) -> OnnxModel:
    """Export with a static shape and batch 1.

    Args:
        trained: the model and a test image whose tensor is traced.
        folder: where `model.onnx` goes.

    Raises:
        DeploymentError: MMDeploy or PyTorch cannot export this model; the text carries their reason.
    """
    import torch

    tensor, samples = trained.batch(0)
    outputs = _output_names(trained)
    deploy_config = _deploy_config(trained, tuple(tensor.shape), outputs)
    model = copy.deepcopy(trained.model)
    if trained.task is Task.DETECTION:
        keep_what_mmdet_keeps(model, (tensor.shape[3], tensor.shape[2]))
    with warnings.catch_warnings(), torch.no_grad(), quiet_toolboxes():
        warnings.simplefilter("ignore")
        try:
            _rewriters(trained.task)(
                model,
                tensor,
                str(folder / "model"),
                backend="onnxruntime",
                input_metas={"data_samples": samples, "mode": "predict"},
                context_info={"deploy_cfg": deploy_config},
                input_names=["input"],
                output_names=list(outputs),
                opset_version=OPSET,
            )
        except Exception as error:
            raise DeploymentError(
                f"{type(trained.model).__name__} cannot be exported to ONNX: {type(error).__name__}: {error}. "
                "Choose another model (`--model`); the training itself is kept."
            ) from error
    return OnnxModel(folder / "model.onnx", outputs, tuple(tensor.shape))


def _rewriters(task: Task) -> Callable[..., None]:
    """MMDeploy's exporter, with the rewrites of the task's toolbox registered."""
    # Importing MMDeploy imports every toolbox, and they print.
    with quiet_toolboxes(), without_collector(), short_stacks():
        from mmdeploy.apis.onnx import export
        from mmdeploy.codebase import import_codebase
        from mmdeploy.utils import Codebase

        apply_repairs("mmdeploy")
        import_codebase(Codebase(_CODEBASES[task].toolbox))
    return export


def _output_names(trained: Trained) -> tuple[str, ...]:
    if trained.task is Task.KEYPOINT and hasattr(trained.model.head.decoder, "simcc_split_ratio"):
        return _SIMCC_OUTPUTS
    return _CODEBASES[trained.task].outputs


def _deploy_config(trained: Trained, shape: tuple[int, ...], outputs: tuple[str, ...]) -> Any:
    """MMDeploy's wheel carries no deploy configs; this is all it reads of one for ONNX."""
    from mmengine.config import Config

    codebase = _CODEBASES[trained.task]
    codebase_config: dict[str, Any] = {"type": codebase.toolbox, "task": codebase.task}
    if trained.task is Task.SEGMENTATION:
        codebase_config["with_argmax"] = False  # the argmax comes after resizing to the image
    if trained.task is Task.DETECTION:
        codebase_config |= {"model_type": "end2end", "post_processing": _post_processing(trained.model)}
    onnx_config = {
        "type": "onnx",
        "input_names": ["input"],
        "output_names": list(outputs),
        "input_shape": [shape[3], shape[2]],
        "opset_version": OPSET,
    }
    backend = {"type": "onnxruntime"}
    return Config({"codebase_config": codebase_config, "backend_config": backend, "onnx_config": onnx_config})


def _post_processing(model: Any) -> dict[str, Any]:
    """Figures that MMDeploy falls back on where the model's own test_cfg does not say."""
    rules = test_rules(model)
    kept = int(rules.get("max_per_img", _MOST_BOXES))
    return {
        "score_threshold": float(rules.get("score_thr", 0.05)),
        "confidence_threshold": 0.005,
        "iou_threshold": float((rules.get("nms") or {}).get("iou_threshold", 0.5)),
        "max_output_boxes_per_class": kept,
        "pre_top_k": -1,  # mmdet has no cut here either, and ncnn cannot take its TopK
        "keep_top_k": kept,
        "background_label_id": -1,
    }


@dataclass(frozen=True, slots=True)
class Suppression:
    """Non-maximum suppression taken out of an ONNX file.

    Attributes:
        model: the file up to the suppression: boxes (1, n, 4) and scores (1, classes, n).
        scores_shape: (classes, n).
        rule: thresholds as `bundle_runtime.decode.suppress` takes them.
    """

    model: OnnxModel
    scores_shape: tuple[int, int]
    rule: dict[str, float]


def without_suppression(exported: OnnxModel, trained: Trained, path: Path) -> Suppression:
    """Cut a detector's ONNX file before its only NonMaxSuppression node.

    Raises:
        DeploymentError: there is none, or more than one (two-stage detectors).
    """
    import onnx
    from onnx import numpy_helper
    from onnx.utils import Extractor

    model = onnx.shape_inference.infer_shapes(onnx.load(exported.path))
    nodes = [node for node in model.graph.node if node.op_type == "NonMaxSuppression"]
    if len(nodes) != 1:
        raise DeploymentError(f"its graph has {len(nodes)} suppression steps, and only one can be taken out")
    node = nodes[0]
    boxes, scores = node.input[:2]
    onnx.save(Extractor(model).extract_model(["input"], [boxes, scores]), path)
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    constants |= {
        n.output[0]: numpy_helper.to_array(n.attribute[0].t) for n in model.graph.node if n.op_type == "Constant"
    }
    per_class, iou, score = (float(constants[name].reshape(-1)[0]) for name in node.input[2:5])
    in_all = int(test_rules(trained.model).get("max_per_img", _MOST_BOXES))
    rule = {"score": score, "iou": iou, "per_class": int(per_class), "in_all": in_all}
    head = OnnxModel(path, (boxes, scores), exported.shape)
    _, classes, count = _run_once(head)[1].shape
    return Suppression(head, (classes, count), rule)


def _run_once(exported: OnnxModel) -> list[Any]:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    return list(session.run(list(exported.outputs), {"input": np.zeros(exported.shape, np.float32)}))
