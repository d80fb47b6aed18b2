"""Bytecode is kept where the environment forbids it, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

from autommlab.common.environment import bytecode_environment


def test_a_process_and_its_children_keep_bytecode_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("VALUE = 1\n")
    code = (
        "import sys, subprocess; from pathlib import Path; from autommlab.common.environment import keep_bytecode;"
        f"keep_bytecode(Path({str(tmp_path / 'kept')!r}));"
        "subprocess.run([sys.executable, '-c', 'import mine'], check=True)"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPYCACHEPREFIX", None)
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list((tmp_path / "kept").rglob("mine.*.pyc"))
    assert not (tmp_path / "__pycache__").exists()


def test_an_environment_that_forbids_nothing_stays_as_it_is() -> None:
    assert bytecode_environment({"A": "b"}, Path("kept")) == {"A": "b"}
    assert bytecode_environment({"PYTHONDONTWRITEBYTECODE": ""}, Path("kept")) == {}
