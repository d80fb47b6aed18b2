"""Who is told of a run: nobody, a notebook's cell, a function; and who is asked."""

from __future__ import annotations

from unittest import mock

import pytest

from autommlab.api.progress import told
from autommlab.progress.events import Event


def emitted(capfd: pytest.CaptureFixture[str], progress: bool) -> tuple[str, str]:
    with told(progress, None) as (events, person):
        events.emit("stage-started", "training", "starting workers")
        events.emit("note", "training", "rows of <b>names</b>")
        assert person.ask is None
    return capfd.readouterr()


def test_nothing_is_printed_unless_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    assert emitted(capfd, False) == ("", "")
    assert emitted(capfd, True) == ("", "[5/8] training: rows of <b>names</b>\n")


def test_a_notebook_has_plain_lines_under_its_cell(capfd: pytest.CaptureFixture[str]) -> None:
    with mock.patch("rich.console._is_jupyter", return_value=True):
        assert emitted(capfd, True) == ("[5/8] training: rows of <b>names</b>\n", "")


def test_a_function_gets_each_event_and_another_answers() -> None:
    seen: list[Event] = []
    with told(seen.append, lambda question: f"{question} cats") as (events, person):
        events.emit("warning", "data", "few pictures")
        assert person.ask is not None
        assert person.ask("What of?") == "What of? cats"
    assert [event.message for event in seen] == ["few pictures"]
