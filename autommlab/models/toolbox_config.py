"""The whole config that a toolbox ships for a zoo entry, and what the zoo's table needs to know of it."""

from __future__ import annotations

import ast
import copy
import functools
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from autommlab.common.errors import ModelError
from autommlab.compat import apply_repairs
from autommlab.models.records import ModelEntry
from autommlab.tasks import Task


def config_path(entry: ModelEntry) -> Path:
    """Absolute path of the entry's config file in the installed toolbox.

    Raises:
        ModelError: the toolbox is not installed or has no such file.
    """
    spec = importlib.util.find_spec(entry.toolbox)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"{entry.name}: the toolbox {entry.toolbox} is not installed. Run `uv sync`.")
    folder = Path(next(iter(spec.submodule_search_locations))) / ".mim"
    path = folder / entry.config
    # A toolbox's config is a program that is run: the entry, which a run folder tells, must name one of the toolbox.
    if ".." in Path(entry.config).parts or not path.is_relative_to(folder):
        raise ModelError(f"{entry.name}: the config {entry.config!r} does not lie in {entry.toolbox}; it is not read.")
    if not path.is_file():
        raise ModelError(
            f"{entry.name}: the index names the config {entry.config!r}, which {entry.toolbox} does not ship."
        )
    return path


def toolbox_config(entry: ModelEntry) -> dict[str, Any]:
    """The entry's whole config with its bases merged, as plain dicts and lists; a copy of one's own.

    Raises:
        ModelError: the file is missing or its bases cannot be resolved.
    """
    path = config_path(entry)
    try:
        return copy.deepcopy(_read(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{entry.name}: its config {entry.config} cannot be read: {reason}") from error


@functools.lru_cache(maxsize=4)
def _read(path: Path) -> dict[str, Any]:
    """Kept, since every trial of a study asks for the same file and reading it takes up to a second."""
    from mmengine.config import Config

    apply_repairs()  # reading runs the config's own imports
    plain: dict[str, Any] = Config.fromfile(str(path)).to_dict()
    return plain


#: How a file writes a learning rate into the settings that it assigns.
_SETS_RATE = re.compile(r"\b(?:base_)?lr\b")
_NOWHERE = 99


def stated_further_off(path: Path, setting: str, *, than_lr_of: str) -> bool:
    """Whether a config inherits one setting from further off than the learning rate in another.

    Args:
        path: of the config.
        setting: for instance `auto_scale_lr`.
        than_lr_of: the setting that holds the rate, `optim_wrapper`.

    Returns:
        False also where the files cannot be followed (configs that import their bases).
    """
    rate = _distance(path, than_lr_of, _SETS_RATE)
    return rate < _NOWHERE and rate < _distance(path, setting, re.compile(""))


def _distance(path: Path, name: str, holding: re.Pattern[str]) -> int:
    """How many bases away a top-level name is assigned with a text in it; `_NOWHERE` if it is not."""
    try:
        text = path.read_text(encoding="utf-8")
        body = ast.parse(text).body
    except (OSError, SyntaxError):
        return _NOWHERE
    assigned = {
        target.id: node.value
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if name in assigned and holding.search(ast.get_source_segment(text, assigned[name]) or ""):
        return 0
    bases = (
        [node.value for node in ast.walk(assigned["_base_"]) if isinstance(node, ast.Constant)]
        if "_base_" in assigned
        else []
    )
    near = [
        _distance(path.parent / base, name, holding) for base in bases if isinstance(base, str) and "::" not in base
    ]
    return min(_NOWHERE, 1 + min(near, default=_NOWHERE))


#: Parts that learn from something that no bag holds, and what that is.
_NEEDS: dict[str, str] = {
    "mask_head": "instance masks",
    "semantic_head": "semantic masks",
    "panoptic_head": "panoptic masks",
    "mask_feat_head": "instance masks",
    "language_model": "a text encoder",
    "teacher": "a trained teacher",
    "teacher_config": "a trained teacher",
    "teacher_backbone": "a trained teacher",
    "clip_text_encoder": "a text encoder",
    "unet": "a diffusion model",
    "text_encoder": "a text encoder",
}
#: Models that cannot be trained on boxes alone.
_NEEDS_BY_TYPE: dict[str, str] = {
    "RPN": "a second stage: it proposes regions only",
    "FastRCNN": "proposals from another model",
    "MaskFormer": "instance masks",
    "Mask2Former": "instance masks",
    "BoxInst": "instance masks",
    "CondInst": "instance masks",
}


class ConfigFacts(NamedTuple):
    """Attributes: input_size is (width, height) in pixels, None if not found; needs is "" if a bag suffices."""

    input_size: tuple[int, int] | None
    needs: str


def read_facts(config: Path, task: Task) -> ConfigFacts:
    """Read one config file with its bases.

    Raises:
        ModelError: the file cannot be parsed.
    """
    from mmengine.config import Config

    try:
        content: dict[str, Any] = Config.fromfile(config, import_custom_modules=False).to_dict()
    except (OSError, SyntaxError, LookupError, TypeError, ValueError, RuntimeError, ImportError) as error:
        raise ModelError(f"the config {config} cannot be read: {error}; reinstall its toolbox") from error
    return ConfigFacts(_input_size(content, task), _needs(content, task))


def _needs(content: dict[str, Any], task: Task) -> str:
    model = content.get("model", {})
    kind = str(model.get("type", "")).rpartition(".")[2]
    if task is Task.DETECTION and kind in _NEEDS_BY_TYPE:
        return _NEEDS_BY_TYPE[kind]
    if task is Task.DETECTION and ("with_mask", True) in _keys(content.get("train_dataloader")):
        return "instance masks"
    if task in (Task.DETECTION, Task.SEGMENTATION):
        return next((_NEEDS[key] for key, value in _keys(model) if key in _NEEDS and value), "")
    return ""


def _keys(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
        yield from _keys(child)


def _input_size(content: dict[str, Any], task: Task) -> tuple[int, int] | None:
    if task is Task.KEYPOINT:
        return _pair(_first(content.get("codec"), "input_size"))
    if task is Task.SEGMENTATION:
        size = _pair((content.get("data_preprocessor") or {}).get("size") or content.get("crop_size"))
        return (size[1], size[0]) if size else None  # mmsegmentation writes (height, width)
    pipeline = _pipeline(content, "train_dataloader" if task is Task.CLASSIFICATION else "test_dataloader")
    if task is Task.CLASSIFICATION:
        found = _first_of(pipeline, ("RandomResizedCrop", "EfficientNetRandomCrop", "RandomCrop", "Resize"))
        return _pair(found) or _pair(_first_of(_pipeline(content, "test_dataloader"), ("CenterCrop",)))
    return _pair(_first_of(pipeline, ("Resize", "FixScaleResize", "RandomResize")))


def _pipeline(content: dict[str, Any], loader: str) -> list[dict[str, Any]]:
    """The list of transforms of a loader; data set wrappers are looked through."""
    dataset = (content.get(loader) or {}).get("dataset") or {}
    while isinstance(dataset, dict) and "pipeline" not in dataset and "dataset" in dataset:
        dataset = dataset["dataset"]
    pipeline = dataset.get("pipeline") if isinstance(dataset, dict) else None
    return [step for step in pipeline or [] if isinstance(step, dict)]


def _first_of(pipeline: list[dict[str, Any]], types: tuple[str, ...]) -> Any:
    for step in pipeline:
        if str(step.get("type", "")).rpartition(".")[2] in types:
            found = step.get("scale") or step.get("crop_size")
            if found:
                return found
    return None


def _first(node: Any, key: str) -> Any:
    """The first value of `key` anywhere in nested dicts and lists."""
    return next((value for name, value in _keys(node) if name == key), None)


def _pair(value: Any) -> tuple[int, int] | None:
    """(a, b) from a number or a sequence of two numbers."""
    if isinstance(value, int):
        return (value, value)
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(n, int) for n in value):
        return (value[0], value[1])
    return None
