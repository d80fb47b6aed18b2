"""One table of searchers by name; outsiders add to it without touching our files."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol

from autommlab.common.errors import SearcherError, tell_renamed, unknown
from searchers import options as _options
from searchers.context import StudyContext, StudySettings
from searchers.options import SearcherOption
from searchers.space import SearchSpace

if TYPE_CHECKING:
    from ray.tune.search import Searcher

    from serve.client import ServiceClient

#: Packages declare `name = "module:factory"` under this group.
ENTRY_POINT_GROUP = "autommlab.searchers"

#: "tpe+default" is "tpe" that tries the default configuration first.
DEFAULT_SUFFIX = "+default"


class Factory(Protocol):
    """Makes one searcher; keyword arguments beyond these are its options, but for two.

    One called `context` gets the study's `StudyContext`, one called `service` the address of the
    LLM service or a client of it, if the caller has them. Its docstring's first line explains the searcher.
    """

    def __call__(self, space: SearchSpace, study: StudySettings, /) -> Searcher:
        """A searcher that has proposed nothing yet."""
        ...


#: Name -> where it comes from, and one line of explanation.
_BUILT_IN = {
    "default": ("searchers.random_search:DefaultSearch", "the model's default configuration, then random search"),
    "random": ("searchers.random_search:RandomSearch", "independent random draws"),
    "tpe": ("searchers.optuna_search:tpe", "Optuna's tree-structured Parzen estimator; 10 random trials first"),
    "tpe-few": ("searchers.optuna_search:tpe_few", "the same after 3 random trials, for small budgets"),
    "gp": ("searchers.optuna_search:gp", "Optuna's Gaussian process; 10 random trials first"),
    "cmaes": ("searchers.optuna_search:cmaes", "Optuna's CMA-ES on the numbers; choices are drawn at random"),
    "zero-shot": ("searchers.transfer.zero_shot:zero_shot", "what did best in the most similar earlier studies"),
    "surrogate": ("searchers.transfer.surrogate_search:surrogate", "what a model of earlier studies expects most of"),
    "surrogate-grid": (
        "searchers.transfer.surrogate_search:surrogate_grid",
        "the same around the default and the best so far",
    ),
    "hpo-llama": ("searchers.llm.hpo_llama:hpo_llama", "a fine-tuned language model proposes every trial"),
    "llm+grid": (
        "searchers.llm.llm_grid:llm_grid",
        "the LLM's candidates beside those of surrogate-grid, from the second trial on",
    ),
    "llm+tpe": ("searchers.ensembles.hybrid:llm_tpe", "the LLM proposes 10 trials, then every fourth; TPE the others"),
    "llm+gp": ("searchers.ensembles.hybrid:llm_gp", "the same with a Gaussian process in TPE's place"),
    "bandit": ("searchers.ensembles.bandit:bandit", "LLM, zero-shot, TPE, random: who improves most goes on most"),
    "fixed-portfolio": (
        "searchers.transfer.fixed_portfolio:fixed_portfolio",
        "what did best over all earlier studies of the task",
    ),
    "tpe-warm": (
        "searchers.warm_tpe:warm_tpe",
        "TPE after the 3 configurations that surrogate-grid ranks first",
    ),
    "sobol": ("searchers.random_search:SobolSearch", "quasi-random draws, more even than random ones"),
}
#: What a searcher or an option was called before; both work until the next release.
_ALIASES = {"portfolio": "bandit", "prior": "zero-shot", "forest": "surrogate"}
_OPTION_ALIASES = {"experience": "trial_history"}
#: Those that `create` refuses without an LLM service; "bandit" uses one if there is one.
_NEED_SERVICE = {"hpo-llama", "llm+grid", "llm+tpe", "llm+gp"}
#: What remains of those that mix the LLM's proposals with others, without it.
_WITHOUT_SERVICE = {"llm+grid": "surrogate-grid"}
_registered: dict[str, Factory] = {}


def register(name: str, factory: Factory) -> None:
    """Make `factory` known as `name` in this process.

    Raises:
        SearcherError: the name is taken or ends in "+default".
    """
    if name.endswith(DEFAULT_SUFFIX):
        raise SearcherError(f"{name!r} cannot be registered: {DEFAULT_SUFFIX!r} is added to every name by itself")
    if name in _sources() or name in _ALIASES:
        raise SearcherError(f"searcher {name!r} is already there ({_sources()[today(name)]}); choose another name")
    _registered[name] = factory


def names() -> tuple[str, ...]:
    """Every name that `create` takes: each searcher, then each again with its "+default" variant."""
    plain = tuple(_sources())
    return plain + tuple(name + DEFAULT_SUFFIX for name in plain if name != "default")


def summaries() -> dict[str, str]:
    """One line of explanation for each searcher; their "+default" variants are not listed."""
    found = {name: summary for name, (_, summary) in _BUILT_IN.items()}
    for name, source in _sources().items():
        found.setdefault(name, (inspect.getdoc(_factory(name)) or f"from {source}").partition("\n")[0])
    return found


def today(name: str) -> str:
    """`name`, or what the searcher that was called so is called now; an old name gives one notice."""
    base = name.removesuffix(DEFAULT_SUFFIX)
    if base not in _ALIASES:
        return name
    tell_renamed("searcher", base, _ALIASES[base])
    return _ALIASES[base] + name.removeprefix(base)


def needs_first_configs(name: str) -> bool:
    """Whether `create` refuses `name` without `first_configs`."""
    return name == "default" or name.endswith(DEFAULT_SUFFIX)


def needs_service(name: str) -> bool:
    """Whether `create` refuses `name` without an LLM service; an outsider's factory says so by an attribute."""
    base = today(name).removesuffix(DEFAULT_SUFFIX)
    return base in _NEED_SERVICE or bool(getattr(_registered.get(base), "needs_service", False))


def without_service(name: str) -> str | None:
    """The searcher that does what `name` does but ask an LLM service; None if nothing would be left."""
    base, with_default = today(name).removesuffix(DEFAULT_SUFFIX), today(name).endswith(DEFAULT_SUFFIX)
    other = _WITHOUT_SERVICE.get(base)
    return other + DEFAULT_SUFFIX * with_default if other else None


def takes_context(name: str) -> bool:
    """Whether the searcher makes use of a `StudyContext`.

    Raises:
        SearcherError: unknown name.
    """
    return _takes(_factory(_known(name).removesuffix(DEFAULT_SUFFIX)), "context")


def takes_service(name: str) -> bool:
    """Whether the searcher makes use of an LLM service, needed or not.

    Raises:
        SearcherError: unknown name.
    """
    return _takes(_factory(_known(name).removesuffix(DEFAULT_SUFFIX)), "service")


def options_of(name: str) -> dict[str, SearcherOption] | None:
    """Option -> what it is, of the searcher called `name`; None if it takes any and does not say which.

    Raises:
        SearcherError: unknown name.
    """
    return _options.options_of(_factory(_known(name).removesuffix(DEFAULT_SUFFIX)))


def read_options(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """What `create` takes as options, from NAME=VALUE texts of a command line, checked.

    Raises:
        SearcherError: unknown name or option, or a value that is not allowed.
    """
    base = _known(name).removesuffix(DEFAULT_SUFFIX)
    return _options.from_texts(base, _factory(base), texts)


def own_options(name: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Those of the NAME=VALUE texts, meant for several searchers, of which the one called `name` has the option.

    Raises:
        SearcherError: unknown name, or a text that is no NAME=VALUE.
    """
    known = options_of(name)
    return tuple(text for text in texts if known is None or _options.read_text(text)[0] in known)


def require_options(names: Sequence[str], texts: Sequence[str]) -> None:
    """Refuse NAME=VALUE texts, meant for all these searchers, that none of them can do with.

    Raises:
        SearcherError: an option that none has, or a value that is not allowed.
    """
    taken = {text for name in names for text in own_options(name, texts)}
    for name in names:
        read_options(name, own_options(name, texts))
    for text in texts:
        if text not in taken:
            known = sorted({option for name in names for option in options_of(name) or ()})
            raise SearcherError(unknown(f"option of {', '.join(names)}", _options.read_text(text)[0], known))


def create(  # noqa: PLR0913 - all that can be told of a study
    name: str,
    space: SearchSpace | Mapping[str, Any] | None = None,
    *,
    metric: str | None = None,
    mode: str | None = None,
    seed: int = 0,
    first_configs: Sequence[Mapping[str, Any]] = (),
    context: StudyContext | None = None,
    service: str | ServiceClient | None = None,
    worst_score: float | None = None,
    **options: Any,
) -> Searcher:
    """The searcher called `name`, ready for `tune.TuneConfig(search_alg=...)`.

    Args:
        name: one of `names()`.
        space: what may be proposed: a `SearchSpace`, a dict of Ray Tune's domains (nested, with constants; then
            configurations are nested like it), or None, and Ray Tune hands over its `param_space`.
        metric: key of the objective in a result; None lets Ray Tune give it later.
        mode: "max" or "min"; None = "max" with a `SearchSpace`, else what Ray Tune gives later.
        seed: whole number from which all randomness comes.
        first_configs: proposed before anything else, whatever the name; the names for which
            `needs_first_configs` holds cannot do without.
        context: what the study is about, handed to those that take it.
        service: LLM service, handed to those that take it; None = what AUTOMMLAB_LLM_URL names.
        worst_score: what a failed trial counts as; None = worse than every score of the study.
        options: the searcher's own, e.g. `startup_trials` of "tpe"; see `options_of`.

    Raises:
        SearcherError: unknown name or option, a space that cannot be searched, missing or illegal first configurations.
    """
    name = _known(name)
    if needs_first_configs(name) and not first_configs:
        raise SearcherError(f"the searcher {name!r} needs first_configs: the default configuration of the study")
    for old in _OPTION_ALIASES.keys() & options.keys():
        tell_renamed("option", old, _OPTION_ALIASES[old])
        options[_OPTION_ALIASES[old]] = options.pop(old)
    base = name.removesuffix(DEFAULT_SUFFIX)
    _options.require_options(base, _factory(base), options)
    make = partial(_made, base, service, options)
    study = StudySettings(metric=metric, mode=mode or "max", seed=seed, worst_score=worst_score)
    if isinstance(space, SearchSpace):
        return make(space, replace(study, first_configs=[dict(config) for config in first_configs]), context)
    from searchers.converted_search import ConvertedSearch

    if base in _NEED_SERVICE:  # the searcher is made later, and would say so then
        from searchers.llm.hpo_llama import service_client

        service_client(base, service, timeout_s=1.0)
    return ConvertedSearch(
        base, make, space, study, mode_is_open=mode is None, first_configs=first_configs, context=context
    )


def _made(
    base: str,
    service: str | ServiceClient | None,
    options: Mapping[str, Any],
    space: SearchSpace,
    study: StudySettings,
    context: StudyContext | None,
) -> Searcher:
    factory, own = _factory(base), dict(options)
    for extra, value in (("context", context), ("service", service)):
        if value is not None and _takes(factory, extra):
            own[extra] = value
    return _checked(base, factory(space, study, **own))


def _known(name: str) -> str:
    name = today(name)
    if name not in names():
        raise SearcherError(unknown("searcher", name, names()))
    return name


def _takes(factory: Factory, parameter: str) -> bool:
    return parameter in inspect.signature(factory).parameters


def _sources() -> dict[str, str]:
    """Name -> where it comes from; ours first, nothing imported."""
    sources = {name: source for name, (source, _) in _BUILT_IN.items()}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        sources.setdefault(point.name, point.value)
    for name, factory in _registered.items():
        sources.setdefault(name, getattr(factory, "__module__", repr(factory)))
    return sources


def _factory(name: str) -> Factory:
    if name in _registered:
        return _registered[name]
    point = EntryPoint(name, _sources()[name], ENTRY_POINT_GROUP)
    try:
        factory: Factory = point.load()
    except (ImportError, AttributeError) as error:
        raise SearcherError(f"searcher {name!r} ({point.value}) cannot be imported: {error}") from error
    return factory


def _checked(name: str, searcher: Any) -> Searcher:
    from ray.tune.search import Searcher

    if not isinstance(searcher, Searcher):
        raise SearcherError(
            f"the factory of {name!r} returned {type(searcher).__name__}, not a ray.tune.search.Searcher; "
            "derive it from searchers.base.BaseSearcher"
        )
    return searcher
