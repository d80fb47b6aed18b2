"""A Ray head with a job server, on loopback, for tests of jobs."""

import contextlib
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

BIN = Path(sys.executable).parent
#: A head that other processes can reach asks for Ray's token; one of our own keeps the user's out of the test.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def ray_head(**environment_of_jobs: str) -> Iterator[str]:
    """Address of the job server of a head that ends with the block."""
    from autommlab.common.private_ray import RAY_ENVIRONMENT

    dashboard = free_port()
    scratch = tempfile.TemporaryDirectory(prefix="ray-head-", ignore_cleanup_errors=True)
    line = [BIN / "ray", "start", "--head", "--block", "--port", free_port(), "--node-ip-address", "127.0.0.1"]
    line += ["--dashboard-host", "127.0.0.1", "--dashboard-port", dashboard, "--temp-dir", scratch.name]
    # Ray's fixed port for job agents may be taken by another Ray of this machine; then no job is ever accepted.
    line += ["--dashboard-agent-listen-port", free_port()]
    environment = {
        **os.environ,
        **RAY_ENVIRONMENT,
        **TOKEN,
        **environment_of_jobs,
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
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
            with urllib.request.urlopen(f"{address}/api/version", timeout=2):  # noqa: S310 - our own address
                return
        except urllib.error.HTTPError:  # it answers; without Ray's token it refuses, which is right
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"no Ray job server at {address} after {seconds} s")
