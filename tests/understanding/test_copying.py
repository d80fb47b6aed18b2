"""Phrases that an answer may copy: all things of a text in either number, never too many, never in the way."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.understanding.answer import answer_schema, answer_text
from autommlab.understanding.clean import clean
from autommlab.understanding.copying import phrases
from training_data_gen.benchmarks.ru import read_set
from training_data_gen.requests.corpus import corpus

MANY_WORDS = " ".join(f"word{number}" for number in range(900))


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("locate elephants and rhinos in savanna images", "rhino"),
        ("Area of wound and area of bandage", "bandage"),
        ("Traffic Lights, please", "traffic light"),
        ("OK/NG decision", "NG"),
        ("buses, knives, cherries, mice, bacteria and cacti", "bus"),
        ("buses, knives, cherries, mice, bacteria and cacti", "knife"),
        ("buses, knives, cherries, mice, bacteria and cacti", "cherry"),
        ("buses, knives, cherries, mice, bacteria and cacti", "mouse"),
        ("buses, knives, cherries, mice, bacteria and cacti", "bacterium"),
        ("buses, knives, cherries, mice, bacteria and cacti", "cactus"),
        ("T-shirts or hoodies", "t-shirt"),
        ("the dancer's heel and ankle", "dancer"),
        ("mitochondria and stomata", "mitochondrion"),
        ("mitochondria and stomata", "stoma"),
        ("scooters without plate", "scooter without plate"),
        ("what people do", "person"),
    ],
)
def test_things_are_among_them_in_the_singular(text: str, thing: str) -> None:
    assert thing in phrases(text)


@pytest.mark.parametrize("text", ["猫と犬を検出してください", "", "!?", MANY_WORDS])
def test_where_phrases_would_not_do_any_answer_is_allowed(text: str) -> None:
    assert phrases(text) == ()
    assert answer_schema(phrases(text)) == answer_schema()


@given(st.text(max_size=300))
def test_any_text_gives_a_schema_of_phrases_that_a_grammar_can_hold(text: str) -> None:
    found = phrases(text)
    assert list(found) == sorted(set(found))
    assert all(phrase and '"' not in phrase and "\\" not in phrase for phrase in found)
    jsonschema.Draft202012Validator.check_schema(answer_schema(found))


def test_nearly_every_label_can_be_copied_from_its_request() -> None:
    pairs = [(one.request, one.parse) for one in read_set("dev")] + [(one.text, one.parse) for one in corpus()]
    lost = []
    for text, parse in pairs:
        known = {phrase.casefold() for phrase in phrases(clean(text))}
        lost += [name for name in parse.data.object if name.casefold() not in known]
    assert len(lost) <= 2, lost


def test_an_answer_that_copies_fits_the_schema_and_another_does_not() -> None:
    one = next(one for one in read_set("dev") if one.id == "dev-det-01")
    schema = answer_schema(phrases(clean(one.request)))
    answer = json.loads(answer_text(one.parse))
    jsonschema.validate(answer, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer | {"object": ["rhine"]}, schema)
