"""Answers that a surrogate finds: better than the trials, inside the bounds, and of known bags only."""

from __future__ import annotations

import json
import math
import random

import pytest

from autommlab.tasks import Task
from searchers.llm.answer_schema import parse_proposal
from searchers.space import FloatParameter, SearchSpace
from tests.helpers.trial_making import made_up
from training_data_gen.adapters.hpo_dialogues import DialogueSettings, dialogue_examples
from training_data_gen.adapters.hpo_examples import hpo_data
from training_data_gen.adapters.hpo_guide import Guide, _best_of
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.records import RecordedTrial

PLAN = plan_bags([Task.CLASSIFICATION])
OPEN = [bag for bag in PLAN if not bag.held_out][:4]
BAG = OPEN[0].id


@pytest.fixture(scope="module")
def recorded() -> list[RecordedTrial]:
    return [t for bag in OPEN for t in made_up(bag, 21)]


@pytest.fixture(scope="module")
def guide(recorded: list[RecordedTrial]) -> Guide:
    return Guide(recorded)


def space_of(recorded: list[RecordedTrial]) -> SearchSpace:
    return SearchSpace(parameters=recorded[0].parameters)


def test_the_best_configs_have_the_rate_that_decides(guide: Guide, recorded: list[RecordedTrial]) -> None:
    best = guide.best(BAG, space_of(recorded), random.Random(0))
    assert [value for _, value in best] == sorted((value for _, value in best), reverse=True)
    assert abs(math.log10(float(best[0][0]["lr"])) + 3) < 0.5
    assert best[0][1] > sorted(t.score for t in recorded if t.planned == BAG)[10]


def test_narrower_bounds_are_obeyed(guide: Guide, recorded: list[RecordedTrial]) -> None:
    narrow = SearchSpace(
        parameters=tuple(
            p.model_copy(update={"low": 1e-5, "high": 1e-4}) if p.name == "lr" else p
            for p in space_of(recorded).parameters
        )
    )
    for config, _ in guide.best(BAG, narrow, random.Random(0)):
        assert config in narrow


def test_of_a_plateau_the_middle_is_taken_and_of_a_slope_its_end() -> None:
    rate = FloatParameter(name="lr", low=1e-5, high=1e-1, log=True)
    assert _best_of(rate, [1, 2, 3, 4, 5], [0.1, 0.5, 0.5, 0.5, 0.1]) == 3
    assert _best_of(rate, [1, 2, 3, 4, 5], [0.1, 0.2, 0.5, 0.5, 0.5]) == 5
    assert _best_of(rate, [1, 2, 3, 4, 5], [0.5, 0.5, 0.1, 0.1, 0.1]) == 1
    assert _best_of(rate, [1, 2, 3, 4, 5], [0.5] * 5) == 3


def test_guided_answers_lie_inside_the_question_and_differ_from_the_trials(
    guide: Guide, recorded: list[RecordedTrial]
) -> None:
    own = [t for t in recorded if t.planned == BAG]
    settings = DialogueSettings(per_bag=12, guided=1.0, narrowed=0.0)
    made = dialogue_examples(own, settings, 0, guide)
    assert len(made) > 6
    rates = []
    for example in made:
        config = parse_proposal(space_of(recorded), example.messages[-1]["content"])
        rates.append(abs(math.log10(float(config["lr"])) + 3))
    assert sorted(rates)[len(rates) // 2] < 0.5


def test_a_surrogate_for_answers_never_sees_a_held_out_bag(
    recorded: list[RecordedTrial], monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = next(bag for bag in PLAN if bag.held_out)
    seen: list[str] = []
    honest = Guide.__init__

    def noted(self: Guide, given: list[RecordedTrial]) -> None:
        seen.extend(t.planned for t in given)
        honest(self, given)

    monkeypatch.setattr(Guide, "__init__", noted)
    data = hpo_data([*recorded, *made_up(held_out, 21)], per_bag=2, guided=0.5)
    assert set(seen) == {bag.id for bag in OPEN}
    assert data.facts["fraction of answers by a surrogate"] == 0.5
    assert json.loads(data.train[0].messages[-1]["content"])
