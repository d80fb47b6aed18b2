"""`--cfg-options KEY=VALUE`: overrides of the toolbox's config, as OpenMMLab's own tools take them.

A key is a path in the built config with dots, numbers count the items of a list. A value is written as mmengine's
`DictAction` reads it: numbers, true, false, None, words, "1,2", "[1,2]", "(1,2)", nested. Here: what can be known
without a toolbox; `training.cfg_check` looks at the built config.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

_DEEPEST, _LONGEST = 8, 2000
_PART = re.compile(r"\w+\Z", re.ASCII)
_OPENING, _CLOSING = "([", ")]"


class CfgOption(NamedTuple):
    """One override: the parts of its key, and its value."""

    path: tuple[str, ...]
    value: Any

    @property
    def key(self) -> str:
        """As typed, with dots."""
        return ".".join(self.path)


def read_option(text: str) -> CfgOption:
    """The override that "KEY=VALUE" means.

    Raises:
        ValueError: no such pair, or a value that is none.
    """
    key, equals, value = text.partition("=")
    path = tuple(key.strip().split("."))
    if not equals or not all(map(_PART.match, path)):
        raise ValueError("it takes KEY=VALUE, the key with dots, as in model.head.loss.loss_weight=0.5")
    if len(value) > _LONGEST:
        raise ValueError(f"the value has over {_LONGEST} characters")
    return CfgOption(path, read_value(value))


def read_value(text: str, depth: int = 0) -> Any:
    """A value as `DictAction` reads it: number, bool, None, word, list or tuple of these.

    Raises:
        ValueError: brackets that do not match, nested too deep, or a number that is not finite.
    """
    if depth > _DEEPEST:
        raise ValueError(f"brackets are nested more than {_DEEPEST} deep")
    text = text.strip().strip("'\"").strip()
    items = _items(text)
    if text[:1] in tuple(_OPENING) and _end_of_bracket(text) == len(text) - 1:
        inner = [read_value(item, depth + 1) for item in _items(text[1:-1])]
        return tuple(inner) if text[0] == "(" else inner
    return [read_value(item, depth + 1) for item in items] if "," in text else _word(text)


def _end_of_bracket(text: str) -> int:
    """Where the bracket that a text begins with is closed; -1 = nowhere."""
    open_ones = 0
    for at, sign in enumerate(text):
        open_ones += (sign in _OPENING) - (sign in _CLOSING)
        if open_ones == 0:
            return at
    return -1


def _items(text: str) -> list[str]:
    """The parts between the commas that stand in no bracket; a comma at the end adds none."""
    items, begin, expected = [], 0, ""
    for at, sign in enumerate(text):
        if sign in _OPENING:
            expected += _CLOSING[_OPENING.index(sign)]
        elif sign in _CLOSING:
            if expected[-1:] != sign:
                raise ValueError(f"the brackets in {text[:60]!r} do not match")
            expected = expected[:-1]
        elif sign == "," and not expected:
            items.append(text[begin:at])
            begin = at + 1
    if expected:
        raise ValueError(f"the brackets in {text[:60]!r} do not match")
    return [*items, text[begin:]] if text[begin:].strip() else items


def _word(text: str) -> Any:
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        if not math.isfinite(number):
            raise ValueError(f"{text} is no finite number")
        return number
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


_OF_TRIAL = "AutoMMLab sets it for each trial"
_OF_DATA = "pictures, their order and their labels are the run's"
_OF_BUNDLE = "the bundle prepares pictures and reads outputs in this way"
_OF_FIGURES = "the figures of a run are measured in this way"
_OF_WEIGHTS = "--weights and --model name what a training starts from"
_OF_SHAPE = "it follows from the classes, the points or --input-size"
_NO_CODE = "no code from outside of the toolboxes is run"
_NO_LOOP = "reports, validation and checkpoints hang on it"

#: Patterns of keys that are refused, with the reason; the first that fits counts.
REFUSED: tuple[tuple[str, str], ...] = (
    ("custom_imports*", _NO_CODE),
    ("*._*", "mmengine gives it a meaning of its own"),
    ("load_from*", _OF_WEIGHTS),
    ("resume*", "--resume names the run that goes on"),
    ("optim_wrapper.optimizer*", "optimizer, lr and weight_decay are what the search proposes"),
    ("optim_wrapper.accumulative_counts*", "the batch is what the search proposes; --batch bounds it"),
    ("optim_wrapper.constructor*", _NO_CODE),
    ("param_scheduler*", "it follows from the lr_schedule and the iterations that the search proposes"),
    ("train_dataloader.batch_size", "the batch is what the search proposes; --batch bounds it"),
    ("randomness.seed", "--seed names it"),
    ("val_dataloader*", _OF_FIGURES),
    ("test_dataloader*", _OF_FIGURES),
    ("val_evaluator*", _OF_FIGURES),
    ("test_evaluator*", _OF_FIGURES),
    ("train_cfg*", _NO_LOOP),
    ("val_cfg*", _NO_LOOP),
    ("test_cfg*", _NO_LOOP),
    ("default_hooks*", _NO_LOOP),
    ("custom_hooks*", _NO_LOOP),
    ("model.data_preprocessor*", _OF_BUNDLE),
    ("model.test_cfg.mode", _OF_BUNDLE),
    ("model.test_cfg.flip*", _OF_BUNDLE),
    ("model.test_cfg.shift_heatmap", _OF_BUNDLE),
    ("model.head.decoder*", _OF_BUNDLE),
    ("model.head.out_channels", _OF_SHAPE),
    ("model.decode_head.out_channels", _OF_SHAPE),
    ("model.head.topk", _OF_SHAPE),
    *((f"model.*.{name}*", _OF_WEIGHTS) for name in ("init_cfg", "pretrained", "checkpoint", "ckpt", "model_name")),
    *((f"model.*{name}", _OF_SHAPE) for name in ("num_classes", "num_joints", "img_size", "input_size")),
    ("train_dataloader.dataset.pipeline.?.type", _OF_DATA),
    ("train_dataloader.dataset.pipeline.?.transforms.0.*", _OF_BUNDLE),
    *(
        (f"train_dataloader.*.{name}", _OF_SHAPE)
        for name in ("scale", "size", "crop_size", "input_size", "encoder", "encoder.*")
    ),
    *((f"train_dataloader.*.{name}", _OF_BUNDLE) for name in ("bits", "white", "backend", "imdecode_backend")),
    *((f"train_dataloader.*.{name}", _OF_DATA) for name in ("allowed", "split", "training")),
)

#: Patterns of keys that may be set; the others are AutoMMLab's.
ALLOWED = (
    "model.*",
    "optim_wrapper.*",
    "train_dataloader.dataset.pipeline.*",
    "train_dataloader.num_workers",
    "train_dataloader.persistent_workers",
    "train_dataloader.pin_memory",
    "train_dataloader.prefetch_factor",
    "env_cfg.cudnn_benchmark",
    "randomness.deterministic",
)


def why_not_set(option: CfgOption) -> str | None:
    """Why a key is not to be set, whatever the model; None if it may be."""
    for pattern, reason in REFUSED:
        if fnmatchcase(option.key, pattern):
            return reason
    if any(fnmatchcase(option.key, pattern) for pattern in ALLOWED):
        return None
    return _OF_DATA if option.path[0] == "train_dataloader" else _OF_TRIAL


def merged(config: Mapping[str, Any], options: Sequence[CfgOption]) -> dict[str, Any]:
    """The config with the overrides, later ones over earlier ones; what lies beside their paths is shared, not copied.

    Raises:
        KeyError: a list has no such item.
        TypeError: a key leads into a plain value.
    """
    found = dict(config)
    for option in options:
        found = _set(found, option.path, option.value)
    return found


def at_path(config: Any, path: Sequence[str]) -> Any:
    """What stands at a path; None where nothing does."""
    for part in path:
        if isinstance(config, list | tuple):
            config = config[int(part)] if part.isdecimal() and int(part) < len(config) else None
        else:
            config = config.get(part) if isinstance(config, Mapping) else None
    return config


def _set(node: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    part, *rest = path
    if isinstance(node, list | tuple):
        at = int(part) if part.isdecimal() else len(node)
        if at >= len(node):
            raise KeyError(part)
        return type(node)([*node[:at], _set(node[at], rest, value), *node[at + 1 :]])
    if node is None or isinstance(node, Mapping):
        inner = dict(node or {})
        return {**inner, part: _set(inner.get(part), rest, value)}
    raise TypeError(part)
