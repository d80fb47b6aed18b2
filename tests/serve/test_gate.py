"""The gate before vLLM: which requests are let in, asked without vLLM."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from serve.engine import engine_environment
from serve.gate import REFUSED_FIELDS, ROUTES, Gate
from serve.settings import ServiceSettings

KEY = "the-right-key"
CHAT = "/v1/chat/completions"
#: Routes of vLLM 0.32 that must not be reached, with the key or without it.
OTHERS = (
    ("POST", "/invocations"),
    ("POST", "/tokenize"),
    ("POST", "/detokenize"),
    ("GET", "/load"),
    ("GET", "/version"),
    ("POST", "/scale_elastic_ep"),
    ("POST", "/start_profile"),
    ("POST", "/inference/v1/generate"),
    ("POST", "/v1/completions"),
    ("POST", "/health"),
    ("GET", "/health/"),
    ("GET", "//health"),
    ("OPTIONS", CHAT),
    ("GET", "/docs"),
)


class Inner:
    """What stands behind the gate: remembers what it was asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.asked.append((scope["path"], message["body"]))
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def gate(inner: Inner, **settings: Any) -> Gate:
    return Gate(inner, ServiceSettings(**{"api_key": KEY, **settings}))


async def ask(
    app: Gate,
    method: str,
    path: str,
    *parts: bytes,
    key: str | None = KEY,
    host: str = "127.0.0.1:8473",
    client: str = "127.0.0.1",
    length: int | None = None,
) -> int:
    """The status of the answer to one request."""
    headers = [(b"host", host.encode())]
    headers += [(b"authorization", f"Bearer {key}".encode())] if key is not None else []
    headers += [(b"content-length", str(length).encode())] if length is not None else []
    pending = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)} for number, part in enumerate(parts, 1)
    ] or [{"type": "http.request"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return pending.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": (client, 1)}
    await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES))
def test_a_listed_route_needs_the_key_and_only_health_does_not(method: str, path: str) -> None:
    inner = Inner()
    body = b"{}" if method == "POST" else b""
    open_to_all = path == "/health"
    for key in (None, "", "wrong", f"{KEY} ", KEY.upper()):
        status = asyncio.run(ask(gate(inner), method, path, body, key=key))
        assert status == (200 if open_to_all else 401), key
    assert len(inner.asked) == (5 if open_to_all else 0)
    assert asyncio.run(ask(gate(inner), method, path, body)) == 200
    assert inner.asked[-1] == (path, body)


@pytest.mark.parametrize(("method", "path"), OTHERS)
def test_no_other_route_is_reached(method: str, path: str) -> None:
    inner = Inner()
    assert asyncio.run(ask(gate(inner), method, path, b"{}", key=None)) == 401
    assert asyncio.run(ask(gate(inner), method, path, b"{}")) == 404
    assert asyncio.run(ask(gate(inner, api_key=None), method, path, b"{}", key=None)) == 404
    assert not inner.asked


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8473", "127.0.0.1.evil.example", "", "[::2]:8473"])
def test_a_foreign_host_name_is_refused_also_with_the_key(host: str) -> None:
    inner = Inner()
    assert asyncio.run(ask(gate(inner), "GET", "/v1/models", host=host)) == 421
    assert asyncio.run(ask(gate(inner), "GET", "/health", host=host)) == 421
    assert asyncio.run(ask(gate(inner, allowed_hosts=["*"]), "GET", "/v1/models", host=host)) == 200


@pytest.mark.parametrize("host", ["localhost:8473", "[::1]:8473", "127.0.0.1", "LOCALHOST", "llm.example:1"])
def test_our_own_names_are_served(host: str) -> None:
    assert asyncio.run(ask(gate(Inner(), allowed_hosts=["llm.example"]), "GET", "/v1/models", host=host)) == 200


def test_a_large_body_is_refused_announced_or_not() -> None:
    inner = Inner()
    small = gate(inner, max_body_mb=0.001)
    assert asyncio.run(ask(small, "POST", CHAT, b"{}", length=10**9)) == 413
    assert asyncio.run(ask(small, "POST", CHAT, *([b" " * 600] * 3))) == 413
    assert asyncio.run(ask(small, "POST", CHAT, b"{}", length=-1)) == 413
    assert not inner.asked
    assert asyncio.run(ask(small, "POST", CHAT, b'{"a"', b': "b"}')) == 200
    assert inner.asked == [(CHAT, b'{"a": "b"}')]


@pytest.mark.parametrize("field", REFUSED_FIELDS)
def test_fields_whose_cost_nothing_bounds_are_refused(field: str) -> None:
    inner = Inner()
    for value in (1, 5, -1, True, "1"):
        assert asyncio.run(ask(gate(inner), "POST", CHAT, json.dumps({field: value}).encode())) == 400
    assert not inner.asked
    assert asyncio.run(ask(gate(inner), "POST", CHAT, json.dumps({field: None}).encode())) == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 200_000])
def test_a_body_that_is_no_json_object_ends_here(body: bytes) -> None:
    inner = Inner()
    assert asyncio.run(ask(gate(inner), "POST", CHAT, body)) == 400
    assert not inner.asked


def test_one_client_cannot_take_all_places() -> None:
    async def scenario() -> None:
        inner = Inner()
        inner.may_answer.clear()
        app = gate(inner, client_requests=3)
        greedy = [asyncio.create_task(ask(app, "POST", CHAT, b"{}", client="10.0.0.1")) for _ in range(3)]
        while len(inner.asked) < 3:
            await asyncio.sleep(0)
        assert await ask(app, "POST", CHAT, b"{}", client="10.0.0.1") == 429
        other = asyncio.create_task(ask(app, "POST", CHAT, b"{}", client="10.0.0.2"))
        health = asyncio.create_task(ask(app, "GET", "/health", client="10.0.0.1"))
        while len(inner.asked) < 5:
            await asyncio.sleep(0)
        inner.may_answer.set()
        assert await asyncio.gather(*greedy, other, health) == [200] * 5
        assert await ask(app, "POST", CHAT, b"{}", client="10.0.0.1") == 200
        assert not app._under_way

    asyncio.run(scenario())


def test_a_web_socket_is_closed() -> None:
    sent = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(gate(Inner())({"type": "websocket", "path": "/v1/realtime"}, None, send))  # type: ignore[arg-type]
    assert sent == ["websocket.close"]


def test_texts_of_one_request_are_bounded_in_the_engine() -> None:
    variables = engine_environment(ServiceSettings(max_sequences=7), "model", gpu=True)
    assert variables["VLLM_MAX_N_SEQUENCES"] == "7"
