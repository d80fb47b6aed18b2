"""What was typed before still works, with a notice each; the list of searchers explains them."""

from __future__ import annotations

import logging
import re

import pytest
from typer.testing import CliRunner

from autommlab.cli.main import app, todays_words
from autommlab.common.errors import tell_renamed
from autommlab.options import RunOptions


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("race x --out race", "compare x --out race"),
        ("tune hpo --triplets t --per-bag 4", "tune hpo --trials t --per-dataset 4"),
        ("trials --experience=f --no-recipe --bags 3", "trials --trial-history=f --no-default --datasets 3"),
        ("run race", "run race"),
    ],
)
def test_old_commands_and_options_become_todays(typed: str, meant: str, caplog: pytest.LogCaptureFixture) -> None:
    tell_renamed.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert todays_words(typed.split()) == meant.split()
    changed = [new for old, new in zip(typed.split(), meant.split(), strict=True) if old != new]
    assert len(caplog.records) == len(changed)


def test_a_stored_run_of_an_old_searcher_is_one_of_todays() -> None:
    assert RunOptions(searcher="forest+default").searcher == "surrogate+default"


def test_the_list_of_searchers_explains_them_and_names_no_variant() -> None:
    shown = CliRunner().invoke(app, ["searchers"]).stdout
    assert re.search(r"\nhpo-llama +a fine-tuned language model", shown)
    assert "+default: the default configuration is tried first" in shown
    assert "tpe+default" not in shown
