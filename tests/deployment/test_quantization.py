"""INT8: which parts of a network, made by the real quantiser, and when it is delivered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from autommlab.common.errors import DeploymentError
from autommlab.deployment.int8_stage import FloatBundle, with_int8
from autommlab.deployment.quantization.decide import Measured, decide, reason_to_try
from autommlab.deployment.quantization.int8 import Int8Maker
from autommlab.deployment.quantization.records import Pair
from autommlab.deployment.quantization.scopes import scopes
from autommlab.settings import Quantize, QuantizePolicy
from autommlab.tasks import Task, measured_metric, objective
from autommlab.understanding.request import Device, Engine
from tests.helpers import report_records

SIDE = 16
ALWAYS = QuantizePolicy(when=Quantize.ALWAYS)


def network() -> Any:
    """A backbone of two layers, a head of two, and a decoding of scores and boxes behind them."""
    rng = np.random.default_rng(0)

    def layer(name: str, source: str, target: str, channels: tuple[int, int]) -> tuple[Any, Any]:
        weights = rng.normal(0, 0.1, (channels[1], channels[0], 3, 3)).astype(np.float32)
        return (
            helper.make_node("Conv", [source, f"{name}.weight"], [target], name=name, pads=[1] * 4),
            numpy_helper.from_array(weights, f"{name}.weight"),
        )

    layers = [
        layer("/backbone/first", "input", "a", (3, 64)),
        layer("/backbone/second", "b", "c", (64, 64)),
        layer("/head/scores", "d", "logits", (64, 2)),
        layer("/head/boxes", "d", "distances", (64, 4)),
    ]
    nodes = [
        layers[0][0],
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        layers[1][0],
        helper.make_node("Add", ["b", "c"], ["d"], name="add"),
        layers[2][0],
        layers[3][0],
        helper.make_node("Sigmoid", ["logits"], ["scores"], name="sigmoid"),
        helper.make_node("Mul", ["distances", "stride"], ["boxes"], name="decode"),
    ]
    stride = numpy_helper.from_array(np.array([8.0], np.float32), "stride")
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, SIDE, SIDE])
        for name, channels in (("scores", 2), ("boxes", 4))
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    graph = helper.make_graph(nodes, "network", [given], outputs, [weights for _, weights in layers] + [stride])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=(1, 3, SIDE, SIDE)).astype(np.float32) for _ in range(count)]


def test_parts_of_a_network() -> None:
    found = scopes(network())
    assert [(scope.name, scope.float_layers) for scope in found] == [
        ("all layers", ()),
        ("all but the last layers", ("/head/scores", "/head/boxes")),
        ("all but the first and the last layers", ("/backbone/first", "/head/scores", "/head/boxes")),
    ]
    assert found[0].nodes == ("/backbone/first", "relu", "/backbone/second", "add", "/head/scores", "/head/boxes")
    assert found[1].nodes == ("/backbone/first", "relu", "/backbone/second"), "nothing follows that needs the sum"


def test_a_network_without_weights_has_no_parts() -> None:
    relu = helper.make_node("Relu", ["input"], ["output"], name="relu")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("input", "output")]
    assert scopes(helper.make_model(helper.make_graph([relu], "none", ends[:1], ends[1:]))) == ()


def test_the_int8_model_computes_nearly_the_same_in_both_engines(tmp_path: Path) -> None:
    import onnxruntime
    import openvino

    onnx.save(network(), tmp_path / "float.onnx")
    maker = Int8Maker(tmp_path / "float.onnx", tmp_path / "work", lambda: pictures(4))
    given = pictures(5)[-1]
    exact = onnxruntime.InferenceSession(str(tmp_path / "float.onnx")).run(None, {"input": given})
    for scope in maker.scopes:
        maker.write(scope, tmp_path / "int8.onnx")
        rounded = onnxruntime.InferenceSession(str(tmp_path / "int8.onnx")).run(None, {"input": given})
        for mine, theirs in zip(exact, rounded, strict=True):
            assert 0 < np.abs(mine - theirs).max() < 0.1 * np.abs(mine).max()
        made = onnx.load(tmp_path / "int8.onnx")
        kinds = {t.name: t.data_type for t in made.graph.initializer}
        assert sum(kind == TensorProto.INT8 for kind in kinds.values()) >= maker.layers - len(scope.float_layers)
        decoding = [output for node in made.graph.node if node.name in ("sigmoid", "decode") for output in node.output]
        assert decoding == ["scores", "boxes"], "what follows the last layer stays in float"
    assert maker.calibrated_on == 4, "the pictures are looked at once for all parts"

    maker.write(maker.scopes[0], tmp_path / "int8.onnx")
    scales = [numpy_helper.to_array(t).shape for t in onnx.load(tmp_path / "int8.onnx").graph.initializer]
    assert (64,) in scales, "weights have a scale for each channel"
    assert (tmp_path / "int8.onnx").stat().st_size < 0.5 * (tmp_path / "float.onnx").stat().st_size
    inside = onnxruntime.InferenceSession(str(tmp_path / "int8.onnx")).run(None, {"input": given})
    compiled = openvino.Core().compile_model(openvino.convert_model(str(tmp_path / "int8.onnx")), "CPU")
    for mine, theirs in zip(inside, compiled(given).values(), strict=True):
        assert np.abs(mine - theirs).max() < 0.05 * np.abs(mine).max()


def test_no_calibration_picture_is_an_error(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "float.onnx")
    maker = Int8Maker(tmp_path / "float.onnx", tmp_path / "work", list)
    with pytest.raises(DeploymentError, match="the quantiser fails"):
        maker.write(maker.scopes[0], tmp_path / "int8.onnx")


@pytest.mark.parametrize(
    ("when", "limit", "tried"),
    [
        (Quantize.NEVER, 1.0, ""),
        (Quantize.AUTO, None, ""),
        (Quantize.AUTO, 10.0, ""),
        (Quantize.AUTO, 9.9, "The float model takes 10 ms an image, 9.9 ms were asked for"),
        (Quantize.ALWAYS, None, "INT8 was asked for"),
    ],
)
def test_when_int8_is_tried(when: Quantize, limit: float | None, tried: str) -> None:
    why = reason_to_try(QuantizePolicy(when=when), 10.0, limit)
    assert why.startswith(tried)
    assert bool(why) == bool(tried)


def found(int8: float, ms: float, limit: float | None = None, wanted: float | None = None) -> Measured:
    """INT8 with this figure and latency; the float model has 0.8 and takes 10 ms."""
    return Measured(objective(Task.DETECTION), Pair(float32=0.8, int8=int8), Pair(float32=10.0, int8=ms), limit, wanted)


@pytest.mark.parametrize(
    ("when", "measured", "delivers", "warns", "says"),
    [
        ("always", found(0.79, 5), True, False, r"it loses 0.0100 of mAP on val \(a loss of 0.02 is allowed\)"),
        ("always", found(0.82, 12), True, False, "it gains 0.0200 of mAP"),
        ("always", found(0.77, 5), False, True, "The float model is delivered: INT8 loses 0.0300"),
        ("always", found(0.77, 5, limit=11), False, True, "delivered: INT8 loses"),
        (
            "always",
            found(0.77, 5, limit=6),
            True,
            True,
            "as it alone keeps the limit of 6 ms, although it loses 0.0300",
        ),
        ("always", found(0.77, 7, limit=6), False, True, "delivered: INT8 loses"),
        ("always", found(0.77, 5, limit=6, wanted=0.78), False, True, "is no use: the float model"),
        ("always", found(0.77, 5, limit=6, wanted=0.9), True, True, "as it alone keeps the limit"),
        ("always", found(0.30, 5, limit=6), False, True, "is no use"),
        ("always", found(0.79, 12, limit=11), False, True, "INT8 takes 12 ms an image and misses 11 ms"),
        ("auto", found(0.79, 5, limit=6), True, False, "INT8 is delivered"),
        ("auto", found(0.79, 7, limit=6), False, False, "misses 6 ms, too"),
    ],
)
def test_what_is_delivered(when: str, measured: Measured, delivers: bool, warns: bool, says: str) -> None:
    decision = decide(QuantizePolicy(when=Quantize(when)), measured)
    assert (decision.deliver, decision.warns) == (delivers, warns)
    assert re.search(says, decision.reason), decision.reason


def test_less_of_an_error_is_no_loss() -> None:
    nme = measured_metric(Task.KEYPOINT, "NME")
    assert nme is not None
    better = Measured(nme, Pair(float32=0.10, int8=0.05), Pair(float32=10, int8=5))
    worse = Measured(nme, Pair(float32=0.10, int8=0.15), Pair(float32=10, int8=5))
    assert decide(ALWAYS, better).deliver
    assert not decide(ALWAYS, worse).deliver


def test_a_model_that_has_seen_val_gets_no_int8_and_says_why(tmp_path: Path) -> None:
    nothing: Any = None
    made = FloatBundle(
        request=report_records.request(), bag=report_records.bag(tmp_path), choice=report_records.choice(),
        trained=nothing, exported=nothing, engine=Engine.ONNXRUNTIME, device=Device.CPU, folder=tmp_path,
        check=report_records.deployment(tmp_path).verification, figure=objective(Task.DETECTION), trained_on_val=True,
    )  # fmt: skip
    chosen = with_int8(made, QuantizePolicy(when=Quantize.ALWAYS), tmp_path, lambda _: None)
    assert (chosen.folder, chosen.record) == (tmp_path, None)
    (warning,) = chosen.warnings
    assert "no pictures are left that tell what INT8 loses. A new run with --refit never" in warning


def test_card_and_report_compare_both(tmp_path: Path) -> None:
    from autommlab.deployment.model_card import CardFacts, write_papers
    from autommlab.report.content import ReportContent
    from autommlab.report.render import render

    record, done = report_records.int8(delivered=True), report_records.deployment(tmp_path)
    check = done.verification.model_copy(update={"precision": "int8", "tolerance": None})
    done = done.model_copy(update={"quantization": record, "verification": check})
    page = render(ReportContent(text="trains", bag=report_records.bag(tmp_path), deployment=done))
    facts = CardFacts(
        report_records.request(), report_records.bag(tmp_path), report_records.choice(),
        report_records.study(tmp_path), done.engine, check, (), (), None, record,
    )  # fmt: skip
    write_papers(tmp_path, facts)
    card = (tmp_path / "model_card.md").read_text(encoding="utf-8")
    for text in (page, card):
        for fact in ("mAP on 200 val images", "0.561", "0.549", "0.5391", "16.4", "INT8 is 2.00 times as fast"):
            assert fact in text
        assert "not bounded for INT8" in text
        assert "&lt;boxes&gt;" in text
        assert "<boxes>" not in text
    assert "This bundle holds the INT8 model" in card
    assert "INT8" in done.summary()
    assert type(done).model_validate_json(done.model_dump_json()) == done
