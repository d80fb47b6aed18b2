"""From a request and a machine to a plan: what measuring finds decides which sizes come into question."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.models.recipe import toolbox_recipe
from autommlab.options import RunOptions
from autommlab.pipeline import run
from autommlab.planning import measure
from autommlab.planning.measure import Costs, measure_costs
from autommlab.planning.records import Size, SizeCost
from autommlab.planning.stage import Machine, TimeOfRun, make_plan
from autommlab.progress.events import Event, Events
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import search_space
from autommlab.understanding.request import Engine, ModelRequest
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
    batch = toolbox_recipe(setup.choice.entry, space=search_space(RunOptions().budget.tasks[Task.CLASSIFICATION]))
    usual = batch.point["batch_size"]
    assert any(f"steps of {usual} pictures" in words for words in plan.reasons), "the default's batch is the usual one"


def test_a_run_without_a_search_neither_waits_for_an_llm_service_nor_starts_one(
    tiny_setups: dict[Task, TrialSetup], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    setup = tiny_setups[Task.CLASSIFICATION]
    monkeypatch.setattr("serve.lifecycle.find_service", lambda: None)
    started: list[str] = []
    monkeypatch.setattr(run, "start_ahead", lambda searchers, _: started.extend(searchers))
    reserved = []
    for trials in (None, 0):
        options = RunOptions(text="Tell cats from dogs.", searcher="hpo-llama", time_min=60, trials=trials)
        plan = make_plan(
            options,
            ModelRequest.read(EXAMPLES / "classify_animals.json"),
            setup.bag,
            setup.choice,
            time=TimeOfRun(asked_s=3600, spent=lambda: 0.0),
            machine=Machine(slots=1, cpus=1, measure=lambda *_: Costs((cost(64, 0.001),))),
            events=Events(),
        )
        assert plan.time is not None
        reserved.append(plan.time.service_s > 0)
        run._start_service_ahead(options, RunFolder(tmp_path / f"run-{trials}"), Events())
    assert reserved == [True, False]
    assert started == ["hpo-llama"], "once, for the run that searches"


@pytest.mark.parametrize(("engine", "reserved"), [(Engine.ONNXRUNTIME, True), (Engine.NCNN, False)])
def test_time_for_int8_is_kept_only_where_the_engine_has_it(
    engine: Engine, reserved: bool, tiny_setups: dict[Task, TrialSetup]
) -> None:
    request = ModelRequest.read(EXAMPLES / "classify_animals.json")
    deploy = request.deploy.model_copy(update={"inference_engine": engine})
    plan = make_plan(
        RunOptions(text="Tell cats from dogs.", searcher="random", time_min=60, trials=0, quantize="always"),
        request.model_copy(update={"deploy": deploy}),
        tiny_setups[Task.CLASSIFICATION].bag,
        tiny_setups[Task.CLASSIFICATION].choice,
        time=TimeOfRun(asked_s=3600, spent=lambda: 0.0),
        machine=Machine(slots=1, cpus=1, measure=lambda *_: Costs((cost(64, 0.001),))),
        events=Events(),
    )
    assert plan.time is not None
    assert ("INT8" in plan.time.reserved_s) == reserved
