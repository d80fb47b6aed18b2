"""A Ray of our own: reachable from this machine only, and out of the way of a `ray start --head` beside it."""

import json
import subprocess
import sys

import pytest

#: Where every node of `ray start` has its job agent.
RAYS_AGENT_PORT = 52365
CODE = """
import json, os, time
import psutil
from serve.private_ray import prepare_ray_environment, start_private_ray

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
