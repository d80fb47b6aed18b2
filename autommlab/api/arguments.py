"""What may be said of a run, by Python arguments or by the options of the command line, and how it is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from pydantic import ValidationError

from autommlab.acceleration import Acceleration
from autommlab.budget import read_budget
from autommlab.common.environment import home
from autommlab.common.errors import AutoMMLabError, RequestError, invalid, unknown
from autommlab.common.files import write_text
from autommlab.common.wording import names_with_commas
from autommlab.options import OPTION_OF_FIELD, RunOptions
from autommlab.trackers.targets import NONE, anchored, anchored_target
from autommlab.understanding.outcome import Understood
from autommlab.understanding.request import ModelRequest

#: A sentence; or what `understand` made of one, its request alone, or that as a dict: then no LLM is asked.
Request = str | Understood | ModelRequest | Mapping[str, Any]
#: By name; or "NAME=VALUE" each.
Pairs = Mapping[str, object] | Sequence[str]
#: One number, (low, high), or as on the command line: "20..80".
Range = int | tuple[int, int] | str
AnyPath = str | os.PathLike[str]


class ChangeArguments(TypedDict, total=False):
    """What a run that goes on may be given anew; None = as before.

    Each is the option of `autommlab run` of the same name, with `_` for `-`; `autommlab run --help` and docs/python.md
    tell what it means.
    """

    searcher: str | None
    searcher_options: Pairs | None
    scheduler: str | None
    trials: int | None
    time: float | None
    concurrent: int | None
    cpus_per_trial: float | None
    gpus_per_trial: float | None
    acceleration: str | Acceleration | None
    track: str | Sequence[str] | None
    optuna_storage: str | None
    quantize: str | None
    quantize_loss: float | None
    address: str | None
    priority: int | None
    strict: bool | None


class RunArguments(ChangeArguments, total=False):
    """What may be said of a new run beside its request; None = the default."""

    parse: AnyPath | None
    data: AnyPath | None
    task: str | None
    classes: str | Sequence[str] | None
    model: str | None
    weights: AnyPath | None
    cfg_options: Pairs | None
    engine: str | None
    device: str | None
    profile: str | None
    budget: AnyPath | None
    input_size: Range | None
    images: int | tuple[int | None, ...] | str | None
    iterations: Range | None
    batch: Range | None
    workers_per_trial: int | None
    refit: str | None
    seed: int | None
    out: AnyPath | None


#: Say where and how a run is done; they are no part of its record.
OF_CALL = ("address", "priority", "strict", "out")
_FIELD_OF_OPTION = {option: field for field, option in OPTION_OF_FIELD.items()}


class NamedOptions(NamedTuple):
    """What was named of `RunOptions`, by field, and what of it cannot be read."""

    values: dict[str, Any]
    problems: list[AutoMMLabError]


def named_options(request: Request, arguments: Mapping[str, Any]) -> NamedOptions:
    """The fields of `RunOptions` that a call names; what cannot be read is left out.

    Args:
        request: "" where a run goes on.
        arguments: as `RunArguments`.

    Raises:
        RequestError: an argument that does not exist.
    """
    values = _request(request)
    problems: list[AutoMMLabError] = []
    for name, value in arguments.items():
        if name not in RunArguments.__annotations__:
            raise RequestError(unknown("argument of a run", name, sorted(RunArguments.__annotations__)))
        if value is None or name in OF_CALL:
            continue
        try:
            values[_FIELD_OF_OPTION.get(name, name)] = _READERS[name](value) if name in _READERS else value
        except AutoMMLabError as error:
            problems.append(error)
    return NamedOptions(values, problems)


def options_of(values: Mapping[str, Any]) -> RunOptions:
    """The record of these values, by field.

    Raises:
        RequestError: one of another type than it takes.
    """
    try:
        return RunOptions.model_validate(dict(values))
    except ValidationError as error:
        raise RequestError(f"the arguments of a run: {invalid(error)}") from error


def _request(request: Request) -> dict[str, Any]:
    """Text and parse."""
    if isinstance(request, str):
        return {"text": request} if request else {}
    if isinstance(request, Understood):
        return {"text": request.text, "parse": _kept(request.request)}
    return {"parse": _kept(request if isinstance(request, ModelRequest) else ModelRequest.parse(dict(request)))}


def _kept(request: ModelRequest) -> Path:
    """A file of ours with the request, for a run knows its parse by its path."""
    text = request.model_dump_json(by_alias=True, indent=1)
    path = home() / "parses" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        write_text(path, text)
    return path


def _path(value: AnyPath) -> Path:
    return Path(value).expanduser().resolve()


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return names_with_commas(value) if isinstance(value, str) else tuple(value)


def _pairs(value: Pairs, spell: Callable[[object], str]) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        return tuple(f"{name}={spell(each)}" for name, each in value.items())
    return (value,) if isinstance(value, str) else tuple(value)


def _with_commas(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _acceleration(value: str | Acceleration) -> Acceleration:
    return Acceleration.parse(value) if isinstance(value, str) else value


def _trackers(value: str | Sequence[str]) -> tuple[str, ...]:
    named = (value,) if isinstance(value, str) else value
    return tuple(anchored_target(one) for one in named if one != NONE)


_READERS: dict[str, Callable[[Any], Any]] = {
    "parse": _path,
    "weights": _path,
    "data": os.fspath,
    "budget": lambda value: read_budget(_path(value)),
    "classes": _names,
    "cfg_options": lambda value: _pairs(value, str),
    "searcher_options": lambda value: _pairs(value, _with_commas),
    "acceleration": _acceleration,
    "track": _trackers,
    "optuna_storage": lambda value: anchored(value) if value not in ("", NONE) else "",
}
