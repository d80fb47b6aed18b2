"""Search spaces of others as a `SearchSpace`, and configurations on their way there and back.

Ray Tune's domains are converted here, Optuna's distributions in `searchers.optuna_sampler`. Searchers see numbers and
names: each value of a choice gets a name, a nested parameter the path to it ("optimizer/lr", as Ray flattens it), and
constants stay out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from autommlab.common.errors import SearcherError, invalid, shown_value
from searchers.space import ChoiceParameter, Configuration, FloatParameter, IntParameter, Parameter, SearchSpace

_WHAT_A_SPACE_IS = (
    'give a dict of Ray Tune\'s domains, e.g. {"lr": tune.loguniform(1e-5, 0.1), "batch": tune.choice([16, 32])}, '
    "perhaps nested and with constants"
)


@dataclass(frozen=True)
class ConvertedSpace:
    """A space of somebody else in the terms of searchers.

    Attributes:
        space: what a searcher sees.
        paths: name of a parameter -> keys that lead to it in the other's configuration.
        values: name of a choice -> the other's values, in the order of their names in `space`.
        constants: path -> value that every configuration has.
    """

    space: SearchSpace
    paths: Mapping[str, tuple[Any, ...]]
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    constants: Mapping[tuple[Any, ...], Any] = field(default_factory=dict)

    def restored(self, config: Configuration, *, constants: bool = True) -> dict[str, Any]:
        """The other's configuration that a searcher's stands for, nested as theirs is.

        Args:
            config: inside `space`.
            constants: with them.
        """
        found: dict[str, Any] = {}
        for path, value in self.constants.items() if constants else ():
            _put(found, path, value)
        for parameter in self.space.parameters:
            value = config[parameter.name]
            if isinstance(parameter, ChoiceParameter):
                value = self.values[parameter.name][parameter.choices.index(str(value))]
            _put(found, self.paths[parameter.name], value)
        return found

    def converted(self, given: Mapping[str, Any]) -> Configuration:
        """A configuration of the other's as a searcher sees it; keys may be nested or paths, constants may be there.

        Raises:
            SearcherError: it leaves the space, lacks a parameter, or has another one.
        """
        config: Configuration = {}
        constants = {_name(path) for path in self.constants}
        for name, value in _flat(given, (), {*self.paths, *constants}):
            if name not in constants:
                config[name] = self._seen(name, value)
        config = {name: config[name] for name in [*self.paths, *config] if name in config}
        if problems := self.space.violations(config):
            raise SearcherError(f"the configuration {given} does not fit the search space: {'; '.join(problems)}")
        return config

    def _seen(self, name: str, value: Any) -> Any:
        if name not in self.values:
            by_name = {parameter.name: parameter for parameter in self.space.parameters}
            # 1 is a float to whoever writes it.
            return float(value) if type(value) is int and isinstance(by_name.get(name), FloatParameter) else value
        own = self.values[name]
        same = [n for n, known in enumerate(own) if type(known) is type(value) and known == value]
        alike = same or [n for n, known in enumerate(own) if known == value]
        if not alike:
            raise SearcherError(f"{name} = {shown_value(value)} is none of {', '.join(map(repr, own))}")
        choices = next(p for p in self.space.parameters if p.name == name)
        return choices.choices[alike[0]] if isinstance(choices, ChoiceParameter) else value


def named_choice(name: str, values: Sequence[Any]) -> tuple[ChoiceParameter, tuple[Any, ...]]:
    """A choice among any plain values, and these without repetitions.

    Raises:
        SearcherError: there is none, or one that has no lasting name, e.g. an object or a function.
    """
    if not values:
        raise SearcherError(f"{name}: a choice needs at least one value")
    for value in values:
        if not _is_plain(value):
            raise SearcherError(
                f"{name}: a choice of {type(value).__name__} cannot be named in records and prompts; choose among "
                "names or numbers, and look the object up in the trainable"
            )
    kept: list[Any] = []
    for value in values:
        if not any(type(value) is type(other) and value == other for other in kept):
            kept.append(value)
    names = [str(value) for value in kept]
    if len(set(names)) < len(names):  # 1 beside "1"
        names = [repr(value) for value in kept]
    return ChoiceParameter(name=name, choices=tuple(names)), tuple(kept)


def from_tune(given: Mapping[str, Any]) -> ConvertedSpace:
    """A dict of Ray Tune's domains and constants.

    Raises:
        SearcherError: it holds no domain, or one that no searcher here can search: a grid, a conditional part, a
            distribution without bounds.
    """
    if not isinstance(given, Mapping):
        raise SearcherError(f"a search space is no {type(given).__name__}; {_WHAT_A_SPACE_IS}")
    parameters: dict[str, Parameter] = {}
    paths: dict[str, tuple[Any, ...]] = {}
    values: dict[str, tuple[Any, ...]] = {}
    constants: dict[tuple[Any, ...], Any] = {}
    for path, value in _leaves(given, ()):
        name = _name(path)
        if not _is_domain(value):
            _require_constant(name, value)
            constants[path] = value
            continue
        if name in parameters:
            raise SearcherError(f"two parameters are called {name!r} once they are flattened; rename one")
        paths[name] = path
        parameters[name], own = _parameter(name, value)
        if own:
            values[name] = own
    if not parameters:
        raise SearcherError(f"the search space {shown_value(dict(given))} has nothing to search; {_WHAT_A_SPACE_IS}")
    return ConvertedSpace(SearchSpace(parameters=tuple(parameters.values())), paths, values, constants)


def _leaves(given: Mapping[Any, Any], path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for key, value in given.items():
        own = (*path, key)
        if isinstance(value, Mapping) and set(value) in ({"grid_search"}, {"eval"}):
            raise SearcherError(
                f"{_name(own)}: tune.grid_search tries every value and needs no searcher. Give tune.choice([...]), or "
                "leave the searcher out (Ray Tune's own default runs grids)"
                if "grid_search" in value
                else f"{_name(own)}: expressions are not evaluated; give one of Ray Tune's domains"
            )
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, own)
        else:
            yield own, value


def _is_domain(value: Any) -> bool:
    from ray.tune.search.sample import Domain

    return isinstance(value, Domain)


def _require_constant(name: str, value: Any) -> None:
    if isinstance(value, list | tuple | set | Mapping):
        for inner in value.values() if isinstance(value, Mapping) else value:
            if _is_domain(inner):
                raise SearcherError(
                    f"{name}: a domain inside a {type(value).__name__} has no name; give it a key of its own"
                )
            _require_constant(name, inner)


def _parameter(name: str, domain: Any) -> tuple[Parameter, tuple[Any, ...]]:
    """The parameter of one of Ray Tune's domains, and the values of a choice."""
    from ray.tune.search import sample

    if isinstance(domain, sample.Function):
        raise SearcherError(
            f"{name}: tune.sample_from makes a part of the space depend on others, which no searcher here can search. "
            "Give it a domain of its own, and compute what depends on others in the trainable"
        )
    if isinstance(domain, sample.Categorical):
        for value in domain.categories:
            _require_unconditional(name, value)
        return named_choice(name, list(domain.categories))
    sampler, step = domain.get_sampler(), None
    if isinstance(sampler, sample.Quantized):
        sampler, step = sampler.get_sampler(), sampler.q
    if not isinstance(domain, sample.Float | sample.Integer) or not isinstance(
        sampler, sample.Uniform | sample.LogUniform
    ):
        raise SearcherError(
            f"{name}: {type(domain).__name__} with {type(sampler).__name__} has no bounds to search within; give "
            "tune.uniform, tune.loguniform or another domain with a lower and an upper bound"
        )
    whole = isinstance(domain, sample.Integer)
    last = 1 if whole and step is None else 0  # Ray excludes the upper bound of whole numbers without a step
    return bounded(
        name, domain.lower, domain.upper - last, whole=whole, log=isinstance(sampler, sample.LogUniform), step=step
    ), ()


def bounded(name: str, low: float, high: float, *, whole: bool, log: bool, step: float | None) -> Parameter:
    """A parameter with bounds, of which `high` is moved down onto the grid of `step` (above 0; None = no grid).

    Raises:
        SearcherError: the bounds are the wrong way round, not finite, or below 0 on a logarithmic scale.
    """
    if step is not None and step > 0 and (high - low) / step < 1e9:
        high = low + int((high - low) / step + 1e-6) * step if high >= low else high
    try:
        if whole:
            own = None if step is None or step == 1 else int(step)
            return IntParameter(name=name, low=int(low), high=int(high), log=log, step=own)
        return FloatParameter(name=name, low=float(low), high=float(high), log=log, step=step)
    except ValidationError as error:
        raise SearcherError(f"{name}: {invalid(error)}") from error
    except OverflowError as error:
        raise SearcherError(f"{name}: bounds must be finite, got {low} and {high}") from error


def _require_unconditional(name: str, value: Any) -> None:
    if _is_domain(value) or (isinstance(value, Mapping) and set(value) == {"grid_search"}):
        raise SearcherError(
            f"{name}: a choice of which a value is a domain makes the space conditional, which no searcher here can "
            "search. Give the inner parameter a key of its own, and ignore it in the trainable where it does not apply"
        )
    if isinstance(value, list | tuple | Mapping):
        for inner in value.values() if isinstance(value, Mapping) else value:
            _require_unconditional(name, inner)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    # NumPy's numbers are none of these, but have a name as lasting.
    return value is None or isinstance(value, bool | int | float | str) or type(value).__module__ == "numpy"


def _name(path: Sequence[Any]) -> str:
    return "/".join(map(str, path))


def _flat(given: Mapping[Any, Any], path: tuple[Any, ...], known: set[str]) -> Iterator[tuple[str, Any]]:
    """Names and values; a dict that is itself the value of a known parameter stays whole."""
    for key, value in given.items():
        name = _name((*path, key))
        if isinstance(value, Mapping) and name not in known:
            yield from _flat(value, (*path, key), known)
        else:
            yield name, value


def _put(found: dict[Any, Any], path: Sequence[Any], value: Any) -> None:
    for key in path[:-1]:
        found = found.setdefault(key, {})
    found[path[-1]] = value
