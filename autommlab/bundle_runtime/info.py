"""`bundle.json`, checked before anything is built on it: it may be damaged, of another model, or come from anybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import BundleError

_Rule = Callable[[Any], bool]
#: Entries of every `bundle.json`, with the types that JSON gives them.
_NEEDED = {"task": str, "engine": str, "files": list, "classes": list, "input": dict, "output": dict}
_TASKS = ("classification", "detection", "segmentation", "keypoint")
#: Longest side of a network input in pixels and of a heatmap in cells; what is larger would only fill the memory.
_LONGEST_SIDE = 8192
_LARGEST_KERNEL = 1001
_MOST = 1e9


def read_info(folder: Path) -> dict[str, Any]:
    """The content of `bundle.json`.

    Raises:
        BundleError: it is missing or no JSON, names files outside of the bundle, or an entry has a value that no
            bundle has; the text names the entry.
    """
    path = folder / "bundle.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{folder} is not a bundle: its bundle.json cannot be read ({error}).") from error
    if not isinstance(info, dict) or any(not isinstance(info.get(name), kind) for name, kind in _NEEDED.items()):
        raise BundleError(f"{folder} is not a bundle: its bundle.json lacks one of {', '.join(_NEEDED)}.")
    for name in (*info["files"], *info["classes"]):
        if not isinstance(name, str):
            raise BundleError(f"{path} names {name!r}, which is no text.")
    for name in info["files"]:
        if name == ".." or not name or Path(name).name != name:
            raise BundleError(f"{path} names the file {name!r}, which is not in the bundle.")
    for where, rules in _rules_of(info).items():
        for entry, holds in rules.items():
            _check(path, info, where, entry, holds)
    return info


def _check(path: Path, info: dict[str, Any], where: str, entry: str, holds: _Rule) -> None:
    part = info.get(where) if where else info
    value = part.get(entry) if isinstance(part, dict) else None
    if not holds(value):
        name = f"{where}.{entry}" if where else entry
        raise BundleError(f"{path} has no usable {name} ({str(value)[:60]!r}): it is damaged; copy the bundle again.")


def _rules_of(info: dict[str, Any]) -> dict[str, dict[str, _Rule]]:
    """What the bundle's task asks of each part."""
    rules: dict[str, dict[str, _Rule]] = {
        "": {"task": _one_of(*_TASKS), "classes": bool, "files": bool},
        "input": {
            "size": _is_size, "tensor": _is_tensor, "resize": _one_of("stretch", "fit", "crop"),
            "channels": _one_of("rgb", "bgr"), "mean": _numbers(3), "std": lambda std: _numbers(3)(std) and all(std),
            "tensor_pad": _is_number, "depth": _is_depth,
        },
        "output": {"names": _is_texts},
    }  # fmt: skip
    resize, kind = info["input"].get("resize"), info["output"].get("kind")
    if resize == "fit":
        rules["input"]["pad_value"] = lambda value: _is_number(value) and 0 <= value <= 255
    if resize == "crop":
        rules["input"] |= {"box_padding": lambda value: _is_number(value) and 0 < value <= 100, "unbiased": _is_flag}
    if kind == "raw-boxes":
        rules["output"] |= {"scores_shape": _numbers(2), "nms": _is_suppression}
    if info["task"] == "segmentation":
        rules["output"]["align_corners"] = _is_flag
    if info["task"] == "keypoint":
        rules[""]["keypoints"] = _is_layout
        rules["codec"] = _codec_rules(info.get("codec"))
    return rules


def _codec_rules(codec: Any) -> dict[str, _Rule]:
    kind = codec.get("type") if isinstance(codec, dict) else None
    heatmap: dict[str, _Rule] = {"input_size": _is_size, "heatmap_size": _is_size, "blur_kernel_size": _is_kernel}
    known: dict[str, dict[str, _Rule]] = {
        "SimCCLabel": {
            "simcc_split_ratio": lambda ratio: _is_number(ratio) and ratio > 0,
            "use_dark": _is_flag,
            "sigma": lambda sigma: _numbers(2)(sigma) and all(0 < value <= 100 for value in sigma),
        },
        "RegressionLabel": {"input_size": _is_size},
        "IntegralRegressionLabel": {"input_size": _is_size},
        "MSRAHeatmap": {**heatmap, "unbiased": _is_flag},
        "UDPHeatmap": {**heatmap, "heatmap_type": _one_of("gaussian", "combined"), "radius_factor": _is_number},
    }
    return {"type": _one_of(*known), "sigmoid_sigma": _is_flag, **known.get(str(kind), {})}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_MOST <= value <= _MOST


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _one_of(*allowed: str) -> _Rule:
    return lambda value: isinstance(value, str) and value in allowed


def _numbers(count: int) -> _Rule:
    return lambda value: isinstance(value, list) and len(value) == count and all(map(_is_number, value))


def _is_side(value: Any) -> bool:
    return _is_number(value) and value == int(value) and 1 <= value <= _LONGEST_SIDE


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_side, value))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and value[:2] == [1, 3] and all(map(_is_side, value))


def _is_kernel(value: Any) -> bool:
    return _is_side(value) and value <= _LARGEST_KERNEL and value % 2 == 1


def _is_depth(value: Any) -> bool:
    if value is None:  # bundles of older versions: pictures of 8 bits
        return True
    wanted = {
        "bits": lambda bits: _is_side(bits) and bits <= 32,
        "white": lambda white: _is_number(white) and white > 0,
    }
    return isinstance(value, dict) and all(name in wanted and wanted[name](given) for name, given in value.items())


def _is_suppression(value: Any) -> bool:
    names = ("score", "iou", "per_class", "in_all")
    whole = names[2:]
    return (
        isinstance(value, dict)
        and all(_is_number(value.get(name)) for name in names)
        and all(isinstance(value[name], int) and value[name] >= 0 for name in whole)
    )


def _is_layout(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_texts(value.get("names")):
        return False
    bones, count = value.get("skeleton", []), len(value["names"])
    return isinstance(bones, list) and all(
        _numbers(2)(bone) and all(isinstance(end, int) and 0 <= end < count for end in bone) for bone in bones
    )
