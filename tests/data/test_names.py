"""Spelling: plurals, alternative names, initials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.data.names import alternatives, head, imagenet_id, initials_of, plain_name, plural_of, same, singular


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("bus", "buses"), ("glass", "glasses"), ("person", "people"), ("person", "persons"),
        ("mouse", "mice"), ("knife", "knives"), ("nucleus", "nuclei"), ("running shoe", "running shoes"),
        ("goose", "geese"), ("hot dog", "hot dogs"), ("platelet", "platelets"), ("persons", "people"),
    ],
)  # fmt: skip
def test_plurals(one: str, many: str) -> None:
    assert plural_of(one, many)
    assert plural_of(many, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("cat", "cat"), ("car", "card"), ("car", "care"), ("cat", "class"), ("", "s"), ("3", "3s"), ("pig", "wig")],
)
def test_no_plurals(one: str, other: str) -> None:
    assert not plural_of(one, other)


@pytest.mark.parametrize("name", ["bus", "glass", "gas", "class", "news", "sheep", "series", "species", ""])
def test_singular_leaves_what_is_no_plural(name: str) -> None:
    assert singular(name) == name


def test_plain() -> None:
    assert plain_name("Traffic_Light") == plain_name("trafficLight") == plain_name("traffic-light") == "traffic light"
    assert plain_name("RBC") == "rbc"
    assert plain_name("pottedplant") == "potted plant"
    assert same("tv monitor", "tvmonitor")


def test_class_names_of_imagenet() -> None:
    assert alternatives("n02123045 tabby, tabby cat") == ("tabby", "tabby cat")
    assert imagenet_id("n02123045_tabby") == "n02123045"
    assert imagenet_id("n02") is None
    assert alternatives("crane (n02012849)") == ("crane",)


def test_head_and_initials() -> None:
    assert head("pair of scissors") == "pair"
    assert head("running shoe") == "shoe"
    assert initials_of("rbc", "red blood cells")
    assert initials_of("red blood cell", "rbcs")
    assert not initials_of("cat", "car")


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_taken(one: str, other: str) -> None:
    a, b = plain_name(one), plain_name(other)
    assert plain_name(a) == a
    assert plural_of(a, b) == plural_of(b, a)
    assert isinstance(initials_of(a, b), bool)
    assert singular(singular(a)) is not None
    assert all(alternatives(one))
