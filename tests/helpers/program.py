"""Running the real `autommlab` program in tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "autommlab" / "examples"


def command(home: Path, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """Command line and environment, with `home` as the program's own folder."""
    environment = {**os.environ, "AUTOMMLAB_HOME": str(home)}
    environment.pop("RAY_ADDRESS", None)
    return [sys.executable, "-m", "autommlab", *map(str, arguments)], environment


def autommlab(home: Path, *arguments: object, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    line, environment = command(home, *arguments)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=timeout)
