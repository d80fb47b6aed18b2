"""A Ray of our own: reachable from this machine only, and out of the way of a `ray start --head` beside it."""

import json
import subprocess
import sys

import pytest

from autommlab.common.private_ray import START_ATTEMPTS, start_private_ray

#: Where every node of `ray start` has its job agent.
RAYS_AGENT_PORT = 52365
CODE = """
import json, os, time
import psutil
from autommlab.common.private_ray import prepare_ray_environment, start_private_ray

prepare_ray_environment()
start_private_ray(num_cpus=1)
time.sleep(8)  # the agent binds its port some seconds after the node is up
mine = psutil.Process().children(recursive=True)
listening = [
    [connection.laddr.ip, connection.laddr.port]
    for process in mine
    for connection in process.net_connections("inet")
    if connection.status == psutil.CONN_LISTEN
]
print("listening:" + json.dumps(listening))
"""


@pytest.mark.slow
def test_it_listens_on_loopback_and_leaves_rays_agent_port_free() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("listening:")]
    listening = json.loads(line.removeprefix("listening:"))
    assert len(listening) > 3
    assert {ip.removeprefix("::ffff:") for ip, _ in listening} <= {"127.0.0.1", "::1"}
    assert RAYS_AGENT_PORT not in [port for _, port in listening]


class _SlowStart:
    """Ray's own complaint for so many times, then Ray's own start; a fault that no test can have for real."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error, self.asked = times, error, 0

    def __call__(self, **_: object) -> None:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise self.error


_TOO_SLOW = Exception("The current node timed out during startup. This could happen because the GCS is overloaded.")


@pytest.mark.parametrize("error", [_TOO_SLOW, TimeoutError("no GCS"), RuntimeError("no raylet")])
def test_a_busy_machine_gets_another_chance(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    start = _SlowStart(START_ATTEMPTS - 1, error)
    monkeypatch.setattr("ray.init", start)
    start_private_ray()
    assert start.asked == START_ATTEMPTS


def test_a_machine_that_stays_too_busy_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", _SlowStart(99, _TOO_SLOW))
    with pytest.raises(TimeoutError, match="is the machine overloaded"):
        start_private_ray()


def test_another_error_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    start = _SlowStart(99, ValueError("a wrong argument"))
    monkeypatch.setattr("ray.init", start)
    with pytest.raises(ValueError, match="a wrong argument"):
        start_private_ray()
    assert start.asked == 1
