"""The commands where no service runs, and where none can start; a running one is in `tests/understanding`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.state import processes_of


def serve(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "autommlab", "serve", *words]
    return subprocess.run(line, env=environment(home), text=True, capture_output=True, timeout=60)


def environment(home: Path) -> dict[str, str]:
    unwanted = {"AUTOMMLAB_LLM_URL", "AUTOMMLAB_LLM_KEY", "RAY_ADDRESS"}
    return {**{k: v for k, v in os.environ.items() if k not in unwanted}, "AUTOMMLAB_HOME": str(home)}


def status(home: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(serve(home, "status", "--json").stdout)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    serve(tmp_path, "down")


def test_nothing_runs(home: Path) -> None:
    asked = serve(home, "status")
    assert asked.returncode == 1
    assert "no LLM service is running; `autommlab serve up` starts one" in asked.stdout
    assert status(home)["running"] is False
    for words in (("chat", "hello"), ("adapters", "list"), ("adapters", "remove", "x")):
        refused = serve(home, *words)
        assert refused.returncode == 9
        assert "Error: no LLM service is running" in refused.stderr
    assert "no LLM service was running" in serve(home, "down").stdout


def test_a_start_that_cannot_succeed_tells_why(home: Path) -> None:
    failed = serve(home, "up", "--base-model", "no-such-model")
    assert failed.returncode == 9
    assert "the LLM service did not start: no base model 'no-such-model'" in failed.stderr
    assert status(home)["running"] is False
    assert not processes_of(home / "serve")


def test_a_taken_port_is_named(home: Path) -> None:
    import socket

    (home / "base").mkdir()
    (home / "base" / "config.json").write_text("{}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        by_hand = serve(home, "up", "--port", str(port), "--base-model", str(home / "base"))
        # The usual case: another user of the machine has the port, and a request starts the service by itself.
        (home / "serve" / "settings.yaml").write_text(f"port: {port}\nbase_model: {home / 'base'}\n")
        line = [sys.executable, "-m", "autommlab", "understand", "detect cats"]
        by_itself = subprocess.run(line, env=environment(home), capture_output=True, text=True, timeout=60)
    for failed in (by_hand, by_itself):
        assert failed.returncode == 9
        assert f"port {port} of 127.0.0.1 cannot be used" in failed.stderr
        assert "`autommlab serve up --port 0` takes any free one" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert "End of" not in failed.stderr


def test_wrong_settings(home: Path) -> None:
    (home / "wrong.yaml").write_text("gpus: 3")
    failed = serve(home, "up", "--settings", str(home / "wrong.yaml"))
    assert failed.returncode == 9
    assert "gpus = 3" in failed.stderr
    assert "gpus_per_replica" in failed.stderr
