"""Answers of the model: the grid, the schema, text from a configuration and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autommlab.common.wording import number_text
from searchers.llm.answer_schema import (
    AnswerError,
    format_answer,
    grid,
    grid_size,
    longest_answer,
    parse_proposal,
    proposal_schema,
    snap,
)
from searchers.space import ChoiceParameter, Configuration, FloatParameter, IntParameter, SearchSpace
from searchers.testing import SPACE, spaces


def log_float(low: float, high: float) -> FloatParameter:
    return FloatParameter(name="x", low=low, high=high, log=True)


def even_float(low: float, high: float) -> FloatParameter:
    return FloatParameter(name="x", low=low, high=high)


def test_a_decade_of_a_logarithmic_range_has_24_values_with_two_digits() -> None:
    values = grid(log_float(1e-5, 1e-1))
    assert len(values) == 4 * 24 + 1
    assert values[:4] == (1e-5, 1.1e-5, 1.2e-5, 1.3e-5)
    assert values[-1] == 0.1
    assert all(len(number_text(float(value)).replace("e-", "").replace("0.", "").replace(".", "")) <= 3
               for value in values)  # fmt: skip


@pytest.mark.parametrize(
    ("parameter", "size"),
    [
        (log_float(3e-4, 3e-4), 1),
        (log_float(3.01e-4, 3.02e-4), 2),
        (log_float(1e-300, 1e300), 238),
        (even_float(0.25, 0.25), 1),
        (even_float(10.0, 10.0 + 1e-6), 51),
        (even_float(1.0, 1.0000000000000002), 2),
        (even_float(-1e308, 1e308), 41),
        (even_float(0.0, 1.0), 51),
        (IntParameter(name="x", low=4, high=4), 1),
        (IntParameter(name="x", low=1, high=64, log=True), 64),
        (IntParameter(name="x", low=20, high=80), 61),
        (IntParameter(name="x", low=2000, high=7000), 51),
        (IntParameter(name="x", low=0, high=10**18), 51),
        (ChoiceParameter(name="x", choices=("b", "a")), 2),
    ],
)
def test_grids_stay_small_and_hold_the_bounds(parameter: Any, size: int) -> None:
    values = grid(parameter)
    assert len(values) == size
    assert len(set(values)) == size
    if not isinstance(parameter, ChoiceParameter):
        assert (values[0], values[-1]) == (parameter.low, parameter.high)


def test_large_logarithmic_whole_numbers_keep_the_powers_of_two() -> None:
    values = grid(IntParameter(name="x", low=1, high=1000, log=True))
    assert {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000} <= set(values)
    assert len(values) < 75


@settings(deadline=None)
@given(space=spaces(), data=st.data())
def test_every_answer_that_the_schema_allows_is_a_config_of_the_grid(space: SearchSpace, data: st.DataObject) -> None:
    schema = proposal_schema(space)
    answer = {name: data.draw(st.sampled_from(entry["enum"])) for name, entry in schema["properties"].items()}
    assert list(answer) == schema["required"] == list(space.names())
    text = json.dumps(answer)
    config = parse_proposal(space, text)
    assert space.violations(config) == []
    assert config == snap(space, config)
    assert {type(value) for value in config.values()} <= {int, float, str}
    assert len(text) <= longest_answer(space)


@settings(deadline=None)
@given(space=spaces(), data=st.data())
def test_a_config_of_the_grid_survives_being_written_and_read(space: SearchSpace, data: st.DataObject) -> None:
    config = {p.name: data.draw(st.sampled_from(grid(p))) for p in space.parameters}
    assert parse_proposal(space, format_answer(space, config)) == config


@settings(deadline=None)
@given(space=spaces(), seed=st.randoms(use_true_random=False))
def test_any_config_is_moved_onto_the_grid(space: SearchSpace, seed: Any) -> None:
    config = space.sample(seed)
    answer = parse_proposal(space, format_answer(space, config))
    assert answer == snap(space, config)
    assert space.violations(answer) == []


def test_reals_are_short_text_because_the_grammar_engine_prints_numbers_with_17_digits() -> None:
    config: Configuration = {
        "iterations": 60, "batch_size": 16, "optimizer": "SGD", "lr": 0.00033, "weight_decay": 1e-6
    }  # fmt: skip
    assert format_answer(SPACE, config) == (
        '{"iterations":60,"batch_size":16,"optimizer":"SGD","lr":"3.3e-4","weight_decay":"1e-6"}'
    )
    assert parse_proposal(SPACE, format_answer(SPACE, config)) == config
    assert grid_size(SPACE) == 51 * 64 * 4 * 97 * 97


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_back_exactly(value: float) -> None:
    assert float(number_text(value)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"not JSON"),
        ('{"lr": "1e-', r"not JSON"),
        ("[1, 2]", r"expected a JSON object, got '\[1, 2\]'"),
        ('{"lr": "1e-3"}', r"iterations is missing"),
        ('{"iterations": 60, "batch_size": 16, "optimizer": "Lion", "lr": 5, "weight_decay": NaN}',
         r"optimizer='Lion' is not one of.*lr=5.0 is outside.*weight_decay=nan is not a float"),
        ('{"iterations": [60], "batch_size": null, "optimizer": {}, "lr": true, "weight_decay": "low", "x": 1}',
         r"unknown parameter 'x'; iterations=\[60\] is not a int"),
    ],
)  # fmt: skip
def test_other_texts_are_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message):
        parse_proposal(SPACE, text)


@given(text=st.text())
def test_rubbish_never_raises_anything_else(text: str) -> None:
    for candidate in (text, json.dumps(text), json.dumps({"lr": text})):
        with pytest.raises(AnswerError):
            parse_proposal(SPACE, candidate)
