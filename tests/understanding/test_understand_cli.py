"""`autommlab understand` and `run` where no service is needed or none is to be had."""

import json
import os
import pty
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def autommlab(*arguments: object, url: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTOMMLAB_LLM")}
    if url is not None:
        environment["AUTOMMLAB_LLM_URL"] = url
    line = [sys.executable, "-m", "autommlab", *map(str, arguments)]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


@pytest.fixture
def closed_url() -> str:
    """Where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_without_a_service_the_way_out_is_named(closed_url: str, tmp_path: Path) -> None:
    for arguments in (
        ("understand", "detect cats", "--url", closed_url),
        ("run", "detect cats", "--out", tmp_path / "run"),
    ):
        done = autommlab(*arguments, url=closed_url)
        assert done.returncode == 9, done.stderr
        assert closed_url in done.stderr
        assert "--parse FILE" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_options_that_do_not_go_together_are_explained(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"id": 1, "request": "detect cats"}))
    for arguments, message in (
        (("--in", source), "--in and --out belong together"),
        (("--in", source, "--out", source), "are the same file"),
        (("detect cats", "--in", source, "--out", tmp_path / "out.jsonl"), "not both"),
        (("--in", source, "--out", tmp_path / "out.jsonl", "--strict"), "--strict is for one request"),
        (("--in", tmp_path / "none.jsonl", "--out", tmp_path / "out.jsonl"), "cannot read the requests"),
        (("x" * 50_000,), "has 50,000 characters, at most 4,000"),
    ):
        done = autommlab("understand", *arguments)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_a_question_reaches_the_person_at_a_terminal_and_nobody_else() -> None:
    code = "from autommlab.cli.shared import asker; ask = asker(); print('heard', ask and ask('Which things?'))"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert piped.stdout == "heard None\n"

    person, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal
        )
        os.write(person, b"cats and dogs\n")
        heard, _ = process.communicate(timeout=60)
        shown = os.read(person, 4096).decode()
    finally:
        os.close(person)
        os.close(terminal)
    assert heard == b"heard cats and dogs\n"
    assert "Which things?" in shown
    assert "Your answer" in shown
