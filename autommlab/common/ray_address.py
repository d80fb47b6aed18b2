"""Addresses of a Ray as people write them, looked at before Ray's own client waits for a minute."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from autommlab.common.errors import AutoMMLabError, JobError, TrainingError
from autommlab.common.private_folder import restore_variables, token_of
from autommlab.common.storage import shown_uri

#: Seconds for a head that is there; one that is not answers nothing at all.
TIMEOUT_S = 5.0
#: Words that Ray itself takes for an address.
_WORDS = ("auto", "local")
_CLIENT = "ray://"
_JOB_SERVER_PORT = 8265
_MODE = "RAY_AUTH_MODE"
#: What to do where a cluster asks for another token than this machine has, or where it has none.
HOW_TO_AUTHENTICATE = (
    "Put the cluster's own into ~/.ray/auth_token (`ray get-auth-token` on its head shows it), or set "
    "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
)
#: A call without an argument and an effect, of a head and of its server for ray:// addresses.
_HEAD_CALL, _CLIENT_CALL = "/ray.rpc.NodeInfoGcsService/GetClusterId", "/ray.rpc.RayletDriver/ClusterInfo"


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


def send_token_if_asked(head: str, error: type[AutoMMLabError] = TrainingError) -> dict[str, str | None]:
    """Let Ray's clients in this process send the user's token, if the head asks for one.

    Ray leaves a token in ~/.ray/auth_token after any first start, so the file alone says nothing: a cluster that asks
    for none cannot be joined with it. The head itself is asked, also whether it takes the token: Ray's client would try
    for 20 s and print a line of its C++ part each time.

    Args:
        head: any form of address.
        error: raised where no token is at hand, or another one is asked for, or RAY_AUTH_MODE forbids to send one.

    Returns:
        Ray's variables as they were, for `restore_variables`; {} where nothing was changed.
    """
    if not asks_for_token(head):
        return {}
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    asks = f"the Ray at {shown_uri(head)} asks for"
    mode = os.environ.get(_MODE)
    if mode not in (None, "token"):
        raise error(f"{asks} a token, and {_MODE} is {mode!r} here. {HOW_TO_AUTHENTICATE}")
    if not AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True):
        raise error(f"{asks} a token, and there is none. {HOW_TO_AUTHENTICATE}")
    restore_variables({_MODE: "token"})
    kept = {_MODE: mode}
    if asks_for_token(head, AuthenticationTokenLoader.instance().get_token_for_http_header()):
        restore_variables(kept)
        raise error(f"{asks} another token than this machine has. {HOW_TO_AUTHENTICATE}")
    return kept


@contextlib.contextmanager
def token_where_asked(head: str) -> Iterator[None]:
    """Inside the block `send_token_if_asked` holds.

    Raises:
        TrainingError: the head asks for a token, and none is at hand.
    """
    kept = send_token_if_asked(head)
    try:
        yield
    finally:
        if kept:
            restore_variables(kept)


def asks_for_token(head: str, brought: Mapping[str, str] | None = None) -> bool:
    """Whether a head or a job server at any form of address refuses who brings this; False where nobody answers.

    Args:
        brought: header with a token; None = nothing.
    """
    if head in _WORDS:
        here = heads_here()
        return len(here) == 1 and _head_asks(here[0], brought)
    asks = _job_server_asks if head.startswith(("http://", "https://")) else _head_asks
    return asks(head, brought)


def heads_here() -> list[str]:
    """HOST:PORT of the Rays on this machine that answer, without the private ones of runs and of the LLM service."""
    from ray._private.services import find_gcs_addresses

    find_gcs_addresses.cache_clear()  # type: ignore[attr-defined]
    return [each for each in sorted(find_gcs_addresses()) if token_of(each) is None and _silence(each, None) is None]


def _job_server_asks(address: str, brought: Mapping[str, str] | None) -> bool:
    import requests

    try:
        answer = requests.get(f"{address.rstrip('/')}/api/version", headers=dict(brought or {}), timeout=TIMEOUT_S)
    except (requests.RequestException, ValueError):
        return False
    return answer.status_code in (401, 403)


def _head_asks(address: str, brought: Mapping[str, str] | None) -> bool:
    # Ray's own client would do, but prints a line of its C++ part for the refusal.
    import grpc

    call = _CLIENT_CALL if address.startswith(_CLIENT) else _HEAD_CALL
    with grpc.insecure_channel(address.removeprefix(_CLIENT)) as channel:
        try:
            sent = [(name.lower(), value) for name, value in (brought or {}).items()]
            channel.unary_unary(call)(b"", timeout=TIMEOUT_S, metadata=sent)
        except grpc.RpcError as refusal:
            return bool(refusal.code() is grpc.StatusCode.UNAUTHENTICATED)
    return False


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
