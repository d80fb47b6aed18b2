"""What a bundle has to know of a trained model: its input rule, codec and mask rule, as plain values.

Read from the built model and the data config, never typed twice.
"""

from __future__ import annotations

from typing import Any

from autommlab.common.errors import DeploymentError
from autommlab.data.records import PictureDepth
from autommlab.deployment.export import OnnxModel
from autommlab.deployment.trained import Trained
from autommlab.tasks import Task
from autommlab.training.data_config import BOX_PADDING, PAD_VALUE

_RESIZE = {
    Task.CLASSIFICATION: "stretch",
    Task.DETECTION: "fit",
    Task.SEGMENTATION: "stretch",
    Task.KEYPOINT: "crop",
}
#: What decoding reads of each of mmpose's codecs.
_CODEC_FIELDS = {
    "MSRAHeatmap": ("input_size", "heatmap_size", "unbiased", "blur_kernel_size"),
    "UDPHeatmap": ("input_size", "heatmap_size", "heatmap_type", "radius_factor", "blur_kernel_size"),
    "SimCCLabel": ("input_size", "simcc_split_ratio", "use_dark", "sigma"),
    "RegressionLabel": ("input_size",),
    "IntegralRegressionLabel": ("input_size",),
}


def input_rule(
    trained: Trained, exported: OnnxModel, input_size: tuple[int, int], depth: PictureDepth
) -> dict[str, Any]:
    """How an image becomes the network input: "input" of `bundle.json`.

    Args:
        trained: whose data preprocessor holds mean, standard deviation and channel order.
        exported: whose input shape the tensor has.
        input_size: (width, height) that images are brought to.
        depth: of images with more than 8 bits a channel, as training read them.
    """
    preprocessor = trained.model.data_preprocessor
    rule: dict[str, Any] = {
        "depth": depth.model_dump(),
        "size": list(input_size),
        "tensor": list(exported.shape),
        "tensor_pad": float(getattr(preprocessor, "pad_value", 0)),
        "resize": _RESIZE[trained.task],
        "channels": "rgb" if _turns_to_rgb(preprocessor) else "bgr",
        **_normalisation(preprocessor),
    }
    if trained.task is Task.DETECTION:
        rule["pad_value"] = PAD_VALUE
    if trained.task is Task.KEYPOINT:
        rule |= {"box_padding": BOX_PADDING, "unbiased": _codec_name(trained) == "UDPHeatmap"}
    return rule


def _turns_to_rgb(preprocessor: Any) -> bool:
    """Each toolbox has its own name for it; all load images as BGR."""
    return any(
        bool(getattr(preprocessor, name, False)) for name in ("to_rgb", "_channel_conversion", "channel_conversion")
    )


def _normalisation(preprocessor: Any) -> dict[str, list[float]]:
    if not getattr(preprocessor, "_enable_normalize", False):
        return {"mean": [0.0] * 3, "std": [1.0] * 3}
    values = {name: getattr(preprocessor, name).flatten().tolist() for name in ("mean", "std")}
    return {name: three * 3 if len(three) == 1 else three for name, three in values.items()}


def codec_rule(trained: Trained) -> dict[str, Any]:
    """How outputs become points: "codec" of `bundle.json`.

    Raises:
        DeploymentError: a codec that a bundle cannot decode.
    """
    name, decoder = _codec_name(trained), trained.model.head.decoder
    if name not in _CODEC_FIELDS:
        known = ", ".join(_CODEC_FIELDS)
        raise DeploymentError(
            f"a bundle cannot decode the keypoint codec {name}; it can decode {known}. "
            "Choose another model (`--model`)."
        )
    rule: dict[str, Any] = {"type": name}
    for field in _CODEC_FIELDS[name]:
        rule[field] = _plain(getattr(_heatmap_part(decoder), field))
    if "input_size" in rule and len(rule["input_size"]) != 2:
        raise DeploymentError(f"the codec {name} is not two-dimensional: input size {rule['input_size']}")
    # RLE's head squashes the spread it predicts only after the exported graph ends.
    rule["sigmoid_sigma"] = type(trained.model.head).__name__ == "RLEHead"
    return rule


def _codec_name(trained: Trained) -> str:
    return type(trained.model.head.decoder).__name__


def _heatmap_part(decoder: Any) -> Any:
    return getattr(decoder, "keypoint_codec", decoder)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value
