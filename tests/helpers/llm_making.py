"""Searchers with an LLM or with experience, made so that a second process can make them too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from searchers import StudyContext, create, needs_first_points
from searchers.space import Point, SearchSpace
from searchers.testing import METRIC, SPACE

CONTEXT = StudyContext(facts={"task": "classification", "dataset": "animals", "classes": 4, "model": "lite0"})
NAMES = ("hpo-llama", "llm+tpe", "llm+gp", "portfolio", "hpo-llama+default", "llm+tpe+default", "portfolio+default")


def make_llm(name: str, service: str, space: SearchSpace, seed: int, **options: Any) -> Any:
    first = {p.name: p.choices[0] if p.kind == "choice" else p.low for p in space.parameters}
    return create(
        name, space, metric=METRIC, seed=seed, context=CONTEXT, service=service,
        first_points=[first] if needs_first_points(name) else [], **options,
    )  # fmt: skip


def make_experienced(name: str, file: str, space: SearchSpace, seed: int, **options: Any) -> Any:
    first = {p.name: p.choices[0] if p.kind == "choice" else p.low for p in space.parameters}
    points = [first] if needs_first_points(name) else []
    return create(
        name, space, metric=METRIC, seed=seed, context=CONTEXT, first_points=points, experience=file, **options
    )


def past_trial(point: Point, score: float | None, status: str = "ok", **facts: Any) -> dict[str, Any]:
    """A line of an experience file."""
    parameters = SPACE.model_dump(mode="json")["parameters"]
    context = {**CONTEXT.facts, **facts}
    return {"context": context, "parameters": parameters, "point": point, "score": score, "status": status}


def write_experience(file: Path, lines: list[dict[str, Any]]) -> Path:
    file.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return file
