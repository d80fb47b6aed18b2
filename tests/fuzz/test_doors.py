"""Hostile requests to the LLM service: the gate gives each one answer, and lets in only what it should."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import strategies as st

from serve.gate import ROUTES, Gate
from serve.settings import ServiceSettings
from serve.testing import running_service, tiny_settings
from tests.helpers.damage import EXAMPLES, TEXTS, VALUES, as_json, damages, try_examples

KEY = "the-right-key"
CHAT = "/v1/chat/completions"
_PATHS = st.one_of(
    st.sampled_from(
        [*sorted(path for _, path in ROUTES), "/", "//health", "/health/", "/../health", "/v1/completions"]
    ),
    TEXTS.map(lambda text: f"/{text}"),
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"host", b"HOST", b"authorization", b"content-length", b"content-type", b"x", b""]),
        st.one_of(
            st.sampled_from(
                [b"127.0.0.1:8473", b"localhost", b"[::1]:1", b"[", b":", b"evil.example", b"Bearer the-right-key",
                 b"bearer  the-right-key", b"Basic x", b"9" * 5000, b"-1", b"1e3", b"\xb2", b"\xff", b"7", b"0"]
            ),
            st.binary(max_size=12),
        ),
    ),
    max_size=5,
)  # fmt: skip
_SOUND = json.dumps(
    {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 3, "n": 1}
).encode()
_BODIES = st.one_of(damages().map(lambda damage: damage(_SOUND)), VALUES.map(as_json), st.binary(max_size=60))
_REQUESTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["http"] * 9 + ["websocket"]),
        "method": st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "", "get"]),
        "path": _PATHS,
        "headers": _HEADERS,
        "client": st.one_of(st.none(), st.just(("127.0.0.1", 1)), st.just(("::1", 2))),
    }
)


async def answer(app: Gate, scope: dict[str, Any], parts: list[bytes]) -> list[dict[str, Any]]:
    """What is sent back to one connection that sends its body in these parts and then goes away."""
    pending: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    pending += [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return pending.pop(0) if pending else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


class Inner:
    """What stands behind the gate."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.asked.append((scope["method"], scope["path"], message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def knock(scope: dict[str, Any], body: bytes) -> None:
    """One request: it is let in with the key, to a listed route and with a sound body, or it is refused in words."""
    inner = Inner()
    gate = Gate(inner, ServiceSettings(api_key=KEY, max_body_mb=0.001))
    sent = asyncio.run(answer(gate, scope, [body[:20], body[20:]]))
    if scope["type"] == "websocket":
        assert [message["type"] for message in sent] == ["websocket.close"]
        return
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    status = sent[0]["status"]
    assert status in (200, 400, 401, 404, 413, 421)
    headers = {name.lower(): value for name, value in scope["headers"]}
    if inner.asked:
        ((method, path, told),) = inner.asked
        assert (method, path) in ROUTES
        assert told == body
        assert len(body) <= 1049
        assert path == "/health" or headers[b"authorization"].split(b" ", 1)[1] == KEY.encode()
        if method == "POST":
            assert isinstance(json.loads(body), dict)
    else:
        assert json.loads(sent[1]["body"])["error"]["code"] == status


@pytest.mark.parametrize("path", sorted(path for method, path in ROUTES if method == "POST"))
@pytest.mark.parametrize("body", [b'{"mod\xe9l": "tiny"}', b"\xff", b"{", b"[1]", b"1e999", b"[" * 9999])
def test_what_is_no_object_is_refused_at_every_door(path: str, body: bytes) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {KEY}".encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "client": None}
    inner = Inner()
    sent = asyncio.run(answer(Gate(inner, ServiceSettings(api_key=KEY)), scope, [body]))
    assert not inner.asked
    assert json.loads(sent[1]["body"])["error"]["message"].startswith("the body is no")


def knocks(count: int) -> None:
    try_examples(st.tuples(_REQUESTS, _BODIES), lambda asked: knock(*asked), count)
    let_in = _REQUESTS.map(
        lambda scope: {
            **scope, "method": "POST", "path": CHAT,
            "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {KEY}".encode()), *scope["headers"][:1]],
        }
    )  # fmt: skip
    try_examples(st.tuples(let_in, _BODIES), lambda asked: knock(*asked), count)


def test_some_hostile_requests() -> None:
    knocks(40)


@pytest.mark.long
def test_many_hostile_requests() -> None:
    knocks(100 * EXAMPLES)


def test_a_length_of_thousands_of_digits_is_too_large() -> None:
    for announced in (b"9" * 5000, b"\xb2", b"-1", b"1e3"):
        headers = [
            (b"host", b"localhost"),
            (b"authorization", f"Bearer {KEY}".encode()),
            (b"content-length", announced),
        ]
        scope = {"type": "http", "method": "POST", "path": CHAT, "headers": headers, "client": None}
        sent = asyncio.run(answer(Gate(Inner(), ServiceSettings(api_key=KEY)), scope, [_SOUND]))
        assert sent[0]["status"] == 413


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_the_real_service_answers_after_any_request(tmp_path: Path) -> None:
    routes = st.sampled_from([(method, path) for method, path in sorted(ROUTES) if path != "/metrics"])
    adapters = st.fixed_dictionaries({"lora_name": TEXTS, "lora_path": TEXTS}).map(as_json)
    with running_service(tiny_settings(tmp_path)) as service:
        headers = {"authorization": f"Bearer {service.api_key}", "content-type": "application/json"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=120) as client:

            def ask(route: tuple[str, str], body: bytes) -> None:
                answered = client.request(*route, content=body if route[0] == "POST" else None)
                assert answered.status_code < 500, (route, body[:300], answered.text[:300])
                if answered.status_code != 200:
                    assert answered.json()["error"]

            try_examples(st.tuples(routes, st.one_of(_BODIES, adapters)), lambda asked: ask(*asked), 5 * EXAMPLES)
            sound = json.loads(_SOUND) | {"model": service.models[0]}
            assert client.post(CHAT, json=sound).json()["choices"]
