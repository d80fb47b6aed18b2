"""The scripts of docs/searchers.md, "On your own problem", run as they stand there."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import searchers
from searchers import examples

FOLDER = Path(str(examples.__file__)).parent


def printed(name: str, home: Path) -> object:
    """What the example prints last."""
    with tempfile.TemporaryDirectory(prefix="autommlab-ray-") as ray_folder:
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(str(searchers.__file__)).parents[1]),
            "HOME": str(home),
            "RAY_TMPDIR": ray_folder,
        }
        environment.pop("RAY_ADDRESS", None)
        done = subprocess.run(
            [sys.executable, str(FOLDER / f"{name}.py")],
            env=environment, cwd=home, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.splitlines()[-1])


def test_a_loop_of_ones_own(tmp_path: Path) -> None:
    found = printed("plain_loop", tmp_path)
    assert isinstance(found, tuple)
    loss, config = found
    assert loss < 5.1
    assert config["epochs"] == 10
    assert config["batch"] in (16, 32, 64)
    assert isinstance(config["nesterov"], bool)


def test_an_optuna_study(tmp_path: Path) -> None:
    found = printed("optuna_study", tmp_path)
    assert isinstance(found, dict)
    assert set(found) == {"lr", "batch"}


@pytest.mark.slow
def test_a_ray_tune_run(tmp_path: Path) -> None:
    found = printed("ray_tune", tmp_path)
    assert isinstance(found, dict)
    assert found["epochs"] == 10
    assert set(found["optimizer"]) == {"name", "lr"}
    assert found["batch"] in (16, 32, 64)


def test_there_are_no_others() -> None:
    assert {file.stem for file in FOLDER.glob("*.py")} == {"__init__", "plain_loop", "optuna_study", "ray_tune"}
