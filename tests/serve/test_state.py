"""Telling the process of a service from others that have, or had, its number."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from serve.state import Phase, ServiceState, boot_id, created_after_boot_s, processes_of, write_state


@pytest.fixture
def leader() -> Iterator[psutil.Process]:
    """A process with a session of its own, as the service has."""
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as child:
        yield psutil.Process(child.pid)
        child.kill()


def state_of(process: psutil.Process) -> ServiceState:
    return ServiceState(
        pid=process.pid,
        started=created_after_boot_s(process),
        boot=boot_id(),
        ray_address=None,
        url="http://127.0.0.1:1",
        api_key=None,
        base_model="any",
        phase=Phase.READY,
    )


def test_a_service_is_known_by_its_process(leader: psutil.Process, tmp_path: Path) -> None:
    state = state_of(leader)
    write_state(tmp_path, state)
    assert state.alive
    assert [one.pid for one in processes_of(tmp_path)] == [leader.pid]


def test_a_clock_that_is_set_does_not_hide_the_service(
    leader: psutil.Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(leader)
    write_state(tmp_path, state)
    boot, created = psutil.boot_time(), leader.create_time()
    # Linux reckons the time of the boot back from the clock,
    # and psutil the creation of a process from that.
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + 3600)
    assert psutil.Process(leader.pid).create_time() == pytest.approx(created + 3600)
    assert state.alive
    assert processes_of(tmp_path)


@pytest.mark.parametrize("other", [{"started": 1.0}, {"boot": "an earlier one"}])
def test_somebody_else_with_its_number_is_left_alone(
    leader: psutil.Process, tmp_path: Path, other: dict[str, object]
) -> None:
    state = state_of(leader).model_copy(update=other)
    write_state(tmp_path, state)
    assert not state.alive
    assert not processes_of(tmp_path)


def test_orphans_are_found_when_the_process_itself_is_gone(tmp_path: Path) -> None:
    script = "sleep 60 >/dev/null 2>&1 & echo $!"
    command = ["/bin/sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        state = state_of(psutil.Process(child.pid))
        assert child.stdout is not None
        orphan = int(child.stdout.readline())
    write_state(tmp_path, state)
    try:
        assert not state.alive
        assert [one.pid for one in processes_of(tmp_path)] == [orphan]
    finally:
        os.kill(orphan, 9)
