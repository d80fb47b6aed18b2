"""The zero-shot zero-shot: which past configurations it takes over, from a file or from those that come with the
package.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from autommlab.tasks import Task
from searchers import SearcherError, StudyContext, create
from searchers.context import Fact, context_distance
from searchers.space import ChoiceParameter, Configuration, FloatParameter, IntParameter, SearchSpace
from searchers.testing import METRIC, SPACE, propose
from searchers.transfer.trial_history import SHIPPED, PastTrial, load_history
from searchers.transfer.zero_shot import zero_shot_configs
from tests.helpers.llm_making import CONTEXT, past_trial, write_history

GOOD: Configuration = {"iterations": 60, "batch_size": 8, "optimizer": "AdamW", "lr": 0.001, "weight_decay": 1e-4}
OTHER: Configuration = {**GOOD, "lr": 0.03, "optimizer": "SGD"}


def past_trials(*lines: dict[str, Any]) -> list[PastTrial]:
    return [PastTrial.model_validate(line) for line in lines]


def test_the_best_of_the_nearest_study_comes_first() -> None:
    past = past_trials(
        past_trial(OTHER, 0.9, dataset="cells", classes=400), past_trial(GOOD, 0.1, dataset="cells", classes=400),
        past_trial(GOOD, 0.7), past_trial(OTHER, 0.3),
    )  # fmt: skip
    assert zero_shot_configs(SPACE, CONTEXT, past)[0] == GOOD
    far = StudyContext(facts={**CONTEXT.facts, "dataset": "cells", "classes": 390})
    assert zero_shot_configs(SPACE, far, past)[0] == OTHER


def test_a_bandit_covers_studies_that_disagree() -> None:
    near = {**GOOD, "lr": 0.0011}
    past = past_trials(
        past_trial(GOOD, 0.9, dataset="a"), past_trial(near, 0.89, dataset="a"), past_trial(OTHER, 0.2, dataset="a"),
        past_trial(GOOD, 0.2, dataset="b"), past_trial(OTHER, 0.9, dataset="b"),
    )  # fmt: skip
    assert zero_shot_configs(SPACE, CONTEXT, past)[:2] in ([GOOD, OTHER], [OTHER, GOOD])


def test_failures_are_the_worst_and_lower_may_be_better() -> None:
    past = past_trials(past_trial(GOOD, 0.0, status="diverged"), past_trial(OTHER, 0.5))
    assert zero_shot_configs(SPACE, CONTEXT, past) == [OTHER]
    losses = past_trials(*({**past_trial(p, s), "mode": "min"} for p, s in ((GOOD, 0.1), (OTHER, 2.0))))
    assert zero_shot_configs(SPACE, CONTEXT, losses, mode="min") == [GOOD]
    assert zero_shot_configs(SPACE, CONTEXT, losses, mode="max") == []


def test_values_go_over_by_their_place_where_the_bounds_differ() -> None:
    small = SearchSpace(
        parameters=(
            IntParameter(name="iterations", low=2000, high=7000),
            FloatParameter(name="lr", low=1e-5, high=0.1, log=True),
            ChoiceParameter(name="optimizer", choices=("AdamW", "Lion")),
        )
    )
    (config,) = zero_shot_configs(small, CONTEXT, past_trials(past_trial({**GOOD, "iterations": 45}, 0.9)))
    assert config == {"iterations": 3250, "lr": 0.001, "optimizer": "AdamW"}
    assert zero_shot_configs(small, CONTEXT, past_trials(past_trial(OTHER, 0.9))) == [], "SGD is not there"


def test_after_its_configs_it_draws_at_random(tmp_path: Path) -> None:
    file = tmp_path / "past.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(json.dumps(past_trial(p, 0.5)) for p in (GOOD, OTHER)).encode()))
    searcher: Any = create("zero-shot", SPACE, metric=METRIC, seed=0, context=CONTEXT, trial_history=str(file))
    configs = [propose(searcher, f"t{number}") for number in range(4)]
    assert configs[:2] == [GOOD, OTHER]
    assert [searcher.proposed_by(f"t{n}") for n in range(4)] == [
        "zero-shot",
        "zero-shot",
        "zero-shot:random",
        "zero-shot:random",
    ]


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_TRIAL_HISTORY", str(write_history(tmp_path / "p.jsonl", [past_trial(GOOD, 0.5)])))
    assert propose(create("zero-shot", SPACE, metric=METRIC, seed=0), "a") == GOOD
    monkeypatch.setenv("AUTOMMLAB_EXPERIENCE", os.environ["AUTOMMLAB_TRIAL_HISTORY"])
    monkeypatch.delenv("AUTOMMLAB_TRIAL_HISTORY")
    assert propose(create("zero-shot", SPACE, metric=METRIC, seed=0), "a") == GOOD
    monkeypatch.delenv("AUTOMMLAB_EXPERIENCE")
    shipped: Any = create("zero-shot", SPACE, metric=METRIC, seed=0, context=CONTEXT)
    assert propose(shipped, "a") != GOOD
    assert shipped.proposed_by("a") == "zero-shot"


def test_the_shipped_history_is_that_of_all_tasks_and_scores_are_fractions() -> None:
    trials = load_history(SHIPPED)
    assert {trial.context["task"] for trial in trials} == set(Task)
    assert len(trials) > 1000
    assert all(0 <= trial.real_score <= 1 for trial in trials if trial.real_score is not None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty\. A trial history has one JSON object per finished trial"),
        (b'{"context": {}}\n', r"line 1: parameters is missing; config is missing"),
        (b"\n{nonsense\n", r"line 2: key must be a string"),
        (b"\xff\xfe", r"line 1: expected value"),
    ],
)
def test_unusable_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "past.jsonl").write_bytes(content)
    with pytest.raises(SearcherError, match=message):
        load_history(tmp_path / "past.jsonl")
    with pytest.raises(SearcherError, match=r"gone\.gz cannot be read"):
        load_history(tmp_path / "gone.gz")


def test_contexts_differ_by_names_and_by_ratios() -> None:
    facts: dict[str, Fact] = {"task": "detection", "images": 100}
    assert context_distance(facts, facts) == 0
    assert context_distance({}, {}) == 0
    assert context_distance(facts, {"task": "detection", "images": 1000}) == pytest.approx(1 / 6)
    assert context_distance(facts, {"task": "pose", "images": 10**6}) == 1
    assert context_distance(facts, {"task": "detection"}) == 0.5
    assert context_distance({"n": 0}, {"n": 5}) == 1


def test_a_context_is_checked() -> None:
    with pytest.raises(ValueError, match=r"lr must be finite, got nan"):
        StudyContext(facts={"lr": float("nan")})
    with pytest.raises(ValueError, match=r"a fact needs a name"):
        StudyContext(facts={" ": 1})
