"""A study outside Ray Tune: a searcher asks, a black box answers, nothing of the budget is lost."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from autommlab.common.llm_usage import LlmUsage
from autommlab.common.trial_status import SCORE, WORST_SCORE
from autommlab.compare.records import StudySummary
from searchers import create, needs_first_configs, takes_service
from searchers.context import StudyContext
from searchers.space import Configuration, SearchSpace
from training_data_gen.benchmarks.surrogate_benchmark import BlackBox, Value

if TYPE_CHECKING:
    from serve.client import ServiceClient

#: Seconds for a call and for a proposal: a slow machine must not give the LLM's trials to a fallback.
_PATIENCE: dict[str, Any] = {"timeout_s": 600.0, "patience_s": 900.0}


class StudyProblem(NamedTuple):
    """What a study on a bag goes by.

    Attributes:
        default_configuration: the default configuration, for searchers that start from it.
        context: what the searcher is told about data and model.
    """

    space: SearchSpace
    context: StudyContext
    default_configuration: Configuration


def trial_values(searcher: Any, black_box: BlackBox, trials: int, at_once: int = 1) -> list[Value]:
    """What each trial was worth; results are told in the order of the proposals, `at_once` behind them.

    Args:
        searcher: as `searchers.create` makes it, for a metric "score".
        black_box: what a proposal is worth; called from several threads where `at_once` is above 1.
        trials: budget; a searcher that has nothing more to propose ends it.
        at_once: trials that run side by side.
    """
    running: deque[tuple[str, Future[Value]]] = deque()
    values: list[Value] = []
    asked = 0
    with ThreadPoolExecutor(at_once, thread_name_prefix="trial") as pool:
        while len(values) < trials:
            while asked < trials and len(running) < at_once:
                name = f"trial-{asked}"
                config = searcher.suggest(name)
                if not isinstance(config, dict):  # None: not now; "FINISHED": never again
                    break
                running.append((name, pool.submit(black_box, config)))
                asked += 1
            if not running:
                break
            name, future = running.popleft()
            value = future.result()
            searcher.on_trial_complete(name, report(value))
            values.append(value)
    return values


def report(value: Value) -> dict[str, Any]:
    """A trial's result as searchers take it."""
    if value.failure:
        return {SCORE: 0.0, "status": value.status, "reason": value.failure}
    return {SCORE: value.score}


def searcher_seed(seed: int, task: str) -> int:
    """Of the searcher's own draws: with one seed for all tasks, its luck would be the same on each of them."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{task}".encode()).digest()[:4])


def study_searcher(
    problem: StudyProblem, name: str, seed: int, *, service: ServiceClient | None, **options: Any
) -> Any:
    """The searcher of a study, which waits for the LLM as long as it takes.

    Args:
        problem: bounds, context and default configuration.
        name, seed: of the searcher.
        service: the LLM service, for searchers that ask one.
        options: the searcher's own.
    """
    return create(
        name,
        problem.space,
        metric=SCORE,
        seed=seed,
        first_configs=[problem.default_configuration] if needs_first_configs(name) else [],
        context=problem.context.model_copy(update={"default": problem.default_configuration}),
        service=service,
        worst_score=WORST_SCORE,
        **{**(_PATIENCE if takes_service(name) else {}), **options},
    )


def ask_tell_study(
    problem: StudyProblem,
    black_box: BlackBox,
    name: str,
    seed: int,
    *,
    trials: int,
    at_once: int,
    service: ServiceClient | None,
) -> StudySummary:
    """One study of a comparison; its `seconds` are those of the searcher and the black box, `test` is open.

    Args:
        problem: bounds, context and default configuration.
        black_box: what proposals are worth.
        name, seed: of the searcher.
        trials: budget.
        at_once: trials side by side.
        service: the LLM service, for searchers that ask one.
    """
    began = time.monotonic()
    searcher = study_searcher(problem, name, seed, service=service)
    values = trial_values(searcher, black_box, trials, at_once)
    usage = searcher.usage() if hasattr(searcher, "usage") else {}
    llm = LlmUsage.model_validate(usage.get("llm", {}))
    return StudySummary(
        searcher=name,
        seed=seed,
        scores=tuple(value.score for value in values),
        statuses=tuple(value.status for value in values),
        proposed_by=usage.get("by_origin", {}),
        test=None,
        seconds=time.monotonic() - began,
        llm_seconds=llm.seconds,
        llm_tokens=llm.prompt_tokens + llm.tokens,
        budget=trials,
    )
