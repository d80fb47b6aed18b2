"""What a request must be before it reaches vLLM: an allowed route and host, the key, and no more than its share.

vLLM guards only paths that begin with /v1 and comes with dozens of others, a full completion among them
(`/invocations`); new versions bring more. So everything is refused but the routes listed here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serve.settings import ServiceSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_CHAT = ("POST", "/v1/chat/completions")
#: Everything that the service answers, and all of it but `_OPEN` with the key only.
ROUTES = frozenset(
    {
        _CHAT,
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/v1/models"),
        ("POST", "/v1/load_lora_adapter"),
        ("POST", "/v1/unload_lora_adapter"),
    }
)
#: For whoever watches the service: tells that it lives, and nothing else.
_OPEN = ("GET", "/health")
#: Fields of a chat request whose cost `max_sequences` does not bound: an answer for each token of the prompt, and
#: a search that keeps several texts for each one asked for.
REFUSED_FIELDS = ("prompt_logprobs", "use_beam_search")
#: Of an announced length; Python reads no integer of some thousand digits.
_MOST_DIGITS = 18
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Refused(Exception):
    """A request that is not let in."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Gate:
    """ASGI app around another that sees only requests that are let in.

    Args:
        app: gets them.
        settings: key, hosts and bounds.
    """

    def __init__(self, app: Any, settings: ServiceSettings) -> None:
        self._app = app
        self._key = _digest(settings.api_key) if settings.api_key else None
        self._hosts = frozenset({*_LOOPBACK, settings.host, *settings.allowed_hosts})
        self._most_bytes = int(settings.max_body_mb * 2**20)
        self._most_at_once = settings.client_requests
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer or pass on one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        client = str((scope.get("client") or ("", 0))[0])
        try:
            route = self._checked(scope)
            if route != _OPEN and self._under_way[client] >= self._most_at_once:
                raise _Refused(429, f"{self._most_at_once} requests of yours are under way; wait for one")
            self._under_way[client] += 1
            try:
                body = await self._body(scope, receive)
                if route[0] == "POST":
                    _check_body(body, chat=route == _CHAT)
                await self._app(scope, _replayed(body, receive), send)
            finally:
                self._under_way[client] -= 1
                self._under_way += Counter()  # forgets those that have none
        except _Refused as refusal:
            await _refuse(refusal, send)

    def _checked(self, scope: Message) -> tuple[str, str]:
        headers = _headers(scope)
        route = (str(scope["method"]), str(scope["path"]))
        if "*" not in self._hosts and _host_name(headers.get("host", "")) not in self._hosts:
            raise _Refused(421, "this host name is not served here; name it in allowed_hosts of the settings")
        # Before the route: without the key nobody learns what there is.
        if route != _OPEN and self._key is not None and not self._has_key(headers):
            raise _Refused(401, "the key is missing or wrong; send it as `Authorization: Bearer KEY`")
        if route not in ROUTES:
            raise _Refused(404, f"no such route; there are {', '.join(sorted(path for _, path in ROUTES))}")
        return route

    def _has_key(self, headers: dict[str, str]) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._key is not None and hmac.compare_digest(_digest(key), self._key)

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        too_large = _Refused(413, f"a request may have {self._most_bytes} bytes")
        announced = _headers(scope).get("content-length", "0")
        if not announced.isdecimal() or len(announced) > _MOST_DIGITS or int(announced) > self._most_bytes:
            raise too_large
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Refused(400, "the connection ended before the request did")
            body += message.get("body", b"")
            if len(body) > self._most_bytes:
                raise too_large
            if not message.get("more_body", False):
                return bytes(body)


def _check_body(body: bytes, *, chat: bool) -> None:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, "the body is not valid JSON") from error
    if not isinstance(asked, dict):
        raise _Refused(400, "the body is not a JSON object")
    for field in REFUSED_FIELDS if chat else ():
        if asked.get(field):
            raise _Refused(400, f"{field} is not served here: it would take the service from all others")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, then what comes after it (that the client went away)."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return pending.pop() if pending else await receive()

    return again


async def _refuse(refusal: _Refused, send: Send) -> None:
    """In the form of vLLM's own errors."""
    error = {"message": str(refusal), "type": "refused", "param": None, "code": refusal.status}
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if refusal.status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _host_name(header: str) -> str:
    """The name in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
