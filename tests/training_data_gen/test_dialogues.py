"""Dialogues about made-up trials: the answer is better than what the question tells, and obeys its bounds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autommlab.cli.main import app
from autommlab.common.errors import RequestError
from autommlab.common.keyed_lines import write_compressed
from autommlab.tasks import Task
from searchers.llm.answer_schema import format_answer
from searchers.space import SearchSpace
from tests.helpers.trial_making import made_up
from training_data_gen.adapters.examples import Example
from training_data_gen.adapters.hpo_dialogues import DialogueSettings, dialogue_examples
from training_data_gen.adapters.hpo_examples import hpo_data
from training_data_gen.adapters.tune_on_gpu import read_examples, settings_of, tune, write_examples
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.records import RecordedTrial

PLAN = plan_bags([Task.DETECTION, Task.KEYPOINT])
BAG = next(bag for bag in PLAN if not bag.held_out)
MANY = DialogueSettings(per_bag=120)


@pytest.fixture(scope="module")
def trials() -> list[RecordedTrial]:
    return made_up(BAG, 21)


def question(example: Example) -> str:
    return example.messages[-2]["content"]


def answer(example: Example) -> dict[str, object]:
    return json.loads(example.messages[-1]["content"])


def score_of_answer(example: Example, trials: list[RecordedTrial]) -> float:
    """The score of the trial that the answer names; narrowed bounds may move it by a step of the grid."""
    given = example.messages[-1]["content"]
    space = SearchSpace(parameters=trials[0].parameters)
    exact = [t.score for t in trials if format_answer(space, t.config) == given]
    return exact[0] if exact else float("nan")


def test_answers_beat_what_the_question_tells(trials: list[RecordedTrial]) -> None:
    examples = dialogue_examples(trials, DialogueSettings(per_bag=120, narrowed=0))
    assert len(examples) > 60
    best, told_any = max(t.score for t in trials), 0
    for example in examples:
        reached = score_of_answer(example, trials)
        told = re.search(r"Best score: ([\d.]+)", question(example))
        if told:
            told_any += 1
            assert reached > float(told[1])
        assert reached > best - 0.2
    assert told_any > 20


def test_answers_lie_within_the_bounds_that_the_question_gives(trials: list[RecordedTrial]) -> None:
    narrowed = 0
    for example in dialogue_examples(trials, DialogueSettings(per_bag=120, narrowed=1)):
        given = answer(example)
        for name in ("iterations", "batch_size", "lr", "weight_decay"):
            low, high = (float(n) for n in re.search(rf"\n{name}: (\S+) to ([^\s,]+)", question(example)).groups())  # type: ignore[union-attr]
            assert low <= float(str(given[name])) <= high
        for name in ("optimizer", "lr_schedule"):
            choices = re.search(rf"\n{name}: (.*)", question(example))[1].split(" | ")  # type: ignore[index]
            narrowed += len(choices) == 3
            assert given[name] in choices
    assert narrowed > 10


def test_failures_running_trials_and_nameless_questions_occur(trials: list[RecordedTrial]) -> None:
    asked = [question(example) for example in dialogue_examples(trials, MANY)]
    assert any("failed: " in text for text in asked)
    assert any("-> running" in text for text in asked)
    assert any("Nothing has been tried yet" in text for text in asked)
    assert 0 < sum("model: " not in text and "dataset: " not in text for text in asked) < len(asked)
    assert len(set(asked)) > 0.6 * len(asked)


def test_the_same_seed_gives_the_same_and_a_bag_without_differences_nothing(trials: list[RecordedTrial]) -> None:
    assert dialogue_examples(trials, MANY, seed=3) == dialogue_examples(trials, MANY, seed=3)
    assert dialogue_examples(trials, MANY, seed=3) != dialogue_examples(trials, MANY, seed=4)
    assert dialogue_examples([t.model_copy(update={"score": 0.5, "status": "ok"}) for t in trials]) == []
    failed = {"score": 0.0, "status": "diverged", "reason": "the loss is nan"}
    assert dialogue_examples([t.model_copy(update=failed) for t in trials]) == []


@pytest.fixture(scope="module")
def table() -> list[RecordedTrial]:
    return [trial for bag in PLAN[:16] for trial in made_up(bag, 12)]


def test_held_out_bags_and_left_out_sets_are_never_learnt_from(table: list[RecordedTrial]) -> None:
    held_out = {t.planned for t in table if t.held_out}
    people = {t.planned for t in table if t.bag.dataset == "drawn-people"}
    assert held_out and people
    data = hpo_data(table, per_bag=6, without=["drawn-people"])
    groups = [{example.group for example in side} for side in (data.train, data.held_out)]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & (held_out | people)
    assert data.facts["bags"] == len(groups[0] | groups[1])
    assert sorted(groups[1]) == data.facts["bags that tell when to stop"]


def test_too_few_bags_are_refused(trials: list[RecordedTrial], tmp_path: Path) -> None:
    file = write_compressed(trials, tmp_path / "few.jsonl.gz")
    done = CliRunner().invoke(app, ["tune", "hpo", "--trials", str(file), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, RequestError)
    assert "21 trials of 1 bags" in str(done.exception)


def test_the_command_writes_the_examples(table: list[RecordedTrial], tmp_path: Path) -> None:
    file = write_compressed(table, tmp_path / "trials.jsonl.gz")
    words = ["tune", "hpo", "--trials", str(file), "--out", str(tmp_path / "out"), "--per-dataset", "4"]
    done = CliRunner().invoke(app, [*words, "--examples-only"])
    assert done.exit_code == 0, done.output
    train, held_out, facts = read_examples(tmp_path / "out" / "examples")
    assert (len(train), len(held_out)) == (facts["training dialogues"], facts["held-out dialogues"])


@pytest.mark.slow
def test_a_real_adapter_learns_from_dialogues(table: list[RecordedTrial], tmp_path: Path) -> None:
    from serve.testing import tiny_llama

    data = hpo_data(table, per_bag=5)
    write_examples(tmp_path / "examples", data.train, data.held_out, data.facts)
    settings = settings_of(epochs=1, rank=4, lr=1e-2, batch_tokens=2000, seed=0)
    base = tiny_llama(tmp_path / "tiny")
    result = tune(tmp_path / "examples", base, tmp_path / "out", settings, base_name="tiny", device="cpu")
    assert result.best_loss < result.first_loss
    assert "bags that tell when to stop" in (tmp_path / "out" / "README.md").read_text()
