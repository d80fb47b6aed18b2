"""INT8 against float on the embedded sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.cli.bench_quantize import quantize
from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from autommlab.understanding.request import Engine


@pytest.mark.parametrize(
    ("engines", "message"),
    [
        ("ncnn", "ncnn quantises with its programs ncnn2table and ncnn2int8"),
        ("onnx", "Did you mean 'onnxruntime'"),
        (",", "--engines names none"),
    ],
)
def test_an_engine_without_int8_is_refused(engines: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=message):
        quantize(engines=engines, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.long
def test_a_model_is_trained_once_for_all_engines_and_anew_for_another_seed(tmp_path: Path) -> None:
    from autommlab.speed.quantized import measure_quantized

    told: list[str] = []
    for seed in (0, 0, 1):
        found = list(
            measure_quantized(
                tmp_path,
                tasks=[Task.CLASSIFICATION],
                engines=[Engine.ONNXRUNTIME, Engine.OPENVINO],
                iterations=2,
                seed=seed,
                most_loss=1.0,
                tell=told.append,
            )
        )
        assert [line.engine for line in found] == ["onnxruntime", "openvino"]
        assert all(line.quantization is not None and line.quantization.delivered for line in found), found
    assert sum("training" in words for words in told) == 2
