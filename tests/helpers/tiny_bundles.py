"""Bundles that predict, a few hundred bytes of model each: one for every task and kind of output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 8
CLASSES = ("red", "green", "blue")
_INPUT = {
    "depth": {"bits": 16, "white": 1.0}, "size": [SIDE, SIDE], "tensor": [1, 3, SIDE, SIDE], "tensor_pad": 0.0,
    "resize": "stretch", "channels": "rgb", "mean": [0.0] * 3, "std": [255.0] * 3,
}  # fmt: skip
_CROP = {"resize": "crop", "box_padding": 1.25, "unbiased": False}
_POINTS = {"names": ["a", "b"], "flip_pairs": [[0, 1]], "skeleton": [[0, 1]], "sigmas": [0.05, 0.05]}
_HEATS = np.pad(np.full((1, 2, 2, 2), 0.9, np.float32), ((0, 0), (0, 0), (3, 3), (3, 3)))
_HEATMAP = {"input_size": [SIDE, SIDE], "heatmap_size": [SIDE, SIDE], "blur_kernel_size": 3}
_DETS = np.array([[[1, 1, 6, 6, 0.9], [2, 2, 5, 5, 0.8], [0, 0, 0, 0, 0]]], np.float32)


def _outputs() -> dict[str, tuple[str, dict[str, np.ndarray | str], dict[str, Any]]]:
    """Kind of bundle -> task, its outputs (a constant, or the name of what is computed), entries of bundle.json."""
    boxes: dict[str, np.ndarray | str] = {"dets": _DETS, "labels": np.array([[0, 2, 0]], np.int64)}
    raw: dict[str, np.ndarray | str] = {
        "boxes": _DETS[..., :4],
        "scores": np.array([[[0.9, 0.1, 0], [0.2, 0.1, 0], [0, 0.7, 0]]], np.float32),
    }
    nms = {"score": 0.05, "iou": 0.5, "per_class": 10, "in_all": 10}
    codecs: dict[str, tuple[dict[str, np.ndarray | str], dict[str, Any]]] = {
        "regression": (
            {"points": np.full((1, 2, 4), 0.5, np.float32)},
            {"type": "RegressionLabel", "input_size": [SIDE, SIDE]},
        ),
        "heatmap": ({"heats": _HEATS}, {"type": "MSRAHeatmap", "unbiased": True, **_HEATMAP}),
        "udp": (
            {"heats": _HEATS},
            {"type": "UDPHeatmap", "heatmap_type": "gaussian", "radius_factor": 0.05, **_HEATMAP},
        ),
        "udp-combined": (
            {"heats": np.repeat(_HEATS, 3, axis=1)},
            {"type": "UDPHeatmap", "heatmap_type": "combined", "radius_factor": 0.05, **_HEATMAP},
        ),
        "simcc": (
            {"x": np.eye(2, 16, dtype=np.float32)[None], "y": np.eye(2, 16, dtype=np.float32)[None]},
            {"type": "SimCCLabel", "simcc_split_ratio": 2.0, "use_dark": True, "sigma": [2.0, 2.0]},
        ),
    }  # fmt: skip
    return {
        "classification": ("classification", {"output": "scores"}, {"output": {"names": ["output"], "kind": "scores"}}),
        "detection": (
            "detection",
            dict(boxes),
            {"output": {"names": ["dets", "labels"], "kind": "boxes"}, "input": {"resize": "fit", "pad_value": 114}},
        ),
        "detection-raw": (
            "detection",
            dict(raw),
            {"output": {"names": ["boxes", "scores"], "kind": "raw-boxes", "scores_shape": [3, 3], "nms": nms}},
        ),
        "segmentation": (
            "segmentation",
            {"output": "logits"},
            {"output": {"names": ["output"], "kind": "logits", "align_corners": False}},
        ),
        **{
            f"keypoint-{name}": (
                "keypoint",
                dict(outputs),
                {
                    "output": {"names": list(outputs), "kind": "points"},
                    "codec": {"sigmoid_sigma": False, **codec},
                    "keypoints": _POINTS,
                    "input": _CROP,
                },
            )
            for name, (outputs, codec) in codecs.items()
        },
    }


KINDS = tuple(_outputs())


def make_bundle(folder: Path, kind: str, classes: tuple[str, ...] = CLASSES) -> Path:
    """A bundle for ONNX Runtime.

    Args:
        folder: to make.
        kind: one of `KINDS`.
        classes: of `bundle.json`; the model always knows three.
    """
    task, outputs, entries = _outputs()[kind]
    folder.mkdir(parents=True, exist_ok=True)
    info = {
        "format": 1, "task": task, "model": "tiny", "engine": "onnxruntime", "device": "cpu", "files": ["model.onnx"],
        "classes": list(classes), **entries, "input": {**_INPUT, **entries.get("input", {})},
    }  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(info, indent=2) + "\n")
    (folder / "labels.txt").write_text("\n".join(classes) + "\n")
    onnx.save(_model(outputs), folder / "model.onnx")
    return folder


def make_linear_bundle(folder: Path, classes: tuple[str, ...], weights: np.ndarray, bias: np.ndarray) -> Path:
    """A classifier of the pixels of an 8 x 8 picture, as somebody has fitted it.

    Args:
        folder: to make.
        classes: of the weights, in order.
        weights: (3 x 8 x 8 values of 0..1, classes).
        bias: (classes,).
    """
    make_bundle(folder, "classification", classes)
    nodes = [
        helper.make_node("Flatten", ["input"], ["pixels"]),
        helper.make_node("Gemm", ["pixels", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes, "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, len(classes)])],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in (("weights", weights), ("bias", bias))],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder


def make_picture(file: Path, size: tuple[int, int] = (20, 14)) -> Path:
    """A small picture of red noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    pixels[..., 1:] //= 4
    Image.fromarray(pixels).save(file)
    return file


def _model(outputs: dict[str, np.ndarray | str]) -> onnx.ModelProto:
    nodes, declared = [], []
    for name, value in outputs.items():
        if isinstance(value, np.ndarray):
            nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)))
            declared.append(
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            )
        elif value == "scores":
            nodes.append(helper.make_node("ReduceMean", ["input", "axes"], ["means"], keepdims=0))
            nodes.append(helper.make_node("Softmax", ["means"], [name]))
            declared.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]))
        else:
            nodes.append(helper.make_node("Identity", ["input"], [name]))
            declared.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, SIDE, SIDE]))
    axes = numpy_helper.from_array(np.array([2, 3], np.int64), "axes")
    taken = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    graph = helper.make_graph(nodes, "tiny", [taken], declared, [axes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
