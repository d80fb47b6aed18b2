"""A Ray node in a network namespace of its own: its cable to the others can be pulled. Needs root and Linux."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Addresses that RFC 2544 keeps for tests of networks, so that no real one is hidden.
OUTSIDE, INSIDE = "198.18.77.1", "198.18.77.2"


@dataclass(frozen=True, slots=True)
class Cable:
    """A pair of network cards that joins this machine's namespace, at `OUTSIDE`, and another one, at `INSIDE`."""

    namespace: str
    card: str

    def pull(self) -> None:
        """Nothing gets through, and nobody is told: connections stay open, as on a broken line."""
        _ip("link", "set", self.card, "down")

    def plug(self) -> None:
        """Heal it."""
        _ip("link", "set", self.card, "up")


def why_not() -> str:
    """Why this machine has no namespaces for us; "" if it has."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return "no `ip` program to make network namespaces with"
    try:
        with cable():
            return ""
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made here: {error.stderr.decode().strip()}"


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """A namespace with a cable, for the length of the block."""
    name, cards = f"autommlab-{os.getpid()}", (f"am{os.getpid()}a", f"am{os.getpid()}b")
    _ip("netns", "add", name)
    try:
        _ip("link", "add", cards[0], "type", "veth", "peer", "name", cards[1], "netns", name)
        _ip("addr", "add", f"{OUTSIDE}/30", "dev", cards[0])
        _ip("link", "set", cards[0], "up")
        for line in (f"addr add {INSIDE}/30 dev {cards[1]}", f"link set {cards[1]} up", "link set lo up"):
            _ip("-n", name, *line.split())
        yield Cable(name, cards[0])
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "delete", cards[0])  # with the namespace alone it would go some time later
        _ip("netns", "delete", name)


@contextlib.contextmanager
def node_behind(line: Cable, address: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A node at `INSIDE` of the cluster at `address`.

    Args:
        line: to the others.
        address: of the cluster's control store.
        **options: of `ray start`.
    """
    start = ["start", "--address", address, "--node-ip-address", INSIDE, "--block"]
    start += [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    process = subprocess.Popen(
        [_program(), "netns", "exec", line.namespace, sys.executable, "-m", "ray.scripts.scripts", *start],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for number in _ip("netns", "pids", line.namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)
        process.wait()


def _ip(*arguments: str) -> str:
    return subprocess.run([_program(), *arguments], check=True, capture_output=True).stdout.decode()


def _program() -> str:
    return shutil.which("ip") or "ip"
