"""A program that gets a signal at one of its events, and what it must do then."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import psutil

from tests.helpers.program import command

#: Said by nobody who was told to end.
BAD_WORDS = ("Traceback", "Fatal", "Aborted", "SIGTERM received", "*** ", "fault of autommlab")


def kinds(events: Path) -> list[str]:
    lines = events.read_bytes().split(b"\n")[:-1] if events.exists() else []
    return [f"{event['stage']}:{event['kind']}" for event in map(json.loads, lines)]


def signalled(home: Path, events: Path, mark: str, number: signal.Signals, *arguments: object) -> tuple[int, str]:
    """Start the program, send it a signal when the event `mark` comes; its exit code and what it said on stderr."""
    line, environment = command(home, *arguments)
    before = kinds(events).count(mark)
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 900
    try:
        while kinds(events).count(mark) == before:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, f"{mark} never came"
            time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        said = process.communicate(timeout=120)[0]
    finally:
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    return process.returncode, said


def require_policy(ended: tuple[int, str], number: signal.Signals, hint: str) -> None:
    code, said = ended
    assert code == 128 + number, said
    assert f"interrupted by {number.name}" in said
    assert hint in said
    assert [word for word in BAD_WORDS if word in said] == [], said
