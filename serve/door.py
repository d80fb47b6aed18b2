"""The door of an HTTP service: host name, key, size and share of a request are looked at before anything else sees it.

`Gate` (`serve/gate.py`) is the LLM service's; the model service has one of its own (`autommlab/model_service/door.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
#: Method and path.
Route = tuple[str, str]

#: Of an announced length; Python reads no integer of some thousand digits.
_MOST_DIGITS = 18
#: Seconds in which a body must have come: whoever sends it drop by drop holds a place.
_BODY_S = 60.0


class Refused(Exception):
    """A request that is not let in.

    Attributes:
        status: HTTP's.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Terms:
    """Who is let in, and with how much.

    Attributes:
        key: what clients must send as `Authorization: Bearer KEY`; None asks for nothing.
        hosts: names in the Host header under which the service is asked, "*" = any.
        most_bytes: of a body.
        most_at_once: requests of one account (`Door.account`) under way.
        wrong_host: what to do where the Host header is none of `hosts`.
    """

    key: str | None
    hosts: frozenset[str]
    most_bytes: int
    most_at_once: int
    wrong_host: str


class Door(ABC):
    """ASGI app around another that sees only requests that are let in. A subclass knows the routes.

    Args:
        app: gets them.
        terms: who is let in.
    """

    def __init__(self, app: Any, terms: Terms) -> None:
        self._app = app
        self._terms = terms
        self._key = _digest(terms.key) if terms.key else None
        self._under_way: Counter[str] = Counter()

    @abstractmethod
    def is_open(self, route: Route) -> bool:
        """Whether a route needs neither the key nor a place."""

    @abstractmethod
    def check_route(self, route: Route) -> None:
        """Raise `Refused` for a route that is not served; called once the key is right."""

    def account(self, scope: Message) -> str:
        """On whom a request counts; the default is the client's address."""
        return str((scope.get("client") or ("", 0))[0])

    def too_many(self) -> str:
        """What is said where `most_at_once` requests are under way."""
        return f"{self._terms.most_at_once} requests of yours are under way; wait for one"

    async def pass_on(self, scope: Message, body: bytes, receive: Receive, send: Send) -> None:
        """Answer a request that is let in; may still raise `Refused` while nothing is sent."""
        await self._app(scope, replayed(body, receive), send)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer or pass on one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await self._let_in(scope, receive, send)
        except Refused as refusal:
            await refuse(refusal, send)

    async def _let_in(self, scope: Message, receive: Receive, send: Send) -> None:
        route, account = self._checked(scope), self.account(scope)
        if not self.is_open(route) and self._under_way[account] >= self._terms.most_at_once:
            raise Refused(429, self.too_many())
        self._under_way[account] += 1
        place = _Place(send, lambda: self._leave(account))
        try:
            body = await self._body(scope, receive)
            await self.pass_on(scope, body, receive, place)
        finally:
            place.leave()

    def _leave(self, account: str) -> None:
        self._under_way[account] -= 1
        self._under_way += Counter()  # forgets those that have none

    def _checked(self, scope: Message) -> Route:
        headers = headers_of(scope)
        route = (str(scope["method"]), str(scope["path"]))
        hosts = self._terms.hosts
        if "*" not in hosts and _host_name(headers.get("host", "")) not in hosts:
            raise Refused(421, f"this host name is not served here; {self._terms.wrong_host}")
        # Before the route: without the key nobody learns what there is.
        if not self.is_open(route) and self._key is not None and not self._has_key(headers):
            raise Refused(401, "the key is missing or wrong; send it as `Authorization: Bearer KEY`")
        self.check_route(route)
        return route

    def _has_key(self, headers: dict[str, str]) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._key is not None and hmac.compare_digest(_digest(key), self._key)

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        too_large = Refused(413, f"a request may have {self._terms.most_bytes} bytes")
        announced = headers_of(scope).get("content-length", "0")
        if not announced.isdecimal() or len(announced) > _MOST_DIGITS or int(announced) > self._terms.most_bytes:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_S):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the connection ended before the request did")
                    body += message.get("body", b"")
                    if len(body) > self._terms.most_bytes:
                        raise too_large
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise Refused(408, f"the request did not come within {_BODY_S:g} s") from error


class _Place:
    """`send` of a request that holds a place, and leaves it just before the end of its answer is sent.

    Not after it: the client's next request may be here before the app behind the door has tidied up.
    """

    def __init__(self, send: Send, on_leaving: Callable[[], None]) -> None:
        self._send = send
        self._on_leaving: Callable[[], None] | None = on_leaving

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.leave()
        await self._send(message)

    def leave(self) -> None:
        if self._on_leaving is not None:
            self._on_leaving()
            self._on_leaving = None


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, then what comes after it (that the client went away)."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return pending.pop() if pending else await receive()

    return again


async def refuse(refusal: Refused, send: Send) -> None:
    """In the form of vLLM's own errors, which is OpenAI's."""
    content = json.dumps(error_body(refusal.status, str(refusal), "refused")).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if refusal.status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def error_body(status: int, message: str, kind: str) -> dict[str, Any]:
    """The JSON of an error."""
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def headers_of(scope: Message) -> dict[str, str]:
    """Headers by their name in small letters."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _host_name(header: str) -> str:
    """The name in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
