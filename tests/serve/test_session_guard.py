"""What a killed service leaves: nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

#: Leads a session with a child of its own process group, as Ray's agents are, and a grandchild.
_LEADER = """
import subprocess, sys, time
from serve.daemon import guarded_session
with guarded_session():
    subprocess.Popen(["/bin/sh", "-c", "sleep 600 & sleep 600"], process_group=0)
    print("up", flush=True)
    if sys.argv[1:] == ["end"]:
        sys.exit()
    time.sleep(600)
"""


def in_session(leader: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_a_killed_leader_leaves_in_its_session_ends() -> None:
    line = [sys.executable, "-c", _LEADER]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True) as leader:
        assert leader.stdout is not None
        try:
            assert leader.stdout.readline() == "up\n"
            until(lambda: len(in_session(leader.pid)) >= 4)  # the guard and three others
        finally:
            leader.send_signal(signal.SIGKILL)
        leader.wait()
        until(lambda: not in_session(leader.pid))


def test_the_guard_ends_with_a_leader_that_ends_by_itself() -> None:
    line = [sys.executable, "-c", _LEADER, "end"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True) as leader:
        leader.wait(60)
        try:
            until(lambda: len(in_session(leader.pid)) == 3)  # what it started itself is its own business
        finally:
            for pid in in_session(leader.pid):
                os.kill(pid, signal.SIGKILL)


def test_a_process_that_leads_no_session_guards_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from serve.daemon import guarded_session

    monkeypatch.setattr(os, "getsid", lambda _: 1)
    before = psutil.Process().children()
    with guarded_session():
        assert psutil.Process().children() == before
