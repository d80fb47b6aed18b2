"""An INT8 ONNX model by ONNX Runtime's static quantiser: QDQ, weights per channel, ranges from calibration pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autommlab.common.errors import DeploymentError
from autommlab.deployment.quantization.scopes import OPERATORS, Scope, layers, scopes

Tensor = NDArray[np.float32]


class Int8Maker:
    """Quantises parts of one model; the calibration pictures are looked at once.

    Args:
        model: ONNX file with the input "input".
        work: folder for what is kept between parts.
        inputs: makes the network inputs of the calibration pictures, one after the other.

    Attributes:
        scopes: parts to try, the whole network first.
        layers: how many layers with weights the whole network has.
        calibrated_on: pictures that the ranges come from; 0 until the first part is written.

    Raises:
        DeploymentError: the model cannot be prepared; the text is the bare reason.
    """

    def __init__(self, model: Path, work: Path, inputs: Callable[[], Iterable[Tensor]]) -> None:
        import onnx
        from onnxruntime.quantization import quant_pre_process

        work.mkdir(parents=True, exist_ok=True)
        self._prepared, self._ranges, self._inputs = work / "prepared.onnx", work / "ranges.json", inputs
        try:
            # Every shape is known already: the exporter writes them for a fixed input.
            quant_pre_process(str(model), str(self._prepared), skip_symbolic_shape=True)
            graph = onnx.load(self._prepared)
        except Exception as error:  # of a library that names none
            raise DeploymentError(f"its graph cannot be prepared ({type(error).__name__}: {error})") from error
        for number, node in enumerate(graph.graph.node):
            node.name = node.name or f"{node.op_type}-{number}"
        onnx.save(graph, self._prepared)
        self.scopes = scopes(graph)
        self.layers = len(layers(graph))
        self.calibrated_on = 0

    def write(self, scope: Scope, target: Path) -> None:
        """Write the model with that part quantised.

        Raises:
            DeploymentError: the quantiser fails; the text is the bare reason.
        """
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

        try:
            quantize_static(
                str(self._prepared),
                str(target),
                _Reader(self._counted()) if not self._ranges.exists() else None,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=list(scope.nodes),
                # Between two activations, as in attention, both sides would lose digits.
                extra_options={"MatMulConstBOnly": True},
                calibration_cache_path=self._ranges,
            )
        except Exception as error:  # of a library that names none
            raise DeploymentError(f"the quantiser fails ({type(error).__name__}: {error})") from error

    def _counted(self) -> Iterator[Tensor]:
        for tensor in self._inputs():
            self.calibrated_on += 1
            yield tensor


class _Reader:
    """Calibration inputs in the form that the quantiser asks for (its `CalibrationDataReader`)."""

    def __init__(self, tensors: Iterator[Tensor]) -> None:
        self._tensors = tensors

    def get_next(self) -> dict[str, Any] | None:
        """The next input by name, None at the end."""
        tensor = next(self._tensors, None)
        return None if tensor is None else {"input": tensor}

    def __iter__(self) -> _Reader:
        return self

    def __next__(self) -> dict[str, Any]:
        if (one := self.get_next()) is None:
            raise StopIteration
        return one
