"""The real program with an LLM that always gives one answer: `python -m tests.helpers.answering ANSWER COMMAND ...`."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from autommlab.understanding.answer import answer_text
from autommlab.understanding.request import ModelRequest

ROOT = Path(__file__).resolve().parents[2]
_MOST_CALLS = 9


def command(parse: dict[str, Any], *arguments: object) -> list[str]:
    """The command line of the program where every sentence is understood as `parse`."""
    return [sys.executable, "-m", "tests.helpers.answering", json.dumps(parse), *map(str, arguments)]


class Terminal:
    """A program at a terminal of its own, whose standard output is not the terminal.

    Attributes:
        seen: everything that the terminal showed.
    """

    def __init__(self, line: list[str], home: Path) -> None:
        self._person, terminal = pty.openpty()
        environment = {**os.environ, "AUTOMMLAB_HOME": str(home), "COLUMNS": "200", "TERM": "dumb"}
        self._process = subprocess.Popen(
            line, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, env=environment, cwd=ROOT
        )
        os.close(terminal)
        self.seen = ""

    def answer(self, prompt: str, line: str, *, within_s: float = 90) -> None:
        """Wait until the terminal shows `prompt` anew, then type the line."""
        start, ends = len(self.seen), time.monotonic() + within_s
        while prompt not in self.seen[start:]:
            assert time.monotonic() < ends, self.seen
            self._read()
        os.write(self._person, f"{line}\n".encode())

    def end(self) -> tuple[int, str]:
        """(exit code, standard output) once the program has ended."""
        out, _ = self._process.communicate(timeout=90)
        self._read()
        os.close(self._person)
        return self._process.returncode, out.decode()

    def _read(self) -> None:
        while select.select([self._person], [], [], 0.1)[0]:
            try:
                self.seen += os.read(self._person, 65536).decode(errors="replace")
            except OSError:  # the program has closed its end
                return


def _main() -> None:
    from autommlab.cli.main import main
    from autommlab.understanding import understand as seam
    from tests.helpers.faulty_llm import FaultyLLM

    answer = answer_text(ModelRequest.parse(json.loads(sys.argv.pop(1))))
    seam.connect = lambda *_, **__: FaultyLLM(*[answer] * _MOST_CALLS)
    main()


if __name__ == "__main__":
    _main()
