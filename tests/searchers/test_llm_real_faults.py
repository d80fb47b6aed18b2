"""Studies beside the real service (tiny model): its engine stalls, all of it is killed.

A replica alone is killed in `test_run_with_llm_faults.py`, a long test. The service is that of `tests/serve`; it is
gone after the last test here.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchers.testing import SPACE, propose, quadratic, report
from serve.lifecycle import ServiceAddress
from serve.settings import ServiceSettings
from serve.state import processes_of
from tests.helpers.llm_making import make_llm
from tests.helpers.service_processes import BACK_WITHIN_S, ENGINE, send, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TRIALS, FAULT_AT = 8, 3


def searcher_at(url: str, seed: int) -> Any:
    return make_llm("hpo-llama", url, SPACE, seed, samples=2, timeout_s=15, patience_s=20, probe_every_s=1)


def next_trial(searcher: Any) -> dict[str, Any]:
    """One trial from proposal to result; what the record says of the proposal."""
    trial_id = f"t{len(searcher.attempts())}"
    config = propose(searcher, trial_id)
    assert config in SPACE
    searcher.on_trial_complete(trial_id, report(quadratic(config)))
    return searcher.proposal_details(trial_id)


def study(searcher: Any, fault: Callable[[], None]) -> list[dict[str, Any]]:
    """A whole study with a fault in its middle."""
    told = []
    for number in range(TRIALS):
        if number == FAULT_AT:
            fault()
        told.append(next_trial(searcher))
    assert len(searcher.attempts()) == TRIALS
    assert [one["proposed_by"] for one in told[:FAULT_AT]] == ["hpo-llama"] * FAULT_AT
    return told


def goes_back_to_the_llm(searcher: Any) -> bool:
    deadline = time.monotonic() + BACK_WITHIN_S
    while time.monotonic() < deadline:
        if next_trial(searcher)["proposed_by"] == "hpo-llama":
            return True
        time.sleep(1)
    return False


def test_a_stalled_engine_is_not_waited_for_and_used_again(
    service: ServiceAddress, tiny: ServiceSettings, caplog: pytest.LogCaptureFixture
) -> None:
    searcher = searcher_at(service.url, 1)
    stalled = wait_for(tiny, ENGINE)
    try:
        told = study(searcher, lambda: send(stalled, signal.SIGSTOP))
        fallbacks = [one for one in told if one.get("fallback")]
        assert fallbacks and all(one["fallback"].startswith("service too slow") for one in fallbacks)
        assert searcher.usage()["fallbacks"] == len(fallbacks)
        assert "takes its place" in caplog.text
    finally:
        send(stalled, signal.SIGCONT)
    assert goes_back_to_the_llm(searcher)


def test_a_study_outlives_all_of_the_service(service: ServiceAddress, tiny: ServiceSettings) -> None:
    searcher = searcher_at(service.url, 3)
    told = study(searcher, lambda: send(processes_of(tiny.folder), signal.SIGKILL))
    lost = told[FAULT_AT:]
    assert all(one["fallback"].startswith("service ") for one in lost)
    assert searcher.usage()["fallbacks"] == len(lost)
    assert all(Path(one["source"]).name in ("random", "zero-shot") for one in lost)
