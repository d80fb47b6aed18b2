"""Who is let in: hosts, origins, the token, sizes; and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from autommlab.common.errors import RequestError
from autommlab.studio.app import make_app
from autommlab.studio.settings import StudioSettings, own_token
from tests.helpers.program import autommlab_here

TOKEN = "a-token-of-the-tests"  # noqa: S105 - opens nothing
HERE = "http://127.0.0.1"


@pytest.fixture
def guarded(tmp_path: Path) -> TestClient:
    """A studio with a token."""
    return TestClient(make_app(StudioSettings(runs=tmp_path, token=TOKEN)), base_url=HERE, follow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/live", "/runs/x", "/report/x", "/bundle/x", "/nothing"])
def test_nothing_is_shown_without_the_token(guarded: TestClient, path: str) -> None:
    for answer in (guarded.get(path), guarded.get(path, params={"token": "wrong"})):
        assert answer.status_code == 401
        assert "token" in answer.text
    guarded.cookies.set("autommlab-studio-8475", "wrong")
    assert guarded.get(path).status_code == 401


def test_the_token_lets_in_and_leaves_the_address(guarded: TestClient) -> None:
    entered = guarded.get("/", params={"token": TOKEN})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/").status_code == 200


def test_the_token_may_be_typed(guarded: TestClient) -> None:
    assert "This is not the token" in guarded.post("/enter", data={"token": "wrong"}).text
    assert guarded.post("/enter", data={"token": TOKEN}).headers["location"] == "/"
    assert guarded.get("/").status_code == 200


def test_it_leads_to_no_other_host(guarded: TestClient) -> None:
    answer = guarded.get("//elsewhere.example/x", params={"token": TOKEN})
    assert not answer.headers.get("location", "/").startswith("//")


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", ""])
def test_other_host_names_are_refused(guarded: TestClient, host: str) -> None:
    assert guarded.get("/", headers={"host": host}).status_code == 421


def test_a_named_host_is_allowed(tmp_path: Path) -> None:
    studio = make_app(StudioSettings(runs=tmp_path, allowed_hosts=("studio.example",)))
    assert TestClient(studio, base_url="http://studio.example").get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://elsewhere.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site"}, {"origin": "http://127.0.0.1:9999"}],
)  # fmt: skip
def test_forms_of_other_pages_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    studio = TestClient(make_app(StudioSettings(runs=tmp_path)), base_url=HERE)
    assert studio.post("/enter", headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/enter", "/try/x", "/data/upload/x"])
def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path, path: str) -> None:
    settings = StudioSettings(runs=tmp_path, most_upload_mb=3, most_picture_mb=2)
    studio = TestClient(make_app(settings), base_url=HERE)
    refused = studio.post(path, content=b"x" * (4 << 20))
    assert refused.status_code == 413
    assert "4,194,304 bytes" in refused.text


def test_a_request_without_a_length_is_refused(tmp_path: Path) -> None:
    studio = TestClient(make_app(StudioSettings(runs=tmp_path)), base_url=HERE)
    assert studio.post("/enter", content=iter([b"x"])).status_code == 411


def test_every_answer_forbids_foreign_scripts(guarded: TestClient) -> None:
    for path in ("/", "/static/studio.js", "/nothing"):
        policy = guarded.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy


def test_beyond_loopback_there_is_no_way_without_a_token(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="could start programs as you"):
        StudioSettings(runs=tmp_path, host="0.0.0.0")  # noqa: S104 - refused
    done = autommlab_here("studio", tmp_path, "--host", "0.0.0.0", "--no-token", home=tmp_path)  # noqa: S104
    assert done.code == 2
    assert "--no-token" in done.err


def test_the_token_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    made = own_token()
    assert own_token() == made
    assert (tmp_path / "studio" / "token").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("AUTOMMLAB_STUDIO_TOKEN", "short")
    with pytest.raises(RequestError, match="16 to 200"):
        own_token()


def test_a_port_that_is_taken_and_a_missing_extra_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = autommlab_here("studio", tmp_path, "--port", other.getsockname()[1], home=tmp_path)
        assert done.code == 2
        assert "Is a studio running already?" in done.err
    monkeypatch.setattr("autommlab.cli.studio._NEEDED", ("no_such_package",))
    done = autommlab_here("studio", tmp_path, home=tmp_path)
    assert done.code == 2
    assert "uv run --extra cpu --extra studio" in done.err
