"""A Ray of our own: reachable from this machine only, and out of the way of a `ray start --head` beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from autommlab.common.private_folder import make_private_folder
from autommlab.common.private_ray import START_ATTEMPTS, start_private_ray, stop_private_ray

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


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    stop_private_ray()


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

    def __call__(self, **_: object) -> SimpleNamespace:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise self.error
        return SimpleNamespace(address_info={"gcs_address": "127.0.0.1:1"})


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


_SHARED_MACHINE = """
import json, os, stat
from pathlib import Path
from autommlab.common.private_folder import token_of
from autommlab.common.private_ray import prepare_ray_environment, start_private_ray, stop_private_ray
from serve.settings import home

prepare_ray_environment()
start_private_ray(num_cpus=1)
import ray

address = ray.get_runtime_context().gcs_address
token = token_of(address)
session = Path(ray._private.worker._global_node.get_session_dir_path())
guarded = session.parents[1]

@ray.remote
def work():
    return os.environ["RAY_AUTH_TOKEN_PATH"] == str(token)

def mode(path):
    return stat.S_IMODE(path.stat().st_mode)

told = {
    "token": mode(token), "token_in_home": token.is_relative_to(home()), "folder": mode(token.parent),
    "temporary": mode(guarded), "works": ray.get(work.remote()), "address": address,
}
stop_private_ray()
told["left"] = [str(path) for path in (token.parent, guarded) if path.exists()]
told["variables"] = [name for name in os.environ if name.startswith("RAY_AUTH")]
print("told:" + json.dumps(told))
"""


@pytest.mark.slow
def test_its_token_and_folder_are_its_own_and_home_may_be_read_only(tmp_path: Path) -> None:
    # No user can write below /proc, root neither.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    environment = {**kept, "HOME": "/proc/home", "AUTOMMLAB_HOME": str(tmp_path / "own")}
    done = subprocess.run(
        [sys.executable, "-c", _SHARED_MACHINE], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("told:")]
    told = json.loads(line.removeprefix("told:"))
    assert told.pop("address").startswith("127.0.0.1:")
    assert told == {
        "token": 0o600, "token_in_home": True, "folder": 0o700, "temporary": 0o700, "works": True,
        "left": [], "variables": [],
    }  # fmt: skip


def test_folders_of_a_process_that_was_killed_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    code = (
        "import os; from autommlab.common.private_folder import make_private_folder as make; print(make()); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    (left,) = (tmp_path / "ray").iterdir()
    temporary = Path(json.loads((left / "record.json").read_text())["temporary"])
    assert temporary.parent.is_dir()
    mine = make_private_folder()
    try:
        assert not left.exists()
        assert not temporary.parent.exists()
        make_private_folder().remove()
        assert mine.token_file.stat().st_mode & 0o777 == 0o600, "that of a living process stays"
    finally:
        mine.remove()
