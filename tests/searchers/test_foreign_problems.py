"""The shipped trials are of vision models: a problem whose parameters are called alike is told that it gets none."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from searchers import StudyContext, create
from searchers.context import Fact
from searchers.space import FloatParameter, SearchSpace
from searchers.testing import METRIC, SPACE, propose
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.llm_making import write_history
from tests.helpers.past_trials import past_lines

ALIKE = SearchSpace(
    parameters=(
        FloatParameter(name="lr", low=1e-4, high=1.0, log=True),
        FloatParameter(name="weight_decay", low=1e-6, high=1e-1, log=True),
    )
)
VISION: dict[str, Fact] = {"task": "classification", "model": "ResNet-18", "weights": "pretrained", "classes": 4}
NAMES = ("surrogate", "surrogate-grid", "zero-shot")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("space", "facts", "reason"),
    [
        (ALIKE, {}, "no context"),
        (SPACE, {}, "no context"),
        (ALIKE, {"problem": "gradient boosting", "rows": 30000}, "1.00 away"),
        (SPACE, {"problem": "gradient boosting", "rows": 30000}, "1.00 away"),
        (ALIKE, VISION, "too few of their hyperparameters"),
    ],
)
def test_a_foreign_problem_gets_no_vision_prior_and_is_told(
    name: str, space: SearchSpace, facts: dict[str, Fact], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = StudyContext(facts=facts, default=space.sample(random.Random(0)))
    with caplog.at_level(logging.WARNING):
        searcher: Any = create(name, space, metric=METRIC, context=context)
    assert f"{name} uses no trials of earlier studies" in caplog.text
    assert "it draws at random" in caplog.text
    propose(searcher, "a")
    assert searcher.proposed_by("a") == f"{name}:random"
    assert reason in searcher.proposal_details("a")["past_trials"]
    assert searcher.usage()["past_trials"].startswith("not used: ")


@pytest.mark.parametrize("name", NAMES)
def test_a_vision_study_and_a_history_that_was_named_are_used_as_ever(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_history(tmp_path / "past.jsonl", past_lines())
    with caplog.at_level(logging.WARNING):
        default = SPACE.sample(random.Random(0))
        vision: Any = create(name, SPACE, metric=METRIC, context=StudyContext(facts=VISION, default=default))
        named: Any = create(name, SPACE, metric=METRIC, trial_history=str(file), context=StudyContext(default=default))
    for searcher in (vision, named):
        propose(searcher, "a")
        assert searcher.proposed_by("a") == name
        assert "past_trials" not in {**searcher.proposal_details("a"), **searcher.usage()}
    assert caplog.text == ""


def test_the_llms_candidates_are_then_tried_by_likelihood() -> None:
    with FaultServer() as server:
        searcher: Any = create("hpo-llama", ALIKE, metric=METRIC, service=server.url)
        propose(searcher, "a")
    details = searcher.proposal_details("a")
    assert (details["proposed_by"], details["expected"]) == ("hpo-llama", None)
    assert details["past_trials"] == "not used: the study has no context that says what it is about"


def test_searchers_work_alone() -> None:
    """Of this project only the ground below, and none of what a vision model or an LLM needs."""
    code = """
import sys
from ray import tune
import searchers
for name in ("random", "tpe", "surrogate"):
    searcher = searchers.create(name, {"x": tune.uniform(-5, 5)}, metric="loss", mode="min")
    for number in range(12):
        config = searcher.suggest(f"t{number}")
        searcher.on_trial_complete(f"t{number}", {"loss": config["x"] ** 2})
searchers.OptunaSampler("surrogate")
heavy = ("torch", "torchvision", "transformers", "vllm", "mmengine", "mmcv", "mmdet", "mmseg", "mmpose", "mmpretrain",
         "mmdeploy", "serve", "training_data_gen")
print("too much:", sorted(name for name in sys.modules if name.split(".")[0] in heavy
      or (name.startswith("autommlab.") and not (name + ".").startswith("autommlab.common."))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "too much: []"
