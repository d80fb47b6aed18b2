"""What a request must be before it reaches a page: an allowed host and origin, the token, and no more than its share.

A browser sends cookies and forms to a page on behalf of any other page that it shows. So the cookie is never sent from
another site, a form of another origin is refused, and a name that somebody else has pointed at this machine (DNS
rebinding) is not answered.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from autommlab.common.ports import LOOPBACK
from autommlab.studio.settings import StudioSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: Where data sets and pictures are sent, with limits of their own; all else are forms.
UPLOADS, PICTURES = "/data/upload/", "/try/"
_MOST_FORM_BYTES = 2**20
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Paths that need no token: they hold nothing of anybody.
_OPEN = ("/static/", "/enter")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: "
    "blob:; media-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
#: Of a report, which comes from a run folder: no script, no form, nothing from elsewhere, an origin of its own.
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Gate:
    """ASGI app around another that sees only requests that are let in.

    Args:
        app: gets them.
        settings: token, hosts and limits.
        ask: the page that asks for the token, for a request without the right one.
    """

    def __init__(self, app: Any, settings: StudioSettings, ask: Callable[[Request], Response]) -> None:
        self._app, self._settings, self._ask = app, settings, ask
        self._hosts = frozenset({*LOOPBACK, settings.host, *settings.allowed_hosts})
        self._cookie = f"autommlab-studio-{settings.port}"  # a browser sends cookies to every port of a host
        self._pass = hashlib.sha256(f"studio:{settings.token}".encode()).hexdigest()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer or pass on one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = _with_headers(send)
        answer = self._answer(Request(scope))
        await (answer or self._app)(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        """What is answered here already; None lets the request in."""
        if "*" not in self._hosts and _host(f"//{request.headers.get('host', '')}") not in self._hosts:
            return PlainTextResponse("This host name is not served here; name it with --allow-host.", 421)
        if request.method not in _SAFE:
            if not _of_own_origin(request):
                return PlainTextResponse("A form of another page is not taken.", 403)
            if refusal := self._too_large(request):
                return refusal
        if self._settings.token is None or request.url.path.startswith(_OPEN):
            return None
        if given := request.query_params.get("token"):
            return self.entered(request, given)
        known = request.cookies.get(self._cookie, "")
        return None if hmac.compare_digest(known.encode(), self._pass.encode()) else self._ask(request)

    def entered(self, request: Request, token: str) -> Response:
        """The way in for whoever has the token: a cookie, and the page without the token in its address."""
        if not hmac.compare_digest(token.encode(), (self._settings.token or "").encode()):
            return self._ask(request)
        path = request.url.path if request.method in _SAFE else "/"
        # A path that begins with two slashes would lead a browser to another host.
        answer = RedirectResponse("/" + path.lstrip("/"), 303)
        answer.set_cookie(self._cookie, self._pass, httponly=True, samesite="strict", max_age=30 * 24 * 3600)
        return answer

    def _too_large(self, request: Request) -> Response | None:
        length = request.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 19):
            return PlainTextResponse("The length of the request is missing.", 411)
        most = _MOST_FORM_BYTES
        if request.url.path.startswith(UPLOADS):
            most = self._settings.most_upload_bytes
        elif request.url.path.startswith(PICTURES):
            most = self._settings.most_picture_bytes
        if int(length) > most:
            return PlainTextResponse(f"This is {int(length):,} bytes; at most {most:,} are taken here.", 413)
        return None


def _of_own_origin(request: Request) -> bool:
    """Whether a page of ours sent it, or a program that is no browser."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            extra = [(n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in there]
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return sent
