"""Long work tells how far it is, on a terminal and in a log."""

from pathlib import Path

import pytest

from autommlab.data import at_work, registry
from autommlab.data.at_work import on_threads, telling
from autommlab.data.recognise import recognise
from tests.helpers.layouts import image_folders


def test_results_keep_their_order_and_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "EVERY_S", 0)
    told: list[str] = []
    with telling(told.append):
        assert on_threads(lambda number: number * 2, range(1200), "numbers doubled", 4) == list(range(0, 2400, 2))
    assert told[-1] == "1,200 of 1,200 numbers doubled"
    on_threads(str, [1], "numbers written", 1)  # outside of the block nobody listens
    assert len(told) == 1200


def test_short_work_is_silent() -> None:
    told: list[str] = []
    with telling(told.append):
        on_threads(str, range(5), "numbers written", 2)
    assert told == []


def test_reading_a_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "EVERY_S", 0)
    told: list[str] = []
    with telling(told.append):
        count = len(registry.load_dataset(recognise(image_folders(tmp_path / "set"))).samples)
    assert f"{count} of {count} pictures measured" in told
