"""Addresses of a Ray as people write them, looked at before Ray's own client waits for a minute."""

from __future__ import annotations

import logging
import socket
from urllib.parse import urlsplit

from autommlab.common.errors import JobError, TrainingError
from autommlab.common.storage import shown_uri

#: Seconds for a head that is there; one that is not answers nothing at all.
TIMEOUT_S = 5.0
#: Words that Ray itself takes for an address.
_WORDS = ("auto", "local")
_CLIENT = "ray://"
_JOB_SERVER_PORT = 8265


def require_ray(address: str) -> None:
    """Somebody listens at the address of a Ray head: HOST:PORT or ray://HOST:PORT; Ray's own words are let through.

    Raises:
        TrainingError: nobody does, or it is the address of something else.
    """
    if address in _WORDS:
        return
    shown = shown_uri(address)  # an environment variable may name one with a password
    if "://" in address.removeprefix(_CLIENT):
        raise TrainingError(
            f"{shown!r} is the address of a job server, not of a Ray head: give HOST:6379, as `ray start --head` "
            f"shows it, or send it there: autommlab submit ... --address {shown} (other commands: ray job submit "
            f"--address {shown} -- autommlab ...)"
        )
    problem = _silence(address.removeprefix(_CLIENT), None)
    if problem:
        raise TrainingError(
            f"no Ray answers at {shown!r} ({problem}). An address is HOST:PORT of a head, as `ray start --head` "
            "shows it"
        )


def require_job_server(address: str) -> None:
    """Somebody listens at the address of a job server: http://HOST:8265, or HOST:PORT of a head, or ray://.

    Raises:
        JobError: nobody does, or it is no address.
    """
    if address in _WORDS:
        return
    scheme, _, rest = address.rpartition("://")
    if scheme not in ("", "http", "https", "ray"):
        problem: str | None = f"{scheme}:// is no scheme of Ray"
    else:
        problem = _silence(rest.split("/")[0], {"http": 80, "https": 443}.get(scheme))
    if problem:
        raise JobError(
            f"no Ray job server answers at {shown_uri(address)!r} ({problem}). Its address is "
            f"http://HOST:{_JOB_SERVER_PORT}, as `ray start --head` shows it for the dashboard"
        )


def use_token_file() -> None:
    """Let Ray's clients in this process send the token in Ray's own file, as its command line does.

    Ray leaves one there after its first start, and then asks for it; RAY_AUTH_MODE, if set, still decides.
    """
    from ray._private.authentication import authentication_token_setup as setup

    logging.getLogger(setup.__name__).setLevel(logging.ERROR)  # tells of it at each call
    setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def _silence(host_and_port: str, usual_port: int | None) -> str | None:
    """Why nobody can be reached there, None if somebody listens."""
    try:
        parts = urlsplit(f"//{host_and_port}")
        host, port = parts.hostname, parts.port or usual_port
    except ValueError as error:  # a port that is no number
        return str(error)
    if not host or port is None:
        return "it has no HOST:PORT"
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_S).close()
    except (OSError, UnicodeError, OverflowError) as error:
        return str(error)
    return None
