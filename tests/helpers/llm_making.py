"""Searchers with an LLM or with trial history, made so that a second process can make them too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from searchers import StudyContext, create, needs_first_configs
from searchers.space import Configuration, SearchSpace
from searchers.testing import METRIC, SPACE

CONTEXT = StudyContext(facts={"task": "classification", "dataset": "animals", "classes": 4, "model": "lite0"})
NAMES = (
    "hpo-llama",
    "llm+tpe",
    "llm+gp",
    "llm+grid",
    "bandit",
    "hpo-llama+default",
    "llm+tpe+default",
    "bandit+default",
)


def make_llm(name: str, service: str, space: SearchSpace, seed: int, **options: Any) -> Any:
    first = {p.name: p.choices[0] if p.kind == "choice" else p.low for p in space.parameters}
    return create(
        name, space, metric=METRIC, seed=seed, context=CONTEXT.model_copy(update={"default": first}), service=service,
        first_configs=[first] if needs_first_configs(name) else [], **options,
    )  # fmt: skip


def make_with_history(name: str, file: str, space: SearchSpace, seed: int, **options: Any) -> Any:
    first = {p.name: p.choices[0] if p.kind == "choice" else p.low for p in space.parameters}
    configs = [first] if needs_first_configs(name) else []
    return create(
        name, space, metric=METRIC, seed=seed, context=CONTEXT.model_copy(update={"default": first}),
        first_configs=configs, trial_history=file, **options,
    )  # fmt: skip


def past_trial(config: Configuration, score: float | None, status: str = "ok", **facts: Any) -> dict[str, Any]:
    """A line of a trial history."""
    parameters = SPACE.model_dump(mode="json")["parameters"]
    context = {**CONTEXT.facts, **facts}
    return {"context": context, "parameters": parameters, "config": config, "score": score, "status": status}


def write_history(file: Path, lines: list[dict[str, Any]]) -> Path:
    file.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return file
