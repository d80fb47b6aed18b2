"""Addresses and ports for services of ours, looked at before anything is started."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import socket

#: Below those that the system hands out by itself: Ray takes dozens of them before ours is bound.
_OWN_PORTS = range(20000, 32000)
#: Names of this machine for its own programs.
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach a service on this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def free_port(host: str) -> int | None:
    """A free port of this address; None where none is left, or it is no address of this machine."""
    if port_problem(host, 0) is not None:
        return None
    for port in random.sample(_OWN_PORTS, len(_OWN_PORTS)):
        with socket.socket(_family(host)) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port
    return None


def port_problem(host: str, port: int) -> str | None:
    """Why nothing can listen there, in the system's words; None if something can."""
    try:
        with socket.socket(_family(host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error.strerror or str(error)
    except (TypeError, ValueError) as error:  # no text that could be a host's name
        return str(error)
    return None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
