"""Every searcher behind Ray Tune's `Searcher` interface, and one registry. Knows nothing of OpenMMLab.

`create("tpe", space, metric="score", seed=0)` gives an object for
`tune.TuneConfig(search_alg=...)`; `names()` lists what there is. The space is a `SearchSpace`, a dict of Ray Tune's
domains, or left to `tune.Tuner(param_space=...)`. `OptunaSampler("tpe")` is the same for an Optuna study.
Importing this package imports neither Ray nor Optuna. `searchers.tune.snapshots` makes a study survive kill -9.

With an LLM: `create("hpo-llama", ..., context=StudyContext(...), service=URL)`; `needs_service(name)`
tells who cannot do without. What came of it: `proposal_details(trial_id)` for a trial's record
and `usage()` for the study's, of every searcher here.

How a searcher joins, HPO-LLaMA included:

1. Derive from `searchers.tracking.TrackingSearcher` and write `_propose` (a configuration and
   who chose it) and, if it learns, `_learn`; add what decides the next proposals to
   `get_state` and `set_state`. The ledger (`attempts()`) is the history for a prompt.
   A fallback, e.g. a random configuration when a reply could not be parsed, names itself as
   the origin, so that it never counts as the model's. (Without the ledger: derive
   from `searchers.base.BaseSearcher`, whose docstring is the whole contract.)
2. Make it known: a line in `registry._BUILT_IN`, `register(name, factory)`, or the
   entry-point group "autommlab.searchers" of another package.
3. Bind the contract tests to it: a subclass of `searchers.testing.SearcherContract`
   with one fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autommlab.common.errors import SearcherError
from searchers.context import StudyContext, StudySettings
from searchers.options import SearcherOption
from searchers.registry import (
    create,
    names,
    needs_first_configs,
    needs_service,
    options_of,
    own_options,
    read_options,
    register,
    require_options,
    summaries,
    takes_context,
    takes_service,
    today,
    without_service,
)
from searchers.tune.schedulers import create_scheduler, scheduler_names

if TYPE_CHECKING:
    from searchers.optuna_sampler import OptunaSampler

__all__ = [
    "OptunaSampler",
    "SearcherError",
    "SearcherOption",
    "StudyContext",
    "StudySettings",
    "create",
    "create_scheduler",
    "names",
    "needs_first_configs",
    "needs_service",
    "options_of",
    "own_options",
    "read_options",
    "register",
    "require_options",
    "scheduler_names",
    "summaries",
    "takes_context",
    "takes_service",
    "today",
    "without_service",
]


def __getattr__(name: str) -> Any:
    """`OptunaSampler` is a class of Optuna's, which is imported when somebody asks for it."""
    if name == "OptunaSampler":
        from searchers.optuna_sampler import OptunaSampler

        return OptunaSampler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
