"""What `ray up` does with machines.yaml, on this one host: its own commands, with ports and homes of the test.

Left out are ssh, the copying and `uv sync` (nothing to log in to), and `ray stop`, which would end every other Ray
of this machine. Everything else runs as the file says it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.program import command

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(400)]
MACHINES = Path(__file__).resolve().parents[2] / "autommlab" / "cluster_files" / "machines.yaml"
BIN = Path(sys.executable).parent
LLM_IN_FILE = "10.0.0.13"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Machine:
    """One "machine" of the walk: a home folder of its own on this host."""

    def __init__(self, home: Path, own_ip: str, head: Machine | None = None) -> None:
        self.home, self.ip = home, own_ip
        self.port: int = head.port if head else free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (home / ".ray").mkdir(parents=True)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self.env |= {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}", "RAY_worker_niceness": "0"}
        # As the launcher sets them.
        self.env |= {"RAY_HEAD_IP": own_ip, "RAY_USAGE_STATS_ENABLED": "0"}

    def set_up(self, commands: list[str]) -> None:
        for line in commands:
            if "uv" not in line:
                subprocess.run(["/bin/bash", "-c", line], env=self.env, check=True)

    def start(self, commands: list[str], *options: object) -> None:
        """`ray start` of the file, in the foreground so that it can be ended without `ray stop`."""
        (line,) = (line for line in commands if line != "ray stop")
        self.line = line.replace("6379", str(self.port)) + " " + " ".join(["--block", *map(str, options)])
        self.start_again()

    def start_again(self) -> None:
        with (self.home / "ray.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["/bin/bash", "-c", self.line],
                env=self.env,
                start_new_session=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def keep_up(self) -> None:
        """On a busy machine Ray gives a start up after 30 s; an admin would call `ray up` again."""
        if self.process is not None and self.process.poll() is not None:
            self.start_again()

    def ask_to_end(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def ports() -> list[str]:
    """Of the node's agent, whose fixed ones other Rays of this host may hold."""
    names = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port")
    return [f"--{name}={free_port()}" for name in names]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, str]]:
    """The head and the address of its job server, with one worker of each role."""
    import ray
    from ray.autoscaler._private.util import prepare_config, validate_config

    ip = ray.util.get_node_ip_address()
    config = yaml.safe_load(MACHINES.read_text())
    # The head's autoscaler would log in to the workers; here they are started by hand.
    config["provider"] |= {"head_ip": ip, "worker_ips": []}
    prepared: dict[str, Any] = prepare_config(config)
    validate_config(prepared)
    homes = tmp_path_factory.mktemp("machines")
    head = Machine(homes / "head", ip)
    subprocess.run([BIN / "ray", "get-auth-token", "--generate"], env=head.env, check=True, stdout=subprocess.DEVNULL)
    (head.home / "ray_bootstrap_config.yaml").write_text(json.dumps(prepared))
    head.set_up(prepared["head_setup_commands"])
    workers = []
    for name, llm_nodes in (("trainer", LLM_IN_FILE), ("llm", ip)):
        worker = Machine(homes / name, ip, head)
        shutil.copy(head.home / ".ray" / "auth_token", worker.home / ".ray" / "auth_token")
        worker.set_up([line.replace(LLM_IN_FILE, llm_nodes) for line in prepared["worker_setup_commands"]])
        workers.append(worker)
    dashboard = free_port()
    with tempfile.TemporaryDirectory(prefix="walk-", ignore_cleanup_errors=True) as scratch:
        own = [f"--dashboard-port={dashboard}", f"--ray-client-server-port={free_port()}", f"--temp-dir={scratch}"]
        try:
            head.start(prepared["head_start_ray_commands"], *own, *ports())
            until(lambda: listens(ip, head.port))
            for worker in workers:
                worker.start(prepared["worker_start_ray_commands"], "--num-cpus=1", *ports())
            until(lambda: all_joined(head, workers))
            yield head, f"http://127.0.0.1:{dashboard}"
        finally:
            for machine in (*workers, head):
                machine.ask_to_end()
            for machine in (*workers, head):
                machine.end()


def listens(ip: str, port: int) -> bool:
    socket.create_connection((ip, port), 1).close()
    return True


def all_joined(head: Machine, workers: list[Machine]) -> bool:
    for worker in workers:
        worker.keep_up()
    return len(roles(head)) == 3


def until(holds: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if holds():
                return
        time.sleep(0.5)
    raise AssertionError(f"not so after {seconds} s")


def status(head: Machine, *arguments: object, token: bool = True) -> subprocess.CompletedProcess[str]:
    line, _ = command(head.home, "status", "--address", f"{head.ip}:{head.port}", *arguments)
    env = {**head.env, "AUTOMMLAB_HOME": str(head.home), "RAY_AUTH_MODE": "token" if token else "disabled"}
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=120)


def roles(head: Machine) -> list[list[str]]:
    done = status(head, "--json")
    (cluster,) = json.loads(done.stdout)["clusters"] if done.returncode == 0 else [{"nodes": []}]
    return sorted(node["roles"] for node in cluster["nodes"])


def test_each_machine_finds_its_role_and_the_head_holds_no_trial(walked: tuple[Machine, str]) -> None:
    head, _ = walked
    assert roles(head) == [[], ["llm"], ["trainer"]]
    (cluster,) = json.loads(status(head, "--json").stdout)["clusters"]
    cpus = {tuple(node["roles"]): node["cpus"] for node in cluster["nodes"]}
    assert cpus == {(): 0, ("llm",): 1, ("trainer",): 1}
    assert all(node["cpus_used"] == 0 for node in cluster["nodes"])


def test_a_job_inherits_where_trials_run_and_status_shows_it(walked: tuple[Machine, str]) -> None:
    head, address = walked
    line = ["ray", "job", "submit", "--address", address, "--submission-id", "request-1", "--"]
    line += ["printenv", "AUTOMMLAB_TRIAL_RESOURCE", "AUTOMMLAB_LLM_RESOURCE", "AUTOMMLAB_RESULTS"]
    env = {**head.env, "RAY_AUTH_MODE": "token"}

    def submitted() -> bool:
        done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=200)
        said.append(done.stdout + done.stderr)
        return "No available agent" not in done.stderr

    said: list[str] = []
    until(submitted)
    assert "trainer\nllm\n/mnt/shared/autommlab" in said[-1]
    shown = status(head)
    assert shown.returncode == 0, shown.stderr
    assert "request-1" in shown.stdout
    assert "SUCCEEDED" in shown.stdout
    assert "LLM service: down" in shown.stdout


def test_without_the_token_nobody_sees_anything(walked: tuple[Machine, str]) -> None:
    head, address = walked
    refused = status(head, token=False)
    assert refused.returncode == 5
    assert "RAY_AUTH_MODE=token" in refused.stderr
    line = ["ray", "job", "submit", "--address", address, "--", "true"]
    env = {**head.env, "RAY_AUTH_MODE": "disabled"}
    assert subprocess.run(line, env=env, capture_output=True, timeout=100).returncode != 0
