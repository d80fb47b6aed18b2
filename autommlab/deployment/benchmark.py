"""Latency and memory of a bundle in a process of its own, as its user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import DeploymentError

RUNS = 50
_TIMEOUT_S = 900
#: Longest part of an engine's complaint that is shown.
_REASON_LENGTH = 300


class Benchmark(BaseModel):
    """Figures of `predict.py --bench`: milliseconds for one image, and MB."""

    model_config = ConfigDict(frozen=True)

    p50_ms: float
    p95_ms: float
    end_to_end_p50_ms: float
    memory_mb: float


def benchmark(bundle: Path, image: Path, runs: int = RUNS) -> Benchmark:
    """Run the bundle's own benchmark.

    Args:
        bundle: folder with `predict.py`.
        image: what is predicted again and again.
        runs: timed predictions, after a warm-up.

    Raises:
        DeploymentError: the bundle does not run; the text is the bare reason.
    """
    command = [sys.executable, str(bundle / "predict.py"), str(image), "--bench", str(runs)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a bundle holds no byte code of this machine
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and file
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeploymentError(f"{runs} predictions took more than {_TIMEOUT_S} s") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        reason = " ".join(done.stderr.split())[-_REASON_LENGTH:] or "it said nothing"
        raise DeploymentError(f"the bundle does not run ({how}): {reason}")
    return Benchmark.model_validate(json.loads(lines[-1]))
