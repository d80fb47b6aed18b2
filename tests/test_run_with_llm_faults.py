"""A run beside the real service (tiny model) whose replica keeps dying, and whose own program is killed too."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autommlab.training.records import TrialRecord
from serve.client import ServiceClient
from serve.errors import ServiceError
from serve.settings import KEY_VARIABLE, ServiceSettings
from serve.testing import running_service, tiny_settings
from tests.helpers.program import autommlab, command
from tests.helpers.service_processes import REPLICA, processes, send

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

#: Enough trials without a replica that the candidates of the last answer are out of date, and enough after the resume
#: for the searcher to try the service again (`probe_every_s`).
TRIALS, REPLICA_DIES_AFTER, DRIVER_DIES_AFTER = 16, 1, 8


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return tiny_settings(tmp_path / "service")


@pytest.fixture
def url(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with running_service(settings) as address:
        monkeypatch.setenv("AUTOMMLAB_LLM_URL", address.url)
        yield address.url


@pytest.mark.long
def test_replica_and_driver_killed_lose_no_trial_and_the_report_counts_the_fallbacks(
    home: Path, shapes: Path, parse: Path, tmp_path: Path, url: str, settings: ServiceSettings
) -> None:
    out = tmp_path / "run"
    line, environment = command(
        home, "run", "which material", "--parse", parse, "--data", shapes, "--searcher", "hpo-llama", "--trials",
        TRIALS, "--out", out,
    )  # fmt: skip
    driver = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while len(trials(out)) < DRIVER_DIES_AFTER:
            assert driver.poll() is None, "the run ended before it could be killed"
            if len(trials(out)) >= REPLICA_DIES_AFTER:
                send(processes(settings, REPLICA), signal.SIGKILL)
            time.sleep(0.1)
    finally:
        driver.kill()
        driver.wait()
    before = trials(out)
    wait_for_the_service(url)
    resumed = autommlab(home, "run", "--resume", out)
    assert resumed.returncode == 0, resumed.stderr

    finished = trials(out)
    assert finished[: len(before)] == before
    assert len({repr(trial.hyperparameters) for trial in finished}) == len(finished) == TRIALS
    fallbacks = [trial for trial in finished if trial.fallback]
    assert fallbacks and all(trial.fallback.startswith("service ") for trial in fallbacks)
    back = [trial for trial in finished[len(before) :] if not trial.fallback]
    assert back, "the study never went back to the LLM"
    assert f"fallback proposed {len(fallbacks)} of {TRIALS} trials" in (out / "report.html").read_text()


def trials(out: Path) -> list[TrialRecord]:
    """The complete lines of the record."""
    path = out / "study" / "trials.jsonl"
    text = path.read_text() if path.exists() else ""
    return [TrialRecord.model_validate_json(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def wait_for_the_service(url: str) -> None:
    """Until the replica's successor answers; a run that resumes refuses a service that does not."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            if ServiceClient(url, api_key=os.environ[KEY_VARIABLE]).models(timeout_s=5):
                return
        except ServiceError:
            time.sleep(1)
    pytest.fail("no successor of the replica came up")
