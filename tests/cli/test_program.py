"""The program as a whole: its version, and what it tells a shell that completes a line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import autommlab
from tests.helpers.program import autommlab_here

#: As the installed script starts it; its name is in the variable that the shell sets.
_START = "import sys; sys.argv[0] = 'autommlab'; from autommlab.cli import main; main()"


@pytest.mark.parametrize("words", [("--version",), ("version",)])
def test_the_version_is_told(words: tuple[str, ...]) -> None:
    done = autommlab_here(*words)
    assert (done.code, done.out) == (0, f"autommlab {autommlab.__version__}\n")


@pytest.mark.parametrize(
    ("line", "offered"),
    [("autommlab run --dev", ["--device"]), ("autommlab data exp", ["export"])],
)
def test_a_shell_completes_commands_and_options(line: str, offered: list[str]) -> None:
    asked = {"_AUTOMMLAB_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", _START], env={**os.environ, **asked}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == offered, done.stderr
