"""Telling the process of a service from others that have, or had, its number."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autommlab.common.processes import boot_id, created_after_boot_s
from serve.state import (
    Phase,
    ServiceState,
    end_processes,
    processes_of,
    write_state,
)


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


def test_a_clock_that_is_set_in_mid_reading_does_not_either(
    leader: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = created_after_boot_s(leader)
    boot = psutil.boot_time()
    readings = iter([boot])
    monkeypatch.setattr("psutil.boot_time", lambda: next(readings, boot + 1))
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + 1)
    again = created_after_boot_s(psutil.Process(leader.pid))
    assert again == pytest.approx(before, abs=1e-3)


def test_a_process_is_ended_though_its_number_was_seen_on_another(
    leader: psutil.Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(tmp_path, state_of(leader))
    earlier = psutil.Process(leader.pid)
    earlier._ident = (leader.pid, 1.0)  # what psutil tells owners of one number apart by
    monkeypatch.setattr("psutil._pmap", {leader.pid: earlier})
    end_processes(processes_of(tmp_path), 5)
    assert not leader.is_running() or leader.status() == psutil.STATUS_ZOMBIE


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
