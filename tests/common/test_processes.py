"""A process is told from a later one of its number, and from one of another boot."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from autommlab.common.processes import ProcessMark, boot_id, created_after_boot_s, is_still


def test_a_process_is_itself_and_nobody_else() -> None:
    me = psutil.Process()
    started = created_after_boot_s(me)
    assert is_still(me, started, boot_id())
    assert not is_still(me, started - 1, boot_id())
    assert not is_still(me, started, "another boot")
    assert not is_still(me, None, boot_id())


def test_a_mark_finds_its_process_until_it_ends() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = ProcessMark.of(child.pid)
    found = mark.process()
    assert found is not None
    assert found.pid == child.pid
    child.communicate(b"\n")
    assert mark.process() is None
    assert ProcessMark(pid=os.getpid(), started=mark.started, boot=mark.boot).process() is None
    with pytest.raises(psutil.Error):
        ProcessMark.of(child.pid)
