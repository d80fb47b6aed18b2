"""Numbers, names and things are found in handwritten texts, and written in forms that are read as the same."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.tasks import Task
from autommlab.understanding.text import names_number
from training_data_gen.requests.corpus import Written, corpus
from training_data_gen.requests.names import MODELS, draw_model, stem
from training_data_gen.requests.nouns import an, plural
from training_data_gen.requests.numbers import number_value, words
from training_data_gen.requests.quantities import DRAW, WRITE, write_score
from training_data_gen.requests.skeleton import Skeleton, skeleton
from training_data_gen.requests.slots import Slot
from training_data_gen.requests.spans import fact_spans

SPEED, FLOPS, PARAMETERS = "speed", "flops", "parameters"
_FIELDS = {"time": SPEED, "rate": SPEED, "flops": FLOPS, "parameters": PARAMETERS}


@pytest.fixture(scope="module")
def skeletons() -> list[Skeleton]:
    return [skeleton(one) for one in corpus()]


def spelt(made: Skeleton) -> str:
    parts = [part for sentence in made.sentences for part in sentence.parts]
    return "".join(part.written if isinstance(part, Slot) else part for part in parts)


def test_a_skeleton_with_its_own_words_is_the_handwritten_text(skeletons: list[Skeleton]) -> None:
    assert {made.written.id for made in skeletons if spelt(made) != made.written.text} == set()


def test_nearly_every_stated_fact_is_found(skeletons: list[Skeleton]) -> None:
    for field in (SPEED, FLOPS, PARAMETERS):
        stated = [made for made in skeletons if getattr(made.written.parse.model, field).value]
        assert sum(field in made.free for made in stated) > 0.93 * len(stated), field
    stated = [made for made in skeletons if made.written.parse.model.metrics]
    assert sum("metrics" in made.free for made in stated) > 0.98 * len(stated)
    assert all("model" in made.free for made in skeletons if made.written.parse.model.specific_model != "none")


def test_no_droppable_sentence_carries_the_objects(skeletons: list[Skeleton]) -> None:
    for made in skeletons:
        kinds = {p.kind for s in made.sentences if s.droppable for p in s.parts if isinstance(p, Slot)}
        assert not kinds & {"object", "objects", "place", "modality"}, made.written.id
        assert not made.sentences[0].droppable


@pytest.mark.parametrize("kind", DRAW)
@given(seed=st.integers(0, 10**6))
def test_a_written_amount_is_found_with_its_value(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    value, unit = DRAW[kind](rng)
    noun = " parameters" if kind == "parameters" else ""
    text = f"We ask for {WRITE[kind]((value, unit), rng)}{noun} here."
    like = next(one for one in corpus() if one.parse.model.task is Task.KEYPOINT)
    model = like.parse.model.model_copy(
        update={
            "speed": like.parse.model.speed.model_copy(update={"value": 0, "unit": "none"}),
            "metrics": (),
        }
    )
    part = getattr(model, _FIELDS[kind])
    amount = type(part)(value=value, unit=unit)
    model = model.model_copy(update={_FIELDS[kind]: amount})
    found = fact_spans(Written("x", "x", text, like.parse.model_copy(update={"model": model})))
    assert kind in {span.slot.kind for span in found}, (text, value, unit)


@given(st.integers(0, 999))
def test_words_are_read_as_the_number_they_spell(number: int) -> None:
    assert number_value(words(number)) == number


@given(st.integers(1, 99), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_a_written_score_names_its_value(percent: int, seed: int, bare: bool, range_fits: bool) -> None:
    text = write_score(percent / 100, random.Random(seed), bare=bare, range_fits=range_fits)
    assert names_number(text, percent / 100), text


def test_a_decoy_is_no_spelling_of_the_model_asked_for() -> None:
    rng = random.Random(0)
    for task, names in MODELS.items():
        for name in names:
            assert stem(draw_model(task, rng, name)) != stem(name)


@pytest.mark.parametrize(
    ("noun", "many"),
    [("cat", "cats"), ("bus", "buses"), ("child", "children"), ("sheep", "sheep"), ("police car", "police cars"),
     ("ferry", "ferries"), ("fire engine", "fire engines"), ("olive fruit fly", "olive fruit flies"),
     ("rice plant", "rice plants"), ("jellyfish", "jellyfish"), ("autumn leaf", "autumn leaves")],
)  # fmt: skip
def test_plurals(noun: str, many: str) -> None:
    assert plural(noun) == many


@pytest.mark.parametrize(
    ("word", "article"),
    [("apple", "an"), ("cat", "a"), ("RTX 3060", "an"), ("FCOS", "an"), ("U-Net", "a"), ("hour", "an"), ("8 ms", "an"),
     ("80 ms", "an"), ("11 M", "an"), ("5 ms", "a"), ("mAP", "a"), ("unicycle", "a"), ("IoU", "an")],
)  # fmt: skip
def test_articles(word: str, article: str) -> None:
    assert an(word) == article
