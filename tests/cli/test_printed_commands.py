"""Commands that the program prints can be typed as they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autommlab.common.errors import AutoMMLabError, DataError, JobError, TrainingError
from autommlab.common.wording import typed_here
from autommlab.jobs.client import Jobs
from autommlab.options import RunOptions
from autommlab.storage.run_folder import RunFolder
from tests.helpers.program import Ended, autommlab_here

UNDER_UV = "UV_RUN_RECURSION_DEPTH"


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Go on with: autommlab run --resume x", "Go on with: uv run --extra cpu autommlab run --resume x"),
        ("`autommlab serve down` ends it", "`uv run --extra cpu autommlab serve down` ends it"),
        ("a fault of autommlab, not yours", "a fault of autommlab, not yours"),
        ("autommlab is known", "autommlab is known"),
        ("/opt/autommlab data", "/opt/autommlab data"),
    ],
)
def test_under_uv_a_command_is_one_of_uv(text: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autommlab.common.wording._extra", lambda: "cpu")
    assert typed_here(text) == text
    monkeypatch.setenv(UNDER_UV, "1")
    assert typed_here(text) == typed


def test_every_line_for_a_person_is_such_a_text(shapes: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    monkeypatch.setenv(UNDER_UV, "1")
    added = autommlab_here("data", "add", shapes, "--name", "shapes")
    assert "Next: uv run --extra " in added.out, added.err
    refused = autommlab_here("data", "show", tmp_path / "nothing")
    assert " autommlab data " not in f"{refused.err}".replace("cpu autommlab", "").replace("gpu autommlab", "")


def ended_by(error: AutoMMLabError, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ended:
    """A run that has begun and ends so."""

    def breaks(options: RunOptions, folder: Path, *_: Any, **__: Any) -> Any:
        RunFolder(folder).open(options)
        raise error

    monkeypatch.setattr("autommlab.pipeline.run.run_pipeline", breaks)
    return autommlab_here("run", "find cats", "--searcher", "random", "--out", folder)


@pytest.mark.parametrize(("job", "command"), [("", "run"), ("{}", "submit")])
def test_inside_a_job_another_job_goes_on(
    job: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if job:
        monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", job)
    done = ended_by(TrainingError("a node is gone"), tmp_path / "run", monkeypatch)
    assert done.code == TrainingError.exit_code
    assert f"Go on with: autommlab {command} --resume {tmp_path / 'run'}" in done.err


def test_where_going_on_repeats_the_error_nobody_is_sent_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ended_by(DataError("no image of cats"), tmp_path / "run", monkeypatch)
    assert done.code == DataError.exit_code
    assert "Go on with" not in done.err


def test_several_rays_are_told_with_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("autommlab.jobs.client.heads_here", lambda: ["10.0.0.1:6379", "10.0.0.1:7000"])
    with pytest.raises(JobError, match=r"2 Rays run on this machine: 10\.0\.0\.1:6379, 10\.0\.0\.1:7000\. Name one"):
        Jobs(None)
