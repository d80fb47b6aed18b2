"""From a request and a machine to a plan: what measuring finds decides which sizes come into question."""

from __future__ import annotations

import pytest

from autommlab.options import RunOptions
from autommlab.planning import measure
from autommlab.planning.measure import Costs, measure_costs
from autommlab.planning.records import Size, SizeCost
from autommlab.planning.stage import Machine, TimeOfRun, make_plan
from autommlab.progress.events import Event, Events
from autommlab.tasks import Task
from autommlab.training.runner_config import TrialSetup
from autommlab.understanding.request import ModelRequest
from tests.helpers.plan_making import cost
from tests.helpers.program import EXAMPLES


def test_a_larger_size_that_fails_ends_the_measuring_and_its_reason_is_kept(
    tiny_setups: dict[Task, TrialSetup], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_from_128_on(setup: TrialSetup, size: Size) -> SizeCost:
        if size[0] >= 128:
            raise MemoryError("no memory for 128x128\nand more lines")
        return cost(size[0], 0.001)

    monkeypatch.setattr(measure, "measure_cost", fails_from_128_on)
    costs = measure_costs(tiny_setups[Task.CLASSIFICATION], ((64, 64), (128, 128), (256, 256)))
    assert costs == Costs((cost(64, 0.001),), failed=(128, 128), why="no memory for 128x128")
    with pytest.raises(MemoryError):
        measure_costs(tiny_setups[Task.CLASSIFICATION], ((128, 128),))


def test_a_plan_does_without_the_sizes_that_failed_and_says_why(tiny_setups: dict[Task, TrialSetup]) -> None:
    setup = tiny_setups[Task.CLASSIFICATION]
    told: list[Event] = []
    plan = make_plan(
        RunOptions(text="Tell cats from dogs.", searcher="random", time_min=60),
        ModelRequest.read(EXAMPLES / "classify_animals.json"),
        setup.bag.model_copy(update={"median_size": (640, 640)}),
        setup.choice,
        time=TimeOfRun(asked_s=3600, spent=lambda: 0.0),
        machine=Machine(
            slots=1, cpus=1, measure=lambda *_: Costs((cost(64, 0.001),), failed=(112, 112), why="it broke")
        ),
        events=Events(told.append),
    )
    assert plan.full is not None
    assert plan.full.input_size < (112, 112)
    assert any("112x112" in event.message and "it broke" in event.message for event in told)
