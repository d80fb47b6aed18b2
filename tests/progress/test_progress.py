"""The display for people in both its forms, the JSON lines, and the sum of the time left."""

import io
import json
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from autommlab.common.wording import duration
from autommlab.progress.display import Display, JsonLines
from autommlab.progress.events import Event, Events
from autommlab.progress.state import remaining_s, stage_label

HYPERPARAMETERS = {
    "iterations": 40,
    "batch_size": 8,
    "optimizer": "AdamW",
    "lr": 0.0019,
    "weight_decay": 1e-4,
    "lr_schedule": "StepLR",
}


def trial(number: int, score: float, at: float, **more: object) -> Event:
    data = {"number": number, "total": 6, "score": score, "metric": "mAP", "hyperparameters": HYPERPARAMETERS}
    return Event("trial", "training", "", data | more, time=at)


def plain(*events: Event) -> list[str]:
    stream = io.StringIO()
    with Display(Console(file=stream)) as display:
        for event in events:
            display(event)
    return stream.getvalue().splitlines()


def on_terminal(*events: Event) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system="truecolor")
    with Display(console) as display:
        for event in events:
            display(event)
    return stream.getvalue()


def test_without_a_terminal_a_stage_leaves_one_plain_line() -> None:
    lines = plain(
        Event("stage-started", "data", "looking", time=100.0),
        Event("stage-finished", "data", "400 images of helmet", time=112.0),
        Event("stage-skipped", "model", "FCOS (from the earlier run)", time=112.0),
        Event("done", "", "all demands met", {"report": "r.html", "bundle": "b"}, time=175.0),
    )
    assert lines == [
        "[2/8] data: 400 images of helmet (12 s)",
        "[3/8] model: FCOS (from the earlier run) (skipped)",
        "done: all demands met (1 min 15 s)",
        "bundle: b",
        "report: r.html",
    ]


def test_each_of_several_runs_has_its_own_time() -> None:
    lines = plain(
        Event("stage-started", "understanding", "reading", time=100.0),
        Event("done", "", "first", time=110.0),
        Event("stage-skipped", "understanding", "done before", time=200.0),
        Event("done", "", "second, gone on with", time=205.0),
        Event("stage-started", "understanding", "reading", time=300.0),
        Event("warning", "", "third failed", time=400.0),
        Event("stage-started", "understanding", "reading", time=400.0),
        Event("done", "", "fourth", time=403.0),
    )
    assert [line for line in lines if line.startswith("done")] == [
        "done: first (10 s)",
        "done: second, gone on with (5.0 s)",
        "done: fourth (3.0 s)",
    ]


def test_without_a_terminal_a_trial_leaves_one_plain_line() -> None:
    lines = plain(
        Event("stage-started", "training", "", time=0.0),
        Event("progress", "training", "running", {"done": 0, "total": 6}, time=1.0),
        trial(1, 0.5, 10.0, best=0.5, proposed_by="tpe", seconds=9.0),
        trial(2, 0.0, 20.0, best=0.5, status="diverged", reason="the loss became NaN"),
        trial(3, 0.4, 30.0, best=0.5, status="stopped"),
    )
    words = "AdamW · lr 0.0019 · decay 0.0001 · batch 8 · 40 iterations · StepLR"
    assert lines == [
        f"[5/8] training: trial 1 of 6  mAP 0.500 (best so far)  {words}  by tpe  9.0 s",
        f"[5/8] training: trial 2 of 6  diverged: the loss became NaN  {words}",
        f"[5/8] training: trial 3 of 6  mAP 0.400 (best 0.500), stopped early  {words}",
    ]


def test_without_a_terminal_no_control_codes_reach_the_log() -> None:
    lines = plain(
        Event("warning", "data", "file \x1b[31mred\x1b[0m.jpg\nis corrupt"),
        Event("note", "", "Ray runs 2 trials at a time"),
    )
    assert lines == ["[2/8] data: warning: file \\x1b[31mred\\x1b[0m.jpg is corrupt", "Ray runs 2 trials at a time"]


def test_by_default_it_speaks_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Display()(Event("note", "", "hello"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


def test_a_terminal_shows_the_stage_the_trial_the_best_and_the_time_left() -> None:
    shown = on_terminal(
        Event("stage-started", "training", "starting Ray"),
        trial(1, 0.5, 2e10, best=0.5, eta_s=95.0),
    )
    plain_text = _without_codes(shown)
    assert "[5/8] training" in plain_text
    assert "trial 1 of 6" in plain_text
    assert "best mAP 0.500" in plain_text
    assert "left" in plain_text


def test_a_terminal_keeps_finished_stages_and_yellow_warnings() -> None:
    shown = on_terminal(
        Event("stage-started", "data", "looking", time=5.0),
        Event("warning", "data", "3 corrupt images left out", time=6.0),
        Event("stage-finished", "data", "400 images", {"seconds": 61.0}, time=7.0),
        Event("done", "", "finished", {"ok": False}, time=7.0),
    )
    assert "\x1b[33m! 3 corrupt images left out" in shown
    assert "1 min 01 s" in shown
    assert "✗ finished" in shown
    assert shown.count("\x1b[?25h") >= 1, "the cursor must come back"


def test_a_message_with_rich_markup_is_shown_as_it_is() -> None:
    events = [Event("stage-started", "data", "[red]x[/]"), Event("warning", "data", "[bold]y[/bold] [/z]")]
    assert "[bold]y[/bold] [/z]" in _without_codes(on_terminal(*events))


def test_json_lines_are_the_events() -> None:
    stream = io.StringIO()
    events = Events(JsonLines(stream))
    events.emit("stage-started", "data", "sucht Züge 火车\nzwei", total=2)
    events.emit("trial", "training", "", number=1, score=0.5)
    lines = stream.getvalue().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first["kind"] == "stage-started"
    assert first["message"] == "sucht Züge 火车\nzwei"
    assert second["data"] == {"number": 1, "score": 0.5}


def test_json_lines_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines()(Event("note", "", "hello"))
    out, err = capsys.readouterr()
    assert json.loads(out)["message"] == "hello"
    assert err == ""


def test_time_left_ignores_trials_of_the_run_before() -> None:
    now = time.time()
    shown = on_terminal(Event("stage-started", "training", "", time=now - 10), trial(4, 0.5, now))
    assert re.search(r"about (20|19) s left", _without_codes(shown))


@pytest.mark.parametrize(
    ("done", "total", "elapsed", "limit", "left"),
    [(0, 6, 30.0, None, None), (2, 6, 30.0, None, 60.0), (2, 6, 30.0, 50.0, 20.0), (0, 6, 30.0, 50.0, 20.0)],
)
def test_remaining(done: int, total: int, elapsed: float, limit: float | None, left: float | None) -> None:
    assert remaining_s(done, total, elapsed, limit) == left


@given(st.integers(0, 300), st.integers(1, 300), st.floats(0, 1e6), st.none() | st.floats(0, 1e6))
def test_remaining_is_never_negative(done: int, total: int, elapsed: float, limit: float | None) -> None:
    left = remaining_s(done, total, elapsed, limit)
    assert left is None or left >= 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.7, "1 min 00 s"), (3599.9, "1 h 00 min"), (7860, "2 h 11 min")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_stage_without_number_keeps_its_name() -> None:
    assert (stage_label("deployment"), stage_label("report")) == ("[8/8] deployment", "report")


def test_importing_the_listeners_is_light() -> None:
    code = (
        "import sys, autommlab.progress.display\n"
        "print([m for m in ('torch', 'ray', 'numpy', 'rich.live') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _without_codes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
