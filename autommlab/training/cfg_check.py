"""Overrides of the toolbox's config (`--cfg-options`) against the config that is really built.

Import only after `autommlab.compat.import_toolboxes`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmengine
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, OPTIM_WRAPPERS, TASK_UTILS, TRANSFORMS, DefaultScope, Registry

from autommlab.cfg_options import CfgOption, at_path, merged
from autommlab.common.errors import ModelError, RequestError, unknown
from autommlab.data.records import Bag
from autommlab.models.config import reason_of
from autommlab.models.limits import broken, limits_of_request, measured_figures, why_over
from autommlab.models.measure import measure
from autommlab.models.records import ModelChoice, Pretrained
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import Config, TrialSetup, runner_config
from autommlab.training.trial import prepare_toolbox
from autommlab.understanding.request import ModelRequest

#: Of what can be overridden.
_REGISTRIES = (MODELS, TASK_UTILS, TRANSFORMS, OPTIM_WRAPPERS)
#: Groups under `optim_wrapper` that a config may lack, with the keys of torch's gradient clipping and of mmengine's
#: constructor, which no signature names.
_WRAPPER_GROUPS: dict[str, tuple[str, ...]] = {
    "clip_grad": ("type", "max_norm", "norm_type", "clip_value", "error_if_nonfinite"),
    "paramwise_cfg": (
        "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "flat_decay_mult", "dwconv_decay_mult",
        "dcn_offset_lr_mult", "bypass_duplicate", "custom_keys",
    ),
}  # fmt: skip
_BY_NAME, _MULTIPLIERS = ("optim_wrapper", "paramwise_cfg", "custom_keys"), ("lr_mult", "decay_mult")
#: The hyperparameters of the trial that overrides are tried on; none of them can be overridden.
_POINT = Hyperparameters(
    iterations=10, batch_size=2, optimizer="SGD", lr=1e-3, weight_decay=1e-4, lr_schedule="PolyLR"
)  # fmt: skip


def with_cfg_options(choice: ModelChoice, request: ModelRequest, bag: Bag, options: Sequence[CfgOption]) -> ModelChoice:
    """The choice as the overrides make it: they are tried on the built model, which is measured again.

    Args:
        choice: of the model stage, without overrides.
        request: whose limits hold for the changed model, too.
        bag: what it is to learn from.
        options: of `--cfg-options`.

    Raises:
        RequestError: a key or a type is unknown.
        ModelError: the changed model cannot be built, or breaks a limit of the request.
    """
    prepare_toolbox(bag.task)
    blank = choice.model_copy(update={"pretrained": Pretrained(kind="none")})
    setup = TrialSetup(bag=bag, choice=blank, reports=1, seed=0)
    config = runner_config(setup, _POINT, work_dir=Path(), name="cfg-options")
    check_against(config, options, choice.entry.toolbox)
    told = ", ".join(f"{option.key}={option.value}" for option in options)
    try:
        _try_out(merged(config, options), choice.entry.toolbox)
    except Exception as error:
        raise ModelError(
            f"{choice.entry.title} cannot be built with --cfg-options {told}: {reason_of(error)}"
        ) from error
    measured = choice.measured
    if any(option.path[0] == "model" for option in options):
        measured = measure(choice.entry, bag, choice.input_size, options=options)
    over = broken(limits_of_request(request), measured_figures(measured))
    if over:
        raise ModelError(f"with --cfg-options {told}, {why_over(over, measured_figures(measured), 'measured')}")
    return choice.model_copy(
        update={"measured": measured, "reasons": (*choice.reasons, f"Its config is changed: {told}.")}
    )


def _try_out(config: Config, scope: str) -> None:
    """Build what overrides reach."""
    with DefaultScope.overwrite_default_scope(scope):
        plain = mmengine.Config(config, format_python_code=False)
        build_optim_wrapper(MODELS.build(plain.model), plain.optim_wrapper)
        for transform in plain.train_dataloader.dataset.pipeline:
            TRANSFORMS.build(transform)


def check_against(config: Mapping[str, Any], options: Sequence[CfgOption], scope: str) -> None:
    """Refuse overrides that the built config has no place for.

    Args:
        config: of a trial, without overrides.
        options: in their order; what an earlier one sets is there for a later one.
        scope: the toolbox, for types without a scope.

    Raises:
        RequestError: all problems: unknown keys with near ones, types that no toolbox registers.
    """
    problems = []
    for option in options:
        problem = _problem(config, option, scope)
        if problem is None:
            config = merged(config, [option])
        else:
            problems.append(f"--cfg-options {option.key}: {problem}")
    if problems:
        raise RequestError("\n".join(problems))


def _problem(config: Mapping[str, Any], option: CfgOption, scope: str) -> str | None:
    """What is wrong with one override, None if nothing is."""
    for depth, part in enumerate(option.path):
        where = option.path[:depth]
        node = at_path(config, where)
        if isinstance(node, list | tuple):
            if not part.isdecimal() or int(part) >= len(node):
                return f"{'.'.join(where)} is a list; it takes a number from 0 to {len(node) - 1}"
        elif where[:3] == _BY_NAME:  # names of parameters, which are the person's own, and what becomes of them
            if len(where) != 3 and part not in _MULTIPLIERS:
                return unknown(f"key of {'.'.join(where)}", part, _MULTIPLIERS)
        elif isinstance(node, Mapping) or where in _beginnings():
            known = list(dict.fromkeys([*(node or ()), *_accepted(node or {}, where, scope)]))
            if part not in known:
                return unknown(f"key of {'.'.join(where) or 'the config'}", part, known)
        else:
            return f"{'.'.join(where)} is {node!r}, which has no keys"
    if option.path[-1] == "type" and option.path[-2:-1] != ("clip_grad",):
        return _of_type(at_path(config, option.path), str(option.value), scope)
    return _of_group(at_path(config, option.path), option.value)


def _beginnings() -> set[tuple[str, ...]]:
    """Groups that a key inside of them may begin."""
    return {("optim_wrapper", group) for group in _WRAPPER_GROUPS}


def _of_group(old: Any, value: Any) -> str | None:
    """A whole group can be left out, not be replaced by a plain value."""
    if value is None:
        return None
    if isinstance(old, Mapping):
        return f"it is a group; name one of its keys ({', '.join(old)}), or None to leave it out"
    if isinstance(old, list | tuple) and any(isinstance(item, Mapping) for item in old):
        return f"it is a list of groups; name one by its number, 0 to {len(old) - 1}, and a key of it"
    return None


def _of_type(old: Any, new: str, scope: str) -> str | None:
    """A type must be registered where the one before it is: mmengine imports any other name."""
    kinds = [registry for registry in _REGISTRIES if _registered(registry, str(old), scope) is not None]
    if any(_registered(registry, new, scope) is not None for registry in kinds):
        return None
    names = sorted({name for registry in kinds for name in _names(registry, scope)})
    near, _, _ = unknown("type", new, names).partition(" Known:")
    return f"{near} It takes a class that the toolboxes register as they do {old}; no other code is run"


def _accepted(node: Mapping[str, Any], path: tuple[str, ...], scope: str) -> Iterator[str]:
    """Keys that a group may have beside its own: the arguments of its class."""
    if path in _beginnings():
        yield from _WRAPPER_GROUPS[path[-1]]
        return
    if path == ("optim_wrapper",):
        yield from _WRAPPER_GROUPS
    for registry in _REGISTRIES:
        built = _registered(registry, str(node.get("type")), scope)
        if built is not None:
            yield from _arguments(built)


def _arguments(built: Any) -> Iterator[str]:
    """Names that a class and those below it take, or a function."""
    functions = [vars(each).get("__init__") for each in inspect.getmro(built)] if inspect.isclass(built) else [built]
    for function in filter(inspect.isroutine, functions):
        with_names = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        found = inspect.signature(function).parameters.values() if inspect.isfunction(function) else ()
        yield from (each.name for each in found if each.kind in with_names and each.name != "self")


def _registered(registry: Registry, name: str, scope: str) -> Any:
    """What a toolbox registers under a name; None = nothing. Nothing is imported."""
    before, _, rest = name.rpartition(".")
    places = {registry.scope: registry, **registry.children}
    searched = [before] if before else [scope, registry.scope]
    return next((places[each].module_dict[rest] for each in searched if rest in _of(places.get(each))), None)


def _of(registry: Registry | None) -> dict[str, Any]:
    return registry.module_dict if registry is not None else {}


def _names(registry: Registry, scope: str) -> Iterator[str]:
    """All names of a registry, those of other toolboxes with their scope."""
    yield from registry.module_dict
    for child in registry.children.values():
        yield from (name if child.scope == scope else f"{child.scope}.{name}" for name in child.module_dict)
