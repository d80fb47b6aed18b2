"""LLM searchers inside real Ray Tune runs: killed and restored, and with a service that goes away.

Long: in the usual run other searchers are killed in Ray Tune (`test_tune.py`), `autommlab run` asks the real service
in it (`tests/understanding`), and the service is lost outside of it (`test_llm_faults.py`, `test_llm_real_faults.py`).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.tune_study import command, environment_with, finished, kill_after, uninterrupted

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with FaultServer() as running:
        monkeypatch.setenv("AUTOMMLAB_LLM_URL", running.url)
        yield running


@pytest.fixture
def study_environment(server: FaultServer) -> Iterator[dict[str, str]]:
    # Ray's socket paths must stay below 107 characters, which tmp_path may exceed.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        yield environment_with(folder)


def test_a_killed_study_goes_on_with_the_same_proposals(tmp_path: Path, study_environment: dict[str, str]) -> None:
    args = command(tmp_path, "llm+tpe", "none", 14, 0.1)
    kill_after(subprocess.Popen(args, env=study_environment), tmp_path, trials=12)
    subprocess.run([*args, "restore"], env=study_environment, check=True)
    configs = {line["trial"]: line["config"] for line in finished(tmp_path)}
    assert list(configs.values()) == uninterrupted("llm+tpe", 14)


def test_a_study_outlives_its_service(tmp_path: Path, study_environment: dict[str, str], server: FaultServer) -> None:
    def fail_later() -> None:
        while len(server.requests) < 2:
            time.sleep(0.02)
        server.fault = "error"

    threading.Thread(target=fail_later, daemon=True).start()
    args = command(tmp_path, "hpo-llama", "asha", 14, 0.05)
    done = subprocess.run(args, env=study_environment, check=True, capture_output=True, text=True)
    assert len(json.loads((tmp_path / "summary.json").read_text())) == 14
    assert "does not work: service refused" in done.stderr
    assert "a configuration of random takes its place" in done.stderr
