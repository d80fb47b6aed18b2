"""Generated requests: labels right, alike for one seed, no held-out voice or measured text in training."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz, process

from autommlab.tasks import Task, canonical_metric
from autommlab.understanding.answer import answer_text, parse_answer
from autommlab.understanding.checks import findings
from autommlab.understanding.request import Engine, ModelRequest
from autommlab.understanding.text import names_number
from training_data_gen.benchmarks.request_sets import read_set
from training_data_gen.requests.corpus import corpus
from training_data_gen.requests.draft import SPELLINGS
from training_data_gen.requests.generate import Pair, generate, split_by_voice
from training_data_gen.requests.near_duplicates import WordSetIndex

#: The handwritten requests come first, and then as many new ones as show every kind often.
COUNT = len(corpus()) + 1200
#: Percent; the brief of the data set.
ALIKE = 85
#: Share of new pairs in which a check of another author doubts a label; mostly irregular plurals and "facial".
DOUBTED = 0.005


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return generate(COUNT, seed=11)


@pytest.fixture(scope="module")
def new(pairs: list[Pair]) -> list[Pair]:
    return pairs[len(corpus()) :]


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(pairs: list[Pair]) -> None:
    assert generate(COUNT, seed=11) == pairs
    some = len(corpus()) + 200
    assert generate(some, seed=11) == pairs[:some]
    assert [p.request for p in generate(some, seed=12)][len(corpus()) :] != [
        p.request for p in pairs[len(corpus()) : some]
    ]


@pytest.mark.parametrize("count", [-1, -100])
def test_a_negative_count_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="cannot make -"):
        generate(count, seed=0)


def test_no_two_requests_are_alike_but_for_figures(pairs: list[Pair]) -> None:
    essences = ["".join(filter(str.isalpha, pair.request.lower())) for pair in pairs]
    assert len(set(essences)) == len(pairs)
    assert len({pair.id for pair in pairs}) == len(pairs)


def test_every_parse_survives_its_answer(new: list[Pair]) -> None:
    for pair in new:
        assert parse_answer(answer_text(pair.parse)) == pair.parse
        assert ModelRequest.parse(pair.parse.to_dict()) == pair.parse


def test_every_number_is_in_its_text(new: list[Pair]) -> None:
    for pair in new:
        model = pair.parse.model
        amounts = [limit.value for limit in (model.speed, model.flops, model.parameters) if limit.unit != "none"]
        for value in (*amounts, *(metric.value for metric in model.metrics)):
            assert names_number(pair.request, value), (pair.request, value)


def test_names_are_in_the_text_as_they_are_labelled(new: list[Pair]) -> None:
    for pair in new:
        model = pair.parse.model.specific_model
        assert model == "none" or model in pair.request, pair.request
        for name in pair.parse.data.specific:
            assert name.lower() in pair.request.lower(), pair.request


def test_another_check_finds_hardly_anything_to_doubt(new: list[Pair]) -> None:
    doubted = [(pair.request, found) for pair in new if (found := findings(pair.request, pair.parse))]
    assert len(doubted) <= DOUBTED * len(new), doubted


def test_all_fields_come_often(new: list[Pair]) -> None:
    parses = [pair.parse for pair in new]
    assert {parse.model.task for parse in parses} == set(Task)
    assert {parse.deploy.inference_engine for parse in parses} == set(Engine)
    assert {parse.model.speed.unit.value for parse in parses} == {"ms", "s", "min", "h", "fps", "none"}
    assert {parse.model.flops.unit.value for parse in parses} >= {"KFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs"}
    assert {parse.model.parameters.unit.value for parse in parses} == {"K", "M", "B", "none"}
    named = [metric.name for parse in parses for metric in parse.model.metrics]
    assert min(named.count(name) for name in SPELLINGS) > 20
    assert sum(len(parse.model.metrics) > 1 for parse in parses) > 100
    full = [
        p
        for p in parses
        if p.model.speed.value and p.model.flops.value and p.model.parameters.value and p.model.metrics
    ]
    assert len(full) > 30


def test_spellings_of_metrics_mean_these_metrics() -> None:
    for name, spellings in SPELLINGS.items():
        assert {canonical_metric(spelling) for spelling in spellings} <= {name, "percentage of correct keypoints"} | {
            canonical_metric(name)
        }


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_any_seed_splits_by_voice_and_skeleton(pairs: list[Pair], seed: int) -> None:
    train, held_out = split_by_voice(pairs, seed)
    assert len(train) > 0.7 * len(pairs)
    assert len(held_out) > 0.01 * len(pairs)
    voices = {voice for pair in held_out for voice in (pair.voice, *pair.donors)}
    assert not voices & {voice for pair in train for voice in (pair.voice, *pair.donors)}
    assert not {pair.skeleton for pair in train} & {pair.skeleton for pair in held_out}
    assert split_by_voice(pairs, seed) == (train, held_out)


def test_a_split_needs_voices_on_both_sides(pairs: list[Pair]) -> None:
    every = len({one.voice for one in corpus()})
    for voices in (0, every):
        with pytest.raises(ValueError, match=f"cannot hold out {voices} of {every}"):
            split_by_voice(pairs, 0, voices)


def test_nothing_generated_is_nearly_a_measured_request(new: list[Pair]) -> None:
    sets = [one for name in ("test", "test2", "dev") for one in read_set(name)]
    measured = [one.request.casefold() for one in sets]
    made = [pair.request.casefold() for pair in new]
    for scorer in (fuzz.ratio, fuzz.token_sort_ratio):
        likeness = process.cdist(measured, made, scorer=scorer, score_cutoff=ALIKE, workers=1)
        assert {one.id: top for one, top in zip(sets, likeness.max(axis=1), strict=True) if top > ALIKE} == {}


def test_no_new_request_is_nearly_a_measured_one(pairs: list[Pair]) -> None:
    known = len(corpus())
    likely = pairs[known + 3].request
    without = generate(known + 12, seed=11, measured=WordSetIndex([("test-1", likely)]))
    assert [pair.request for pair in without[: known + 3]] == [pair.request for pair in pairs[: known + 3]]
    assert likely not in {pair.request for pair in without}
