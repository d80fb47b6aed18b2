"""Results of a run brought to another folder."""

from pathlib import Path

import pytest

from autommlab.common.errors import StorageError
from autommlab.jobs.fetching import fetch_run
from tests.helpers.program import autommlab_here

FILES = (
    "bundle/bundle.json",
    "bundle/model.onnx",
    "report.html",
    "study/best/checkpoint.pth",
    "study/ray/state",
    ".lock",
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "run"


def test_bundle_and_report_come_and_nothing_else(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("stay")
    assert fetch_run(f"file://{run}", tmp_path / "mine") == ["bundle/bundle.json", "bundle/model.onnx", "report.html"]
    assert (tmp_path / "mine" / "bundle" / "model.onnx").read_text() == "bundle/model.onnx"
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_all_brings_the_weights_but_not_rays_state(run: Path, tmp_path: Path) -> None:
    names = fetch_run(str(run), tmp_path / "mine", everything=True)
    assert "study/best/checkpoint.pth" in names
    assert not any(name.startswith("study/ray") for name in names)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no results that this machine can see"):
        fetch_run(f"file://{tmp_path}/none", tmp_path / "mine")


def test_the_command_takes_a_uri_without_a_cluster(run: Path, tmp_path: Path) -> None:
    done = autommlab_here("fetch", f"file://{run}", "--to", tmp_path / "mine", home=tmp_path)
    assert done.code == 0, done.err
    assert f"3 files in {tmp_path / 'mine'}" in done.out
