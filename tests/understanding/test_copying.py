"""Phrases that an answer may copy: all things of a text in either number, never too many, never in the way."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.understanding.answer import answer_schema, answer_text, no_task_answer
from autommlab.understanding.copying import phrases, shared_nouns
from autommlab.understanding.text import clean
from tests.helpers.grammar import grammar_takes
from training_data_gen.benchmarks.request_sets import read_set
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
        ("Is it E. coli or Salmonella?", "E. coli"),
        ("count P. falciparum, P. ovale and P. malariae rings", "P. malariae ring"),
        ("emulsions, O/W or W/O/W", "W/O/W"),
        ("the V.I.P. badges", "V.I.P. badge"),
        ("robots hanging from the bar", "robot hanging from the bar"),
        ("hooks and eyes, buttons", "hook and eye"),
        ("Knots: bowline, round turn and two half hitches", "round turn and two half hitches"),
    ],
)
def test_things_are_among_them_in_the_singular(text: str, thing: str) -> None:
    assert thing in phrases(text)


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("Ripe or overripe hop cones?", ("ripe hop cone", "overripe hop cone")),
        ("copper, pex or galvanised pipe, which is it", ("copper pipe", "pex pipe", "galvanised pipe")),
        ("Item .. blade fuse\nState .. blown / intact", ("blown blade fuse", "intact blade fuse")),
        ("Is that belt splice good, frayed or torn?", ("good belt splice", "torn belt splice")),
        ("a good or a bad vent cap weld", ("good vent cap weld", "bad vent cap weld")),
        ("Gulls: first winter, second winter or adult", ("first winter gull", "adult gull")),
        ("M4, M5, M6 and M8 bolts", ("M4 bolt", "m6 bolt")),
        ("a cuckoo's or a reed warbler's egg", ("cuckoo egg", "reed warbler egg")),
        ("yolks: runny / jammy / half-set v2.1", ("half-set yolk", "runny yolk")),
    ],
)
def test_a_noun_said_once_may_follow_each_item_of_a_list(text: str, things: tuple[str, ...]) -> None:
    composed = shared_nouns(text)
    schema = answer_schema(phrases(text), composed)["properties"]["object"]
    jsonschema.validate(list(things), schema)
    for other in ("green hop cone", "hop", "ripe  hop cone", "ripe hop cone x"):
        assert not re.search(composed, other), other


def test_a_script_without_spaces_has_no_items() -> None:
    assert shared_nouns("猫と犬を検出してください") == ""
    assert shared_nouns("") == ""


@pytest.mark.parametrize("text", ["猫と犬を検出してください", "", "!?", MANY_WORDS])
def test_where_phrases_would_not_do_any_answer_is_allowed(text: str) -> None:
    assert phrases(text) == ()
    assert answer_schema(phrases(text)) == answer_schema()


@given(st.text(max_size=300))
def test_any_text_gives_a_schema_of_phrases_that_a_grammar_can_hold(text: str) -> None:
    found = phrases(text)
    assert list(found) == sorted(set(found))
    assert all(phrase and '"' not in phrase and "\\" not in phrase for phrase in found)
    composed = shared_nouns(text)
    assert bool(composed) <= bool(found)
    re.compile(composed)
    jsonschema.Draft202012Validator.check_schema(answer_schema(found, composed))


def test_nearly_every_label_can_be_copied_from_its_request() -> None:
    pairs = [(one.request, one.parse) for one in read_set("dev")] + [(one.text, one.parse) for one in corpus()]
    lost, count = [], 0
    for text, parse in pairs:
        count += len(parse.data.object)
        known, composed = {phrase.casefold() for phrase in phrases(clean(text))}, shared_nouns(clean(text))
        lost += [
            name
            for name in parse.data.object
            if name.casefold() not in known and not re.search(composed or "$^", name, re.IGNORECASE)
        ]
    assert len(lost) < 0.006 * count, lost


def test_the_grammar_of_vllm_takes_composed_things_and_no_others() -> None:
    text = "AA+, A-grade or cracked eggs?"
    schema = answer_schema(phrases(text), shared_nouns(text))
    answer = json.loads(no_task_answer())
    for things, possible in [
        (["AA+ egg", "a-grade egg", "cracked egg"], True),
        (["egg", "cracked"], True),
        (["boiled egg"], False),
        (["AAA egg"], False),
    ]:
        written = json.dumps(answer | {"object": things}, separators=(",", ":"))
        assert grammar_takes(written, schema) is possible, things


def test_an_answer_that_copies_fits_the_schema_and_another_does_not() -> None:
    one = next(one for one in read_set("dev") if one.id == "dev-det-01")
    schema = answer_schema(phrases(clean(one.request)))
    answer = json.loads(answer_text(one.parse))
    jsonschema.validate(answer, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer | {"object": ["rhine"]}, schema)
