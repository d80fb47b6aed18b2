"""Programs that the studio starts: they outlive it, tell how they ended, and no other process is ever interrupted."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autommlab.studio.background import STARTED, Started, interrupt, start, start_errand, work_in
from autommlab.studio.runs import listed_runs
from autommlab.studio.starting import (
    has_ended,
    is_stopping,
    job_of,
    resume_run,
    sent_to,
    start_run,
    started_folder,
    stop_run,
    work_of,
)
from tests.helpers.run_making import make_run

#: Says that it is ready, and what became of it. It takes the signal as `autommlab run` does, also where the tests were
#: started in the background by a shell that ignores it.
WAITS = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", file=sys.stderr, flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit("Error: interrupted")
"""


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_errand_tells_how_it_ended(tmp_path: Path) -> None:
    for name, code, state in (("well", "print('out')", "done"), ("badly", "raise SystemExit('Error: so')", "failed")):
        start_errand(tmp_path / name, [sys.executable, "-c", code])
        wait_for(lambda folder=tmp_path / name: not work_in(folder).is_running)  # type: ignore[misc]
        assert work_in(tmp_path / name).state == state
    assert (tmp_path / "well" / "out.txt").read_text() == "out\n"
    assert work_in(tmp_path / "badly").log == "so"
    assert work_in(tmp_path / "nothing").state == "none"


def test_a_program_that_ends_at_once_is_known(tmp_path: Path) -> None:
    for number in range(20):
        start(tmp_path / str(number), ["/bin/true"])
        assert (tmp_path / str(number) / STARTED).exists()


@pytest.mark.parametrize("begin", [start, start_errand])
def test_an_interrupt_reaches_the_program(tmp_path: Path, begin: Callable[..., None]) -> None:
    begin(tmp_path, [sys.executable, "-c", WAITS])
    wait_for(lambda: work_in(tmp_path).log == "ready")
    assert work_in(tmp_path).is_running
    assert interrupt(tmp_path)
    wait_for(lambda: not work_in(tmp_path).is_running)
    assert work_in(tmp_path).log == "interrupted"
    assert not interrupt(tmp_path)


def test_a_process_that_has_the_number_by_now_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            start(tmp_path, [sys.executable, "-c", ""])
            wait_for(lambda: not work_in(tmp_path).is_running)
            stored = Started.model_validate_json((tmp_path / STARTED).read_bytes())
            ours = stored.model_copy(
                update={"mark": stored.mark.model_copy(update={"pid": other.pid, "started": stored.mark.started - 1})}
            )
            (tmp_path / STARTED).write_text(ours.model_dump_json())
            assert work_in(tmp_path).state == "ended"
            assert not interrupt(tmp_path)
            assert other.poll() is None
        finally:
            other.kill()


def test_the_token_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_STUDIO_TOKEN", "a-token-of-the-tests")
    start(tmp_path, [sys.executable, "-c", "import os; print('AUTOMMLAB_STUDIO_TOKEN' in os.environ)"])
    wait_for(lambda: not work_in(tmp_path).is_running)
    assert (tmp_path / "out.txt").read_text() == "False\n"


def test_a_run_gets_its_words_one_by_one_and_only_ours_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("autommlab.studio.background.program", lambda *words: words)
    monkeypatch.setattr("autommlab.studio.starting.program", lambda *words: [sys.executable, "-c", WAITS, *words])
    run = tmp_path / "run; touch $(evil)"
    assert not stop_run(run)
    start_run(run, ["--trials=1"], "--out=/elsewhere `touch evil`")
    words = Started.model_validate_json((started_folder(run) / STARTED).read_bytes()).words
    assert words[3:] == ("run", "--trials=1", f"--out={run}", "--", "--out=/elsewhere `touch evil`")
    wait_for(lambda: work_of(run).log == "ready")
    assert not is_stopping(run)
    assert stop_run(run)
    assert is_stopping(run)
    assert has_ended(run, 60)
    assert not stop_run(run)


def test_a_run_is_sent_to_a_cluster_and_stopped_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    says = "print('job autommlab-1, results: /x')"
    monkeypatch.setattr("autommlab.studio.starting.program", lambda *words: [sys.executable, "-c", says, *words])
    run, address = make_run(tmp_path / "runs" / "run", finished=False), "http://cluster.example:8265"
    start_run(run, ["--trials=1"], "a text", address)
    wait_for(lambda: work_of(run).state == "done")
    words = Started.model_validate_json((started_folder(run) / STARTED).read_bytes()).words
    assert words[-7:] == ("submit", "--detach", f"--address={address}", "--trials=1", f"--out={run}", "--", "a text")
    assert job_of(run) == "autommlab-1"
    assert [each.state for each in listed_runs(tmp_path / "runs")] == ["on a cluster"]
    assert stop_run(run)
    stop = Started.model_validate_json((started_folder(run) / "stop" / STARTED).read_bytes())
    assert stop.words[-3:] == ("stop", f"--address={address}", "autommlab-1")
    assert [each.state for each in listed_runs(tmp_path / "runs")] == ["stopped"]
    wait_for(lambda: not work_in(started_folder(run) / "stop").is_running)
    resume_run(run, [])
    assert sent_to(run) is None
