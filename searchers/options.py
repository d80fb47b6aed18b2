"""The options of a searcher: their names, kinds and defaults, and values that a command line gives as text."""

from __future__ import annotations

import contextlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from autommlab.common.errors import SearcherError, invalid, unknown

Made = TypeVar("Made", bound=Callable[..., Any])
#: Parameters of a factory that are no options of its searcher, besides the first two: space and study.
_SHARED = frozenset({"context", "service"})
_ATTRIBUTE = "more_options"


@dataclass(frozen=True)
class SearcherOption:
    """One option.

    Attributes:
        name: as `create` takes it.
        kind: its annotation; Any if the factory gives none.
        default: None also stands for "left to the searcher".
    """

    name: str
    kind: Any
    default: Any

    def __str__(self) -> str:
        """As `autommlab searchers` shows it: "llm_first=10"."""
        default = self.default
        if isinstance(default, list | tuple):
            default = ",".join(map(str, default))
        return f"{self.name}={'' if default is None else default}"


def takes_options_of(model: type[BaseModel]) -> Callable[[Made], Made]:
    """Says of a factory which options its `**options` may hold: the fields of `model`."""

    def marked(factory: Made) -> Made:
        setattr(factory, _ATTRIBUTE, model)
        return factory

    return marked


def options_of(factory: Callable[..., Any]) -> dict[str, SearcherOption] | None:
    """Name -> option; None if the factory takes any and does not say which."""
    kinds, more = _kinds(factory), getattr(factory, _ATTRIBUTE, None)
    found: dict[str, SearcherOption] = {}
    for name, parameter in list(inspect.signature(factory).parameters.items())[2:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            if more is None:
                return None
            for field, info in more.model_fields.items():
                found[field] = SearcherOption(field, info.annotation, info.get_default())
        elif name not in _SHARED:
            default = None if parameter.default is inspect.Parameter.empty else parameter.default
            found[name] = SearcherOption(name, kinds.get(name, Any), default)
    return found


def _kinds(factory: Callable[..., Any]) -> dict[str, Any]:
    """Annotations by name, bounds included; none if they cannot be resolved."""
    described: Any = factory
    if inspect.isclass(factory):
        described = described.__init__
    elif not inspect.isfunction(factory):
        described = type(factory).__call__
    try:
        return typing.get_type_hints(described, include_extras=True)
    except (NameError, TypeError):
        return {}


def require_options(searcher: str, factory: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Refuse what the factory does not take; whether the values make sense, the factory says itself, but for models.

    Raises:
        SearcherError: an option that does not exist, or a value that is not allowed.
    """
    known = options_of(factory)
    if known is None:
        return
    for name in given:
        if name not in known:
            raise SearcherError(unknown(f"option of searcher {searcher!r}", name, sorted(known)))
    model: type[BaseModel] | None = getattr(factory, _ATTRIBUTE, None)
    if model is not None:
        validated(searcher, model, {name: value for name, value in given.items() if name in model.model_fields})


OptionModel = TypeVar("OptionModel", bound=BaseModel)


def validated(searcher: str, model: type[OptionModel], given: Mapping[str, Any]) -> OptionModel:
    """The options as a record.

    Raises:
        SearcherError: a value that is not allowed.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise SearcherError(f"options of searcher {searcher!r}: {invalid(error)}") from error


def read_text(text: str) -> tuple[str, str]:
    """NAME=VALUE as two.

    Raises:
        SearcherError: it is none.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SearcherError(f"{text[:80]!r} is no NAME=VALUE; give e.g. startup_trials=5")
    return name.strip(), value.strip()


def from_texts(searcher: str, factory: Callable[..., Any], texts: Sequence[str]) -> dict[str, Any]:
    """Options as `create` takes them from NAME=VALUE texts, checked; lists have commas between their parts.

    Raises:
        SearcherError: no such option, a value of another kind or that is not allowed, or one option twice.
    """
    known, found = options_of(factory), dict[str, Any]()
    for text in texts:
        name, value = read_text(text)
        if name in found:
            raise SearcherError(f"the option {name!r} of searcher {searcher!r} is given twice")
        kind = Any if known is None or name not in known else known[name].kind
        found[name] = _plain(value) if kind is Any else _value(searcher, name, kind, value)
    require_options(searcher, factory, found)
    return found


def _value(searcher: str, name: str, kind: Any, text: str) -> Any:
    adapter = TypeAdapter(kind)
    problem = ""
    for candidate in (text, [part.strip() for part in text.split(",") if part.strip()]):
        try:
            return adapter.validate_python(candidate)
        except ValidationError as error:
            problem = problem or invalid(error).partition(": ")[2]
    raise SearcherError(f"option {name}={text!r} of searcher {searcher!r}: {problem}")


def _plain(text: str) -> Any:
    """A whole number, a number, or the text."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
