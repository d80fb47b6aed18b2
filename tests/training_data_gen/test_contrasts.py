"""Questions that only their results tell apart, and the measure of whether a searcher reads them."""

from __future__ import annotations

import json
import math
import re

import pytest

from autommlab.tasks import Task
from tests.helpers.trial_making import made_up
from training_data_gen.adapters.hpo_contrasts import ContrastSettings, contrast_examples
from training_data_gen.adapters.hpo_examples import hpo_data
from training_data_gen.adapters.hpo_guide import Guide
from training_data_gen.benchmarks.sensitivity import change_of, histories, in_reverse
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.records import RecordedTrial

PLAN = plan_bags([Task.CLASSIFICATION])
OPEN = [bag for bag in PLAN if not bag.held_out][:3]
FEW = ContrastSettings(pairs=6)


@pytest.fixture(scope="module")
def recorded() -> list[RecordedTrial]:
    return [trial for bag in OPEN for trial in made_up(bag, 21)]


@pytest.fixture(scope="module")
def trials(recorded: list[RecordedTrial]) -> list[RecordedTrial]:
    return [trial for trial in recorded if trial.planned == OPEN[0].id]


@pytest.fixture(scope="module")
def guide(recorded: list[RecordedTrial]) -> Guide:
    return Guide(recorded)


def told(question: str) -> list[str]:
    """The lines of a question but for results and what follows from them."""
    lines = [re.sub(r" -> [\d.e-]+( \(best\))?$", "", line) for line in question.splitlines()]
    return [line for line in lines if not line.startswith("Best score")]


def rate(answer: str) -> float:
    return float(json.loads(answer)["lr"])


def test_a_pair_differs_in_results_and_answer_alone(trials: list[RecordedTrial], guide: Guide) -> None:
    made = contrast_examples(trials, guide, FEW)
    assert len(made) == 12
    apart = []
    for one, other in zip(made[::2], made[1::2], strict=True):
        asked = [example.messages[-2]["content"] for example in (one, other)]
        assert asked[0] != asked[1]
        assert told(asked[0]) == told(asked[1])
        apart.append(abs(math.log2(rate(one.messages[-1]["content"]) / rate(other.messages[-1]["content"]))))
    assert sum(octaves > 1 for octaves in apart) >= 5, apart  # one at a bound of the space may move less


def test_the_same_seed_gives_the_same_and_equal_results_nothing(trials: list[RecordedTrial], guide: Guide) -> None:
    assert contrast_examples(trials, guide, FEW, seed=3) == contrast_examples(trials, guide, FEW, seed=3)
    assert contrast_examples(trials, guide, FEW, seed=3) != contrast_examples(trials, guide, FEW, seed=4)
    equal = [trial.model_copy(update={"score": 0.5, "status": "ok"}) for trial in trials]
    assert contrast_examples(equal, guide, FEW) == []


def test_they_are_counted_apart_and_stay_on_one_side_of_the_split(recorded: list[RecordedTrial]) -> None:
    plain, more = hpo_data(recorded, per_bag=3), hpo_data(recorded, per_bag=3, contrasts=2)
    added = len(more.train) + len(more.held_out) - len(plain.train) - len(plain.held_out)
    assert more.facts["contrasts, results and answers by a surrogate"] == added > 0
    assert plain.facts["contrasts, results and answers by a surrogate"] == 0
    assert not {one.group for one in more.train} & {one.group for one in more.held_out}


def test_the_worst_configuration_gets_the_best_result(trials: list[RecordedTrial]) -> None:
    (history,) = histories(trials, 1)
    assert len({trial.score for trial in history}) == len(history)
    turned = in_reverse(history)
    assert [one.config for one in turned] == [trial.config for trial in history]
    by_real = sorted(zip(history, turned, strict=True), key=lambda pair: pair[0].score)
    assert [one.trial.score for _, one in by_real] == sorted((trial.score for trial in history), reverse=True)


def test_a_searcher_that_reads_nothing_moves_by_chance_alone(trials: list[RecordedTrial]) -> None:
    """Random search draws the same under the same seed, whatever it is told."""
    change = change_of("random", [trials], None, 2)
    assert (change.reversed, change.histories) == (0, 2)
    assert change.repeated > 0
