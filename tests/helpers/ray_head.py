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
from typing import NamedTuple

BIN = Path(sys.executable).parent
#: A head that other processes can reach asks for Ray's token; one of our own keeps the user's out of the test.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}

_ATTEMPTS = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Head(NamedTuple):
    """A head that runs: HOST:PORT of it, and the address of its job server."""

    address: str
    jobs: str


@contextlib.contextmanager
def ray_head(**environment_of_jobs: str) -> Iterator[str]:
    """Address of the job server of a head that asks for the token of the tests and ends with the block."""
    with running_head(**TOKEN, **environment_of_jobs) as head:
        yield head.jobs


@contextlib.contextmanager
def running_head(**environment: str) -> Iterator[Head]:
    """A head that ends with the block; tried again where a busy machine does not bring it up in Ray's fixed 30 s."""
    scratch = tempfile.TemporaryDirectory(prefix="ray-head-", ignore_cleanup_errors=True)
    for attempt in range(1, _ATTEMPTS + 1):
        process, head = _start(Path(scratch.name) / str(attempt), environment)
        try:
            if wait_until_up(head.jobs, process):
                yield head
                return
        finally:
            _end(process)
    raise AssertionError("the Ray head ended while starting")


def _start(folder: Path, environment: dict[str, str]) -> tuple["subprocess.Popen[bytes]", Head]:
    from autommlab.common.private_ray import RAY_ENVIRONMENT

    port, dashboard = free_port(), free_port()
    line = [BIN / "ray", "start", "--head", "--block", "--port", port, "--node-ip-address", "127.0.0.1"]
    line += ["--no-monitor", "--dashboard-host", "127.0.0.1", "--dashboard-port", dashboard, "--temp-dir", folder]
    # Ray's fixed ports may be taken by another Ray of this machine; then no job is ever accepted.
    line += ["--dashboard-agent-listen-port", free_port(), "--ray-client-server-port", free_port()]
    everything = {**os.environ, **RAY_ENVIRONMENT, **environment, "PATH": f"{BIN}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [str(part) for part in line],
        env=everything,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return process, Head(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_until_up(address: str, process: "subprocess.Popen[bytes]", seconds: float = 120) -> bool:
    """Whether the job server answers; False where the head gave up starting."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"{address}/api/version", timeout=2):  # noqa: S310 - our own address
                return True
        except urllib.error.HTTPError:  # it answers; without Ray's token it refuses, which is right
            return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"no Ray job server at {address} after {seconds} s")
