"""Decoding of points in numpy against mmpose's own codecs, on smooth and on random outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autommlab.bundle_runtime import BundleError
from autommlab.bundle_runtime.keypoints import decode_points

SIZE, CELLS = (96, 128), (24, 32)
CODECS = [
    {"type": "MSRAHeatmap", "heatmap_size": CELLS, "sigma": 2.0},
    {"type": "MSRAHeatmap", "heatmap_size": CELLS, "sigma": 2.0, "unbiased": True},
    {"type": "MSRAHeatmap", "heatmap_size": CELLS, "sigma": 1.0, "unbiased": True, "blur_kernel_size": 5},
    {"type": "UDPHeatmap", "heatmap_size": CELLS, "sigma": 2.0},
    {"type": "UDPHeatmap", "heatmap_size": CELLS, "heatmap_type": "combined", "blur_kernel_size": 5},
    {"type": "SimCCLabel", "sigma": 6.0, "simcc_split_ratio": 2.0},
    {"type": "SimCCLabel", "sigma": (4.9, 5.66), "simcc_split_ratio": 2.0, "use_dark": True, "normalize": False},
    {"type": "RegressionLabel"},
]


@pytest.fixture(scope="module")
def codecs() -> Any:
    from autommlab.compat import apply_repairs

    apply_repairs()
    import mmpose.codecs  # noqa: F401 - fills the registry
    from mmpose.registry import KEYPOINT_CODECS

    return KEYPOINT_CODECS


def raw_outputs(codec: Any, config: dict[str, Any], points: np.ndarray, rng: np.random.Generator) -> list[Any]:
    """What a network that is nearly right about `points` (K, 2) puts out."""
    visible = np.ones((1, len(points)), np.float32)
    encoded = codec.encode(points[None], visible)
    match config["type"]:
        case "SimCCLabel":
            return [
                rng.normal(0, 0.02, e.shape) + e for e in (encoded["keypoint_x_labels"], encoded["keypoint_y_labels"])
            ]
        case "RegressionLabel":
            return [encoded["keypoint_labels"]]
    heatmaps = encoded["heatmaps"]
    return [(heatmaps + rng.normal(0, 0.02, heatmaps.shape))[None]]


@pytest.mark.parametrize(
    "config",
    CODECS,
    ids=lambda c: "-".join(str(c.get(k, "")) for k in ("type", "unbiased", "heatmap_type", "use_dark")),
)
@pytest.mark.parametrize("kind", ["near", "noise", "nothing"])
def test_same_points_as_mmpose(codecs: Any, config: dict[str, Any], kind: str) -> None:
    from types import SimpleNamespace

    from autommlab.deployment.preprocessing import codec_rule

    rng = np.random.default_rng(3)
    codec = codecs.build({**config, "input_size": SIZE})
    points = rng.uniform((0, 0), SIZE, (17, 2)).astype(np.float32)
    outputs = [output.astype(np.float32) for output in raw_outputs(codec, config, points, rng)]
    if kind == "noise":
        outputs = [rng.uniform(0.01, 1, output.shape).astype(np.float32) for output in outputs]
    if kind == "nothing" and "unbiased" not in config and config["type"] in ("MSRAHeatmap", "SimCCLabel"):
        if config.get("use_dark"):
            pytest.skip("mmpose itself divides by zero there")
        outputs = [np.full(output.shape, -0.5, np.float32) for output in outputs]
    expected, scores = codec.decode(*[output[0].copy() if output.ndim == 4 else output.copy() for output in outputs])
    head = SimpleNamespace(decoder=codec)
    rule = codec_rule(SimpleNamespace(model=SimpleNamespace(head=head)))  # type: ignore[arg-type]
    got, got_scores = decode_points(outputs, rule)
    np.testing.assert_allclose(got_scores, np.asarray(scores)[0], atol=1e-6)
    # On noise the curvature at a peak may be nearly singular, which magnifies rounding.
    np.testing.assert_allclose(got, np.asarray(expected)[0], atol=2e-3, rtol=1e-2 if kind == "noise" else 1e-5)
    if kind == "near" and config["type"] != "RegressionLabel":
        inside = np.abs(got - points).max(axis=1) < 4
        assert inside.mean() > 0.8


def test_uncertainty_lowers_the_score() -> None:
    rule = {"type": "RegressionLabel", "input_size": [100, 200], "sigmoid_sigma": True}
    points, scores = decode_points([np.array([[[0.5, 0.25, 0.0, 0.0], [0.1, 0.1, 9.0, 9.0]]])], rule)
    assert points[0].tolist() == [50, 50]
    assert scores[0] == pytest.approx(0.5)
    assert scores[1] < 0.01


def test_unknown_codec() -> None:
    with pytest.raises(BundleError, match="unknown keypoint codec 'AssociativeEmbedding'"):
        decode_points([], {"type": "AssociativeEmbedding"})
