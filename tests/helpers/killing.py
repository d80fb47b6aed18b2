"""Ending a run with `kill -9` at a given event."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

from tests.helpers.program import command


def started(folder: Path) -> list[str]:
    path = folder / "events.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [event["stage"] + ":" + event["kind"] for event in events]


def kill_when(home: Path, folder: Path, mark: str, *arguments: object) -> None:
    """Start a run, wait for the event `mark`, then kill -9 the program."""
    line, environment = command(home, *arguments)
    before = started(folder).count(mark)
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    try:
        while started(folder).count(mark) == before:
            assert process.poll() is None, f"the run ended before {mark}"
            assert time.monotonic() < deadline, f"{mark} never came"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
