"""`ray job submit` with a request, against a real local Ray head."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import EXAMPLES
from ray_head import BIN, TOKEN, ray_head

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def head() -> Iterator[str]:
    with ray_head() as address:
        yield address


def submit(line: list[str], seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run `ray job submit`; a head that has just started has no agent for jobs yet and says so."""
    deadline = time.monotonic() + seconds
    while True:
        done = subprocess.run(line, env={**os.environ, **TOKEN}, capture_output=True, text=True, timeout=500)
        if "No available agent" not in done.stderr or time.monotonic() > deadline:
            return done
        time.sleep(2)


def test_a_request_runs_as_a_ray_job(head: str, tmp_path: Path) -> None:
    request = json.loads((EXAMPLES / "classify_animals.json").read_text())
    request["data"].update(object=["digits"], specific=["digits"])
    parse, out = tmp_path / "parse.json", tmp_path / "run"
    parse.write_text(json.dumps(request))
    runtime = json.dumps({"env_vars": {"AUTOMMLAB_HOME": str(tmp_path / "home")}})
    line = ["job", "submit", "--address", head, "--runtime-env-json", runtime, "--"]
    line += ["autommlab", "run", "read handwritten digits", "--parse", parse, "--trials", 2, "--out", out]
    done = submit([str(BIN / "ray"), *map(str, line)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout
    assert len((out / "study" / "trials.jsonl").read_text().splitlines()) == 2
    assert (out / "bundle" / "bundle.json").exists()
    workers = {json.loads(line)["worker"] for line in (out / "study" / "trials.jsonl").read_text().splitlines()}
    assert all(workers)
