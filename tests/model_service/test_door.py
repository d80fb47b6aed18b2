"""The door of the model service: who is let in, what is counted, and what becomes of a request whose replica dies."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from autommlab.model_service.door import SETTINGS_VARIABLE, ModelDoor, around_the_proxy
from autommlab.model_service.settings import ModelServiceSettings
from tests.helpers.damage import EXAMPLES, TEXTS, try_examples

KEY = "the-right-key"
PREDICT = "/v1/models/cats/predict"
OPEN = ("/healthz", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css", "/docs/oauth2-redirect")


class Replicas:
    """What stands behind the door: Ray Serve's proxy, as it behaves when its replicas do this, one after the other."""

    def __init__(self, *behaviours: str) -> None:
        self.behaviours = list(behaviours)
        self.asked: list[tuple[str, bytes, dict[bytes, bytes]]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        self.asked.append((scope["path"], body, dict(scope["headers"])))
        scope["headers"].append((b"x-request-id", b"of Ray Serve"))
        await self.may_answer.wait()
        behaviour = self.behaviours.pop(0) if self.behaviours else "answers"
        if behaviour == "dies":
            return
        if behaviour == "client leaves":
            assert (await receive())["type"] == "http.disconnect"
            return
        status = {"answers": 200, "hangs": 408}[behaviour]
        headers = [(b"server-timing", b"predict;dur=2.50")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})


def door(inner: Any, **settings: Any) -> ModelDoor:
    return ModelDoor(inner, ModelServiceSettings(models={"cats": Path("x"), "dogs": Path("y")}, **settings))


async def ask(
    app: ModelDoor,
    path: str = PREDICT,
    body: bytes = b"a picture",
    *,
    method: str | None = None,
    key: str | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = ((b"host", b"localhost:8474"),),
) -> tuple[int, str]:
    """Status and text of the answer; 0 for none."""
    sent: list[dict[str, Any]] = []
    pending: list[dict[str, Any]] = [{"type": "http.request", "body": body}]

    async def receive() -> Any:
        return pending.pop(0) if pending else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    with_key = ((b"authorization", f"Bearer {key}".encode()),) if key else ()
    method = method or ("POST" if path.endswith("/predict") else "GET")
    scope = {"type": "http", "method": method, "path": path, "headers": [*headers, *with_key], "client": ("::1", 1)}
    await app(scope, receive, send)
    return (int(sent[0]["status"]), sent[1]["body"].decode()) if sent else (0, "")


def said(answer: tuple[int, str], status: int) -> str:
    """The message of a refusal."""
    assert answer[0] == status, answer
    error = json.loads(answer[1])["error"]
    assert error["code"] == status
    return str(error["message"])


def test_everything_but_health_and_the_page_of_the_api_needs_the_key() -> None:
    inner = Replicas()
    app = door(inner, api_key=KEY)
    for path in (PREDICT, "/v1/models", "/metrics", "/v1/nothing", "/-/routes", "/docs/x", "/static-offline-docs/../x"):
        assert said(asyncio.run(ask(app, path)), 401).startswith("the key is missing or wrong")
        assert asyncio.run(ask(app, path, key="wrong"))[0] == 401
    assert not inner.asked
    for path in OPEN:
        assert asyncio.run(ask(app, path))[0] == 200
    for path in (PREDICT, "/v1/models", "/metrics"):
        assert asyncio.run(ask(app, path, key=KEY))[0] == 200


@pytest.mark.parametrize("path", ["/", "/-/routes", "/-/healthz", "/v1/models/", "/v1/models/cats", "/redoc", "//docs"])
def test_nothing_that_ray_serve_adds_is_served(path: str) -> None:
    inner = Replicas()
    assert "no such route; there are /v1/models, " in said(asyncio.run(ask(door(inner), path)), 404)
    assert not inner.asked


def test_a_picture_is_sent_by_post_alone() -> None:
    assert "takes POST" in said(asyncio.run(ask(door(Replicas()), method="GET")), 405)


def test_without_a_key_only_our_own_host_names_are_served() -> None:
    for host in (b"evil.example", b"evil.example:8474", b"", b"127.0.0.1.evil.example"):
        headers = ((b"host", host),)
        assert "or start it with --api-key" in said(asyncio.run(ask(door(Replicas()), headers=headers)), 421)
        assert asyncio.run(ask(door(Replicas(), api_key=KEY), headers=headers, key=KEY))[0] == 200
    for host in (b"localhost", b"127.0.0.1:1", b"[::1]:8474"):
        assert asyncio.run(ask(door(Replicas()), headers=((b"host", host),)))[0] == 200


def test_a_large_request_is_refused_before_a_replica_sees_it() -> None:
    inner = Replicas()
    app = door(inner, max_body_mb=0.001)
    assert said(asyncio.run(ask(app, body=b" " * 1049)), 413) == "a request may have 1048 bytes"
    announced = ((b"host", b"localhost"), (b"content-length", b"99999999999"))
    assert asyncio.run(ask(app, headers=announced))[0] == 413
    assert not inner.asked


def test_more_requests_than_the_limit_are_told_to_wait() -> None:
    async def scenario() -> None:
        inner = Replicas()
        inner.may_answer.clear()
        app = door(inner, max_requests=2)
        waiting = [asyncio.create_task(ask(app)) for _ in range(2)]
        while len(inner.asked) < 2:
            await asyncio.sleep(0)
        assert "2 requests are under way, which is the limit (--max-requests)" in said(await ask(app), 429)
        health = asyncio.create_task(ask(app, "/healthz"))
        while len(inner.asked) < 3:
            await asyncio.sleep(0)
        inner.may_answer.set()
        assert [status for status, _ in await asyncio.gather(*waiting, health)] == [200] * 3
        assert (await ask(app))[0] == 200

    asyncio.run(scenario())


def test_a_client_that_has_its_answer_finds_its_place_free() -> None:
    """The app behind the door still tidies up when the next request comes."""

    async def scenario() -> None:
        tidied = asyncio.Event()

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            await Replicas()(scope, receive, send)
            await tidied.wait()

        app = door(inner, max_requests=1)
        sent = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                sent.set()

        async def receive() -> Any:
            return {"type": "http.request", "body": b"a picture"}

        scope = {"type": "http", "method": "POST", "path": PREDICT, "headers": [(b"host", b"localhost")]}
        first = asyncio.create_task(app(scope, receive, send))
        await sent.wait()
        second = asyncio.create_task(ask(app))
        await asyncio.sleep(0)
        tidied.set()
        assert (await second)[0] == 200
        await first
        assert not app._under_way

    asyncio.run(scenario())


def test_a_request_whose_replica_dies_is_asked_once_more() -> None:
    inner = Replicas("dies", "answers")
    app = door(inner)
    assert asyncio.run(ask(app)) == (200, "done")
    assert [(path, body) for path, body, _ in inner.asked] == [(PREDICT, b"a picture")] * 2
    assert all(b"x-request-id" not in headers for _, _, headers in inner.asked), "each try is a request of its own"
    assert "autommlab_requests_asked_again_total 1.0" in asyncio.run(ask(app, "/metrics"))[1]


def test_a_request_that_kills_its_replicas_ends() -> None:
    inner = Replicas(*["dies"] * 9)
    assert "2 replicas died with this request" in said(asyncio.run(ask(door(inner))), 503)
    assert len(inner.asked) == 2


def test_a_client_that_went_away_is_not_asked_for_again() -> None:
    inner = Replicas("client leaves")
    assert asyncio.run(ask(door(inner))) == (0, "")
    assert len(inner.asked) == 1


def test_a_replica_that_gives_no_answer_is_told_in_our_form() -> None:
    inner = Replicas("hangs")
    assert "no answer within 7 s" in said(asyncio.run(ask(door(inner, request_timeout_s=7))), 504)
    assert len(inner.asked) == 1


def test_under_load_health_is_known_without_asking() -> None:
    inner = Replicas()
    app = door(inner)
    assert asyncio.run(ask(app)) == (200, "done")
    assert asyncio.run(ask(app, "/healthz")) == (200, '{"status":"ok"}')
    assert len(inner.asked) == 1
    dead = Replicas("dies", "dies")
    assert asyncio.run(ask(door(dead), "/healthz"))[0] == 503


def test_requests_are_counted_by_model_and_status_and_not_by_strangers_names() -> None:
    app = door(Replicas())
    for path in (PREDICT, PREDICT, "/v1/models/dogs/predict", "/v1/models/other/predict", "/v1/nothing"):
        asyncio.run(ask(app, path))
    status, text = asyncio.run(ask(app, "/metrics"))
    assert status == 200
    counts = dict(re.findall(r"^autommlab_requests_total(\{.*\}) (\S+)$", text, re.MULTILINE))
    assert counts == {
        '{model="cats",status="200"}': "2.0",
        '{model="dogs",status="200"}': "1.0",
        '{model="",status="200"}': "1.0",  # the other model: the replica says that there is none
        '{model="",status="404"}': "1.0",
    }
    assert 'autommlab_predict_seconds_sum{model="cats"} 0.005' in text
    assert 'autommlab_request_seconds_count{model="cats"} 2.0' in text


def test_headers_that_steer_ray_serve_end_at_the_door() -> None:
    inner = Replicas()
    odd = ((b"host", b"localhost"), (b"x-request-timeout-seconds", b"9999"), (b"\xff", b"x"), (b"Content-Type", b"a/b"))
    asyncio.run(ask(door(inner), headers=odd))
    assert inner.asked[0][2].keys() <= {b"host", b"Content-Type", b"content-type"}


def test_ray_serve_gets_the_door_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ModelServiceSettings(models={"cats": Path("x")}, api_key=KEY)
    monkeypatch.setenv(SETTINGS_VARIABLE, settings.model_dump_json())
    (middleware,) = around_the_proxy()
    app = middleware.cls(Replicas(), *middleware.args, **middleware.kwargs)
    assert asyncio.run(ask(app))[0] == 401
    assert asyncio.run(ask(app, key=KEY))[0] == 200


def _knock(app: ModelDoor, path: str, method: str, headers: list[tuple[bytes, bytes]]) -> None:
    status, text = asyncio.run(ask(app, path, method=method, headers=tuple(headers)))
    assert status in (200, 400, 401, 404, 405, 413, 421)
    if status != 200:
        assert json.loads(text)["error"]["code"] == status


@pytest.mark.parametrize("count", [40, pytest.param(100 * EXAMPLES, marks=pytest.mark.long)])
def test_hostile_requests_get_one_answer_each(count: int) -> None:
    names = st.sampled_from([b"host", b"authorization", b"content-length", b"content-type", b"x", b""])
    values = st.one_of(
        st.sampled_from([b"localhost", b"[", f"Bearer {KEY}".encode(), b"9" * 5000, b"-1", b"\xb2", b"0"]),
        st.binary(max_size=12),
    )
    asked = st.tuples(
        st.one_of(st.sampled_from([PREDICT, *OPEN, "/metrics", "/"]), TEXTS.map(lambda text: f"/{text}")),
        st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "get"]),
        st.lists(st.tuples(names, values), max_size=5),
    )
    app = door(Replicas(), api_key=KEY)
    try_examples(asked, lambda each: _knock(app, *each), count)
