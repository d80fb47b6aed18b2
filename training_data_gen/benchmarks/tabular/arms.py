"""What is compared on the tables."""

from __future__ import annotations

from collections.abc import Sequence

from autommlab.common.errors import RequestError, unknown
from searchers import names, options_of, today
from training_data_gen.benchmarks.registered.arms import ARMS as REGISTERED
from training_data_gen.benchmarks.registered.arms import Arm

#: Those that learn from trials on other datasets, then those that do not. No LLM: 30 seeds of 50 trials on 12 datasets
#: are 18,000 proposals.
_CHOSEN = (
    "surrogate-grid", "zero-shot", "fixed-portfolio", "tpe-warm", "surrogate",
    "random", "tpe", "default+tpe", "default+gp", "default+cmaes",
)  # fmt: skip
_HISTORY = "trial_history"


def chosen_arms(wanted: Sequence[str]) -> tuple[Arm, ...]:
    """Arms by their names in the registered comparison, others by their names as searchers; () = those without an LLM.

    Raises:
        RequestError: no such arm and no such searcher.
    """
    registered = {arm.name: arm for arm in REGISTERED}
    found = []
    for name in wanted or _CHOSEN:
        if name not in registered and today(name) not in names():
            raise RequestError(unknown("arm or searcher", name, [*registered, *names()]))
        arm = registered.get(name) or Arm(today(name), today(name))
        found.append(arm._replace(options=dict(arm.options)))  # goes to other processes, which no read-only view does
    return tuple(found)


def learns_from_history(arm: Arm) -> bool:
    """Whether the arm takes a history of other datasets' trials."""
    return _HISTORY in (options_of(arm.searcher) or {})
