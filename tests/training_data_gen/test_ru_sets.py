"""The labelled request sets: sizes, labels that follow from the text, nothing shared with training."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from rapidfuzz import fuzz, process

from autommlab.tasks import TASK_METRICS, Task, canonical_metric
from autommlab.understanding.checks import findings
from autommlab.understanding.request import Device, Engine
from training_data_gen.benchmarks.request_sets import SETS, LabelledRequest, read_set

TRAINING = Path(__file__).resolve().parents[2] / "training_data_gen" / "requests"
#: Percent; unrelated requests of this length come up to 61.
ALIKE = 70
#: Numbers in words that the checks do not read ("one point eight million", "an hour").
SPELT_OUT = {"lamp-kpt-35", "dev-seg-12"}
SIZES = {"test": 35, "test2": 40, "dev": 15}
METRICS = {metric.name for metrics in TASK_METRICS.values() for metric in metrics} | {"mAP", "IoU", "AUC"}


@pytest.fixture(scope="module")
def sets() -> dict[str, tuple[LabelledRequest, ...]]:
    return {name: read_set(name) for name in SETS}


def test_every_task_has_its_share(sets: dict[str, tuple[LabelledRequest, ...]]) -> None:
    for name, size in SIZES.items():
        assert Counter(one.task for one in sets[name]) == dict.fromkeys(Task, size)


def test_no_two_requests_are_nearly_the_same(sets: dict[str, tuple[LabelledRequest, ...]]) -> None:
    texts = [(one.id, one.request.casefold()) for examples in sets.values() for one in examples]
    alike = [(a, b) for (a, one), (b, two) in combinations(texts, 2) if fuzz.token_sort_ratio(one, two) > ALIKE]
    assert alike == []


def test_no_training_request_is_nearly_one_of_a_set(sets: dict[str, tuple[LabelledRequest, ...]]) -> None:
    lines = [line for path in TRAINING.rglob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    trained = [json.loads(line)["request"].casefold() for line in lines if line.strip()]
    assert len(trained) > 100
    measured = [one for examples in sets.values() for one in examples]
    likeness = process.cdist(
        [one.request.casefold() for one in measured], trained, scorer=fuzz.token_sort_ratio, score_cutoff=ALIKE
    )
    assert {one.id: top for one, top in zip(measured, likeness.max(axis=1), strict=True) if top > ALIKE} == {}


@pytest.mark.parametrize("name", SETS)
def test_names_and_numbers_of_a_label_occur_in_its_request(
    sets: dict[str, tuple[LabelledRequest, ...]], name: str
) -> None:
    found = {one.id: findings(one.request, one.parse) for one in sets[name]}
    assert not [(id_, of) for id_, of in found.items() if of and id_ not in SPELT_OUT]


def test_every_field_is_stated_often_and_left_out_often(sets: dict[str, tuple[LabelledRequest, ...]]) -> None:
    test = [one.parse for one in sets["test"]]
    counts: dict[str, int] = {
        "specific model": sum(parse.model.specific_model != "none" for parse in test),
        "speed": sum(parse.model.speed.value > 0 for parse in test),
        "flops": sum(parse.model.flops.value > 0 for parse in test),
        "parameters": sum(parse.model.parameters.value > 0 for parse in test),
        "metrics": sum(bool(parse.model.metrics) for parse in test),
        "cpu": sum(parse.deploy.gpu is Device.CPU for parse in test),
        "gpu": sum(parse.deploy.gpu is Device.GPU for parse in test),
        **{engine: sum(parse.deploy.inference_engine is engine for parse in test) for engine in Engine},
    }
    assert {name: count for name, count in counts.items() if not 14 <= count <= 105} == {}


def test_metrics_are_canonical(sets: dict[str, tuple[LabelledRequest, ...]]) -> None:
    for one in sets["test"] + sets["test2"] + sets["dev"]:
        for metric in one.parse.model.metrics:
            assert metric.name in METRICS, one.id
            assert canonical_metric(metric.name) == metric.name
