"""What is compared: searchers under the names that the results give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from autommlab.common.errors import RequestError, unknown
from searchers import takes_service
from serve.settings import EMBEDDED_MODEL

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class Arm(NamedTuple):
    """One searcher of the comparison.

    Attributes:
        name: in the results.
        searcher: as `searchers.create` takes it.
        options: of the searcher.
        is_core: the registered questions are about it; the others are run after all core arms of a seed.
        trials: most of a study; None = as many as there are.
    """

    name: str
    searcher: str
    options: Mapping[str, Any] = NO_OPTIONS
    is_core: bool = True
    trials: int | None = None

    @property
    def asks_llm(self) -> bool:
        """Whether its proposals may come from the LLM service."""
        return takes_service(self.searcher)


DEFAULT = "default"
#: Those of the questions, in the order of work: what shares its first trials with others comes first.
ARMS: tuple[Arm, ...] = (
    Arm(DEFAULT, "default", trials=1),
    Arm("surrogate-grid", "surrogate-grid"),
    Arm("llm+grid", "llm+grid"),
    Arm("hpo-llama", "hpo-llama"),
    Arm("default+tpe", "tpe+default", {"startup_trials": 1}),
    Arm("default+gp", "gp+default", {"startup_trials": 1}),
    Arm("default+cmaes", "cmaes+default"),
    Arm("tpe-warm", "tpe-warm", is_core=False),
    Arm("fixed-portfolio", "fixed-portfolio", is_core=False),
    Arm("zero-shot", "zero-shot", is_core=False),
    Arm("default+tpe-few", "tpe-few+default", is_core=False),
    Arm("hpo-llama-untuned", "hpo-llama", {"adapter": EMBEDDED_MODEL}, is_core=False),
    Arm("random", "random", is_core=False),
)
#: The arms of Optuna that start from the default configuration, of which the best one is asked about.
FROM_DEFAULT = ("default+tpe", "default+gp", "default+cmaes")


def chosen_arms(text: str) -> tuple[Arm, ...]:
    """Arms by "core", "all", "no-llm" (all that ask no LLM) or their names with commas; in the order of `ARMS`.

    Raises:
        RequestError: no such arm.
    """
    if text == "all":
        return ARMS
    if text == "core":
        return tuple(arm for arm in ARMS if arm.is_core)
    if text == "no-llm":
        return tuple(arm for arm in ARMS if not arm.asks_llm)
    return _named([part.strip() for part in text.split(",") if part.strip()])


def _named(names: Sequence[str]) -> tuple[Arm, ...]:
    known = [arm.name for arm in ARMS]
    for name in names:
        if name not in known:
            raise RequestError(unknown("arm", name, [*known, "core", "all", "no-llm"]))
    return tuple(arm for arm in ARMS if arm.name in names)
