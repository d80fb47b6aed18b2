"""`ray job submit` with a request, against a real local Ray head."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
BIN = Path(sys.executable).parent
#: A head that other processes can reach asks for Ray's token; one of our own keeps the user's out of the test.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
EXAMPLES = Path(__file__).resolve().parents[1] / "autommlab" / "examples"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def head() -> Iterator[str]:
    """Address of the job server of a Ray head of our own, on loopback."""
    from autommlab.compat import RAY_ENVIRONMENT

    dashboard = free_port()
    scratch = tempfile.TemporaryDirectory(prefix="ray-head-", ignore_cleanup_errors=True)
    line = [BIN / "ray", "start", "--head", "--block", "--port", free_port(), "--node-ip-address", "127.0.0.1"]
    line += ["--dashboard-host", "127.0.0.1", "--dashboard-port", dashboard, "--temp-dir", scratch.name]
    # Ray's fixed port for job agents may be taken by another Ray of this machine; then no job is ever accepted.
    line += ["--dashboard-agent-listen-port", free_port()]
    environment = {**os.environ, **RAY_ENVIRONMENT, **TOKEN, "PATH": f"{BIN}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [str(part) for part in line],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{dashboard}"
    try:
        wait_until_up(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        scratch.cleanup()


def wait_until_up(address: str, process: subprocess.Popen, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the Ray head ended while starting"
        try:
            with urllib.request.urlopen(f"{address}/api/version", timeout=2):
                return
        except urllib.error.HTTPError:  # it answers; without Ray's token it refuses, which is right
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"no Ray job server at {address} after {seconds} s")


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
