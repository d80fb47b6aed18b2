"""The inference engines behind one interface: a tensor in, a list of arrays out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError

#: (1, 3, height, width) float32 -> the model's outputs, each with its batch axis of 1.
Session = Callable[[NDArray[np.float32]], list[NDArray[Any]]]
#: Longest part of an engine's complaint that is shown.
_REASON_LENGTH = 200


def open_session(folder: Path, info: dict[str, Any], threads: int | None = None) -> Session:
    """Open the bundle's model with its engine.

    Args:
        folder: of the bundle.
        info: content of `bundle.json`.
        threads: that compute one picture; None leaves them to the engine.

    Raises:
        BundleError: the engine is not installed or cannot read the model; calling the session raises it where the
            engine cannot compute, or computes no numbers.
    """
    engine = info["engine"]
    if engine not in _ENGINES:
        raise BundleError(f"unknown engine {engine!r} in {folder / 'bundle.json'}; known: {', '.join(_ENGINES)}.")
    missing = [name for name in info["files"] if not (folder / name).is_file()]
    if missing:
        raise BundleError(f"the bundle {folder} lacks {', '.join(missing)}; copy the whole folder again.")
    try:
        run = _ENGINES[engine](folder, info, threads)
    except BundleError:
        raise
    except ImportError as error:
        raise BundleError(
            f"this bundle runs with {engine}, which is not installed ({error}): "
            f"pip install -r {folder / 'requirements.txt'}"
        ) from error
    except Exception as error:  # each engine has types of its own, which derive from nothing else
        raise _damaged(engine, folder, error) from error

    def computed(tensor: NDArray[np.float32]) -> list[NDArray[Any]]:
        try:
            outputs = run(tensor)
        except BundleError:
            raise
        except Exception as error:
            raise _damaged(engine, folder, error) from error
        if any(np.isnan(output).any() for output in outputs):
            raise BundleError(
                f"the model in {folder} computes NaN: its weights are damaged; copy the whole folder again."
            )
        return outputs

    return computed


def _damaged(engine: str, folder: Path, error: Exception) -> BundleError:
    reason = " ".join(str(error).split())[:_REASON_LENGTH] or type(error).__name__
    return BundleError(
        f"{engine} cannot use the model in {folder} ({reason}): it is damaged, or not the one that bundle.json "
        "describes; copy the whole folder again."
    )


def _onnxruntime(folder: Path, info: dict[str, Any], threads: int | None) -> Session:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    wanted = ["CUDAExecutionProvider"] if info.get("device") == "gpu" else []
    available = onnxruntime.get_available_providers()
    providers = [name for name in [*wanted, "CPUExecutionProvider"] if name in available]
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
        # Whoever counts threads shares the cores, with other processes of a service: theirs is what waiting would take.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(folder / info["files"][0]), options, providers=providers)
    name, outputs = session.get_inputs()[0].name, info["output"]["names"]

    def run(tensor: NDArray[np.float32]) -> list[NDArray[Any]]:
        return list(session.run(outputs, {name: tensor}))

    return run


def _openvino(folder: Path, info: dict[str, Any], threads: int | None) -> Session:
    import openvino

    device = "GPU" if info.get("device") == "gpu" and "GPU" in openvino.Core().available_devices else "CPU"
    # Some processors would otherwise compute in bfloat16, with visibly other results.
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    model = openvino.Core().compile_model(str(folder / info["files"][0]), device, options)
    outputs = [model.output(index) for index in range(len(model.outputs))]

    def run(tensor: NDArray[np.float32]) -> list[NDArray[Any]]:
        results = model(tensor)
        return [np.array(results[output]) for output in outputs]

    return run


def _ncnn(folder: Path, info: dict[str, Any], threads: int | None) -> Session:
    import ncnn

    net = ncnn.Net()
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    # Its threads wait for each other after every layer: one busy core would stall them all.
    net.opt.num_threads = threads or max(1, ncnn.get_physical_big_cpu_count() // 2)
    param, weights = (str(folder / name) for name in info["files"])
    if net.load_param(param) != 0 or net.load_model(weights) != 0:
        raise BundleError(f"ncnn cannot load {param}; the files may be damaged: copy the bundle again.")
    names = list(net.output_names())

    def run(tensor: NDArray[np.float32]) -> list[NDArray[Any]]:
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(np.ascontiguousarray(tensor[0])))
        outputs = []
        for name in names:
            status, blob = extractor.extract(name)
            if status != 0:
                raise BundleError(f"ncnn could not compute the output {name} (status {status}).")
            outputs.append(np.array(blob)[None])
        return outputs

    return run


_ENGINES: dict[str, Callable[[Path, dict[str, Any], int | None], Session]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "ncnn": _ncnn,
}
