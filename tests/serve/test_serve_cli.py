"""The commands, on the embedded model: two starts at once, a second one, a talk, a crash, the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from serve.settings import ServiceSettings
from serve.shipped import shipped_adapters
from serve.state import processes_of

MODEL = "smollm2-135m-instruct"


def serve(home: Path, *words: str, text: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), env=environment(home), input=text, text=True, capture_output=True,
                          timeout=timeout)  # fmt: skip


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "autommlab", "serve", *words]


def environment(home: Path) -> dict[str, str]:
    unwanted = {"AUTOMMLAB_LLM_URL", "AUTOMMLAB_LLM_KEY", "RAY_ADDRESS"}
    return {**{k: v for k, v in os.environ.items() if k not in unwanted}, "AUTOMMLAB_HOME": str(home)}


def status(home: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(serve(home, "status", "--json").stdout)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    # The embedded model is prepared once per session, whoever needs it first.
    shared = Path(os.environ["AUTOMMLAB_HOME"]) / "base-models"
    shared.mkdir(parents=True, exist_ok=True)
    (tmp_path / "base-models").symlink_to(shared)
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


@pytest.mark.slow
def test_the_life_of_a_service(home: Path) -> None:
    starting = [
        subprocess.Popen(command("up", "--port", "0"), env=environment(home), text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
        for _ in range(2)
    ]  # fmt: skip
    for process in starting:
        printed, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert f"models: {MODEL}" in printed
    running = [p for p in processes_of(home / "serve") if "serve.daemon" in " ".join(p.cmdline())]
    assert len(running) == 1, "two starts at once made two services"

    shipped = list(shipped_adapters(ServiceSettings()))
    assert serve(home, "up").returncode == 0
    found = status(home)
    assert (found["running"], found["pid"], found["models"]) == (True, running[0].pid, [MODEL, *shipped])
    other = serve(home, "up", "--base-model", "owner/other")
    assert other.returncode == 9
    assert "end it first with `autommlab serve down`" in other.stderr

    talk = serve(home, "chat", "--max-tokens", "24", text="What is the capital of France?\n\n")
    assert "Paris" in talk.stdout
    listed = serve(home, "adapters", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == shipped

    before = processes_of(home / "serve")
    assert len(before) > 5
    psutil.Process(running[0].pid).kill()
    gone = status(home)
    assert gone["running"] is False
    assert "its process is gone" in serve(home, "status").stdout
    assert "LLM service ended" in serve(home, "down").stdout
    assert not [process for process in before if process.is_running()]
