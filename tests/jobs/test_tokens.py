"""Ray's token is sent where a cluster asks for it, and nowhere else: a file with one lies in most homes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from autommlab.common.errors import JobError, TrainingError
from autommlab.common.private_folder import restore_variables
from autommlab.common.ray_address import asks_for_token, send_token_if_asked, token_where_asked
from tests.helpers.program import command
from tests.helpers.ray_head import TOKEN, Head, free_port, running_head


class _Head(grpc.GenericRpcHandler):
    """Answers any call, or refuses it as a head with tokens does."""

    def __init__(self, asks: bool) -> None:
        self.asks = asks

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
            sent = dict(context.invocation_metadata())
            if self.asks and sent.get("authorization") != f"Bearer {TOKEN['RAY_AUTH_TOKEN']}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def small_head(asks: bool) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[_Head(asks)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextlib.contextmanager
def job_server(status: int) -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            welcome = self.headers.get("authorization") == f"Bearer {TOKEN['RAY_AUTH_TOKEN']}"
            self.send_response(200 if welcome else status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that Ray leaves in a home; no variable says anything."""
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text(TOKEN["RAY_AUTH_TOKEN"])
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    restore_variables({})
    yield file
    monkeypatch.undo()
    restore_variables({})


def test_who_asks_for_a_token_is_found_out_by_asking() -> None:
    for asks in (True, False):
        with small_head(asks) as address:
            assert asks_for_token(address) is asks
            assert asks_for_token(f"ray://{address}") is asks
    for status in (200, 401, 403, 404, 500):
        with job_server(status) as address:
            assert asks_for_token(address) is (status in (401, 403))
    nobody = f"127.0.0.1:{free_port()}"
    assert not asks_for_token(nobody)
    assert not asks_for_token(f"http://{nobody}")


def test_the_file_is_used_where_a_head_asks_and_only_there(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_head(asks=False) as open_to_all, small_head(asks=True) as guarded:
        with token_where_asked(open_to_all):
            assert "RAY_AUTH_MODE" not in os.environ
        with token_where_asked(guarded):
            assert os.environ["RAY_AUTH_MODE"] == "token"
        assert "RAY_AUTH_MODE" not in os.environ
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        with pytest.raises(TrainingError, match="RAY_AUTH_MODE is 'disabled' here"):
            send_token_if_asked(guarded)
        assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_another_token_than_the_one_at_hand_is_told_before_ray_tries(token_file: Path) -> None:
    token_file.write_text("0" * 64)
    restore_variables({})
    with small_head(asks=True) as head, job_server(401) as server:
        for address in (head, f"ray://{head}", server):
            with pytest.raises(JobError, match="asks for another token than this machine has"):
                send_token_if_asked(address, JobError)
            assert "RAY_AUTH_MODE" not in os.environ


def test_a_guarded_head_without_a_token_at_hand_says_what_to_do(token_file: Path) -> None:
    token_file.unlink()
    restore_variables({})
    with small_head(asks=True) as guarded:
        for error in (TrainingError, JobError):
            with pytest.raises(error, match=r"asks for a token, and there is none.*auth_token.*RAY_AUTH_TOKEN"):
                send_token_if_asked(guarded, error)


# ---- the real thing ----

SESSION = "import sys; from autommlab.cluster import *\nwith ray_session(sys.argv[1]): print('share', cluster_share())"


@pytest.fixture(scope="module")
def heads() -> Iterator[tuple[Head, Head]]:
    """One that asks for a token, one that does not."""
    with running_head(**TOKEN) as guarded, running_head(RAY_AUTH_MODE="disabled") as open_to_all:
        yield guarded, open_to_all


def said(line: list[str], home: Path, env: dict[str, str]) -> tuple[int, str]:
    kept = {name: value for name, value in env.items() if not name.startswith("RAY_")}
    done = subprocess.run(line, env={**kept, "HOME": str(home)}, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout + done.stderr


def program(home: Path, *words: object) -> tuple[int, str]:
    line, env = command(home / "autommlab", *words)
    return said(line, home, env)


def session(home: Path, address: str) -> tuple[int, str]:
    return said([sys.executable, "-c", SESSION, address], home, {**os.environ, "AUTOMMLAB_HOME": str(home)})


@pytest.fixture
def with_file(tmp_path: Path) -> Path:
    file = tmp_path / "with" / ".ray" / "auth_token"
    file.parent.mkdir(parents=True)
    file.write_text(TOKEN["RAY_AUTH_TOKEN"])
    return tmp_path / "with"


@pytest.fixture
def without_file(tmp_path: Path) -> Path:
    (tmp_path / "without").mkdir()
    return tmp_path / "without"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_both_kinds_of_cluster_work_with_a_token_file(heads: tuple[Head, Head], with_file: Path) -> None:
    for head in heads:
        code, text = session(with_file, head.address)
        assert (code, "share 1.0" in text) == (0, True), text
        for words in (["status", "--address", head.address], *(["jobs", "--address", a] for a in head)):
            code, text = program(with_file, *words)
            assert code == 0, text
            assert "gcs_client.cc" not in text
        code, text = program(with_file, "logs", "autommlab-x", "--address", head.jobs)
        assert (code, "unknown job" in text) == (10, True), text
    code, text = program(with_file, "status")
    assert code == 0 and all(head.address.rpartition(":")[2] in text for head in heads), text
    assert "asks for" not in text
    code, text = program(with_file, "jobs")
    assert (code, "Rays run on this machine" in text) == (10, True), text


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_without_the_token_only_the_open_one_answers(heads: tuple[Head, Head], without_file: Path) -> None:
    guarded, open_to_all = heads
    assert session(without_file, open_to_all.address)[0] == 0
    for words in (["status", "--address", open_to_all.address], ["jobs", "--address", open_to_all.jobs]):
        assert program(without_file, *words)[0] == 0
    refusals = [session(without_file, guarded.address), program(without_file, "status", "--address", guarded.address)]
    refusals += [program(without_file, "jobs", "--address", address) for address in guarded]
    for code, text in refusals[1:]:
        assert code in (5, 10), text
        assert "asks for a token, and there is none" in text
        assert "Traceback" not in text
    assert "TrainingError" in refusals[0][1]
    code, text = program(without_file, "status")
    assert code == 0 and "asks for a token, and there is none" in text, text


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_wrong_token_is_told_as_such(heads: tuple[Head, Head], with_file: Path) -> None:
    (with_file / ".ray" / "auth_token").write_text("0" * 64)
    for text in (
        session(with_file, heads[0].address)[1],
        program(with_file, "status", "--address", heads[0].address)[1],
        program(with_file, "jobs", "--address", heads[0].jobs)[1],
    ):
        assert "asks for another token than this machine has" in text, text
        assert "gcs_client.cc" not in text
