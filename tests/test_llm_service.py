"""Who starts the LLM service ahead of its use; the start itself is recorded instead of done."""

from __future__ import annotations

import pytest

import serve.lifecycle
from autommlab.llm_service import STARTING, start_ahead


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry per start; nothing runs."""
    starts: list[str] = []
    monkeypatch.setattr(serve.lifecycle, "ensure_service", lambda: starts.append("started"))
    monkeypatch.setattr(serve.lifecycle, "find_service", lambda: None)
    monkeypatch.delenv("AUTOMMLAB_LLM_URL", raising=False)
    return starts


def test_a_searcher_that_cannot_do_without_has_it_started(started: list[str]) -> None:
    told: list[str] = []
    thread = start_ahead(["random", "hpo-llama"], told.append)
    assert thread is not None
    thread.join(10)
    assert (started, told) == (["started"], [STARTING])


@pytest.mark.parametrize("names", [["random"], ["bandit"], []])
def test_others_do_not(started: list[str], names: list[str]) -> None:
    assert start_ahead(names, pytest.fail) is None
    assert not started


def test_a_running_or_named_one_is_left_alone(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_LLM_URL", "http://127.0.0.1:1")
    assert start_ahead(["hpo-llama"], pytest.fail) is None
    monkeypatch.delenv("AUTOMMLAB_LLM_URL")
    monkeypatch.setattr(serve.lifecycle, "find_service", object)
    assert start_ahead(["hpo-llama"], pytest.fail) is None
    assert not started


def test_a_failed_start_is_left_to_whoever_needs_it(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        started.append("failed")
        raise RuntimeError("no room")

    monkeypatch.setattr(serve.lifecycle, "ensure_service", fails)
    thread = start_ahead(["llm+tpe"], lambda _: None)
    assert thread is not None
    thread.join(10)
    assert started == ["failed"]
