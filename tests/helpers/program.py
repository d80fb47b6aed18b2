"""Running the real `autommlab` program in tests."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import typer

from autommlab.common.errors import AutoMMLabError

EXAMPLES = Path(__file__).resolve().parents[2] / "autommlab" / "examples"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


def exit_codes(kind: type[AutoMMLabError] = AutoMMLabError) -> frozenset[int]:
    """Every code with which a command may end: well, or with a reason for the person."""
    return frozenset({0, kind.exit_code}).union(*map(exit_codes, kind.__subclasses__()))


def command(home: Path, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """Command line and environment, with `home` as the program's own folder."""
    environment = {**os.environ, "AUTOMMLAB_HOME": str(home)}
    environment.pop("RAY_ADDRESS", None)
    return [sys.executable, "-m", "autommlab", *map(str, arguments)], environment


def autommlab(home: Path, *arguments: object, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    line, environment = command(home, *arguments)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=timeout)


class Ended(NamedTuple):
    """What became of a command: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def autommlab_here(*arguments: object, home: Path | None = None) -> Ended:
    """Run a command in this process, which takes milliseconds; standard output takes UTF-8 only, as a real one does.

    Args:
        arguments: of the command.
        home: the program's own folder; the session's by default.
    """
    program: Any = importlib.import_module("autommlab.cli.main")  # the package has a function of that name
    kept = {number: signal.getsignal(number) for number in _SIGNALS}
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors) for errors in ("strict", "backslashreplace"))
    words, sys.argv = sys.argv, ["autommlab", *map(str, arguments)]
    changed = {"AUTOMMLAB_HOME": str(home)} if home else {}
    code: Any = 0
    try:
        with (
            mock.patch.dict(os.environ, changed),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(program, "app", _parser()),
        ):
            program.main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    finally:
        sys.argv = words
        for number, handler in kept.items():
            signal.signal(number, handler)
    return Ended(code, *(_written(stream) for stream in (out, err)))


@functools.cache
def _parser() -> Any:
    """Typer makes it anew at each call, which takes longer than most commands."""
    return typer.main.get_command(importlib.import_module("autommlab.cli.main").app)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]  # a BytesIO
