"""What stands in the process of Ray Serve's proxy: who is let in, what is counted, and a second try.

Ray Serve's proxy answers nothing where a replica died with a request. A prediction changes nothing, so it is asked once
more, of another replica or of the one that comes in its place, and the client does not notice.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from autommlab.common.ports import LOOPBACK
from autommlab.model_service.settings import ModelServiceSettings
from serve.door import Door, Message, Receive, Refused, Route, Send, Terms, replayed

#: The settings of the service whose proxy this process is, as JSON.
SETTINGS_VARIABLE = "AUTOMMLAB_MODEL_SERVICE"
#: Where Ray Serve's proxy looks for what it puts around itself.
RAY_VARIABLE = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
CALLBACK = f"{__name__}:around_the_proxy"

_HEALTH, _METRICS = ("GET", "/healthz"), ("GET", "/metrics")
_DOCUMENTS = re.compile(r"/docs(/oauth2-redirect)?|/openapi\.json|/static-offline-docs/[\w.-]+")
_PREDICT = re.compile(r"/v1/models/([^/]+)/predict")
_MODELS = ("GET", "/v1/models")
_ROUTES = "no such route; there are /v1/models, /v1/models/NAME/predict, /healthz, /metrics and /docs"
#: Of the same request: one that kills each replica which looks at it must not reach them all.
_TRIES = 2
#: Headers that the replicas see. Others, such as those that set Ray Serve's own timeouts, end here.
_PASSED = (b"content-type", b"content-length", b"accept", b"host", b"user-agent")
_TIMING = re.compile(rb"predict;dur=([\d.]+)")
#: While a replica has answered so many seconds ago, the service is healthy without being asked again.
_FRESH_S = 5.0
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def around_the_proxy() -> list[Any]:
    """Called by Ray Serve in its proxy's process, which has the settings in its environment."""
    from starlette.middleware import Middleware

    settings = ModelServiceSettings.model_validate_json(os.environ[SETTINGS_VARIABLE])
    return [Middleware(ModelDoor, settings)]


class Metrics:
    """What is counted, of the whole service: all requests pass this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "autommlab_requests", "Requests by model and HTTP status.", ("model", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "autommlab_request_seconds", "From the whole request to the whole answer.", ("model",),
            registry=self.registry, buckets=_SECONDS,
        )  # fmt: skip
        self.predict_seconds = Histogram(
            "autommlab_predict_seconds", "In the replica: waiting, decoding, the engine, drawing.", ("model",),
            registry=self.registry, buckets=_SECONDS,
        )  # fmt: skip
        self.under_way = Gauge("autommlab_requests_under_way", "Requests under way.", registry=self.registry)
        self.again = Counter(
            "autommlab_requests_asked_again", "Requests whose replica died with them.", registry=self.registry
        )


class ModelDoor(Door):
    """ASGI app around Ray Serve's proxy.

    Args:
        app: the proxy.
        settings: of the service.
    """

    def __init__(self, app: Any, settings: ModelServiceSettings) -> None:
        terms = Terms(
            key=settings.api_key,
            # A key keeps pages of others out that a browser of this machine shows; without one the name must.
            hosts=frozenset({"*"} if settings.api_key else {*LOOPBACK, settings.host}),
            most_bytes=int(settings.max_body_mb * 2**20),
            most_at_once=settings.max_requests,
            wrong_host="ask by 127.0.0.1 or localhost, or start it with --api-key: then any name does",
        )
        super().__init__(app, terms)
        self._models = frozenset(settings.models)
        self._patience_s = settings.request_timeout_s
        self._metrics = Metrics()
        self._answered_at = 0.0

    def is_open(self, route: Route) -> bool:
        """Health, and the page of the API: a browser sends no key for it, and it names no model."""
        return route == _HEALTH or (route[0] == "GET" and _DOCUMENTS.fullmatch(route[1]) is not None)

    def check_route(self, route: Route) -> None:
        """Let what the API has pass, and nothing that Ray Serve adds to it."""
        method, path = route
        if _PREDICT.fullmatch(path) and method != "POST":
            raise Refused(405, f"{path} takes POST with a picture")
        if not (self.is_open(route) or route in (_METRICS, _MODELS) or _PREDICT.fullmatch(path)):
            raise Refused(404, _ROUTES)

    def account(self, scope: Message) -> str:
        """All requests count together."""
        return ""

    def too_many(self) -> str:
        """The limit, and how to raise it."""
        return (
            f"{self._terms.most_at_once} requests are under way, which is the limit (--max-requests); try again in a "
            "second"
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Count the answer of the door."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        model, begun, seen = self._model_of(scope), time.perf_counter(), _Seen(send)
        with self._metrics.under_way.track_inprogress():
            await super().__call__(scope, receive, seen)
        self._metrics.requests.labels(model, str(seen.status or "none")).inc()
        if model and seen.status == 200:
            self._metrics.seconds.labels(model).observe(time.perf_counter() - begun)
            if seen.predict_s is not None:
                self._metrics.predict_seconds.labels(model).observe(seen.predict_s)

    async def pass_on(self, scope: Message, body: bytes, receive: Receive, send: Send) -> None:
        """Answer what this process knows by itself; ask a replica for the rest."""
        route = (str(scope["method"]), str(scope["path"]))
        if route == _METRICS:
            await _send(send, generate_latest(self._metrics.registry), CONTENT_TYPE_LATEST)
        elif route == _HEALTH and time.monotonic() - self._answered_at < _FRESH_S:
            # Under load a question would wait behind the predictions that show that the service is well.
            await _send(send, b'{"status":"ok"}', "application/json")
        else:
            await self._ask(scope, body, receive, send)

    async def _ask(self, scope: Message, body: bytes, receive: Receive, send: Send) -> None:
        client = _Client(receive)
        for number in range(_TRIES):
            attempt = _Attempt(send)
            # Ray Serve's proxy adds to the headers that it is given.
            inner = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() in _PASSED]}
            await self._app(inner, replayed(body, client), attempt)
            if attempt.gave_up:
                raise Refused(504, f"no answer within {self._patience_s:g} s; the service is overloaded, or was halted")
            if attempt.started:
                self._answered_at = time.monotonic()
                return
            if client.gone:
                return
            if number + 1 < _TRIES:
                self._metrics.again.inc()
        raise Refused(503, f"{_TRIES} replicas died with this request; it is not tried again")

    def _model_of(self, scope: Message) -> str:
        """Label of a request: one of the models, or "" - a stranger's names would fill the memory."""
        found = _PREDICT.fullmatch(str(scope["path"]))
        return found[1] if found and found[1] in self._models else ""


class _Client:
    """`receive` of a client that remembers that it went away."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.gone = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.gone = self.gone or message["type"] == "http.disconnect"
        return message


class _Attempt:
    """`send` of one attempt: what Ray Serve says by itself is held back, to be said in our form."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = self.gave_up = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 408:
            self.gave_up = True
        if not self.gave_up:
            self.started = True
            await self._send(message)


class _Seen:
    """`send` that notes what is sent.

    Attributes:
        status: of the answer, None while there is none.
        predict_s: seconds in the replica, if it told them.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.predict_s: float | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            for name, value in message.get("headers", ()):
                found = _TIMING.fullmatch(value) if name.lower() == b"server-timing" else None
                self.predict_s = float(found[1]) / 1000 if found else self.predict_s
        await self._send(message)


async def _send(send: Send, content: bytes, media_type: str) -> None:
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
