"""A run that the studio sends to a real Ray head as a job."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from autommlab.studio.app import make_app
from autommlab.studio.runs import listed_runs
from autommlab.studio.settings import StudioSettings
from tests.helpers.ray_head import TOKEN, ray_head

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]


def test_a_request_becomes_a_job(home: Path, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(home))
    for name, value in TOKEN.items():
        monkeypatch.setenv(name, value)
    runs = tmp_path / "runs"
    with ray_head(AUTOMMLAB_HOME=str(home), RAY_worker_niceness="0") as address:
        studio = TestClient(make_app(StudioSettings(runs=runs, address=address)), base_url="http://127.0.0.1")
        draft = studio.post("/new", data={"text": "which material", "how": "form"}).url.path
        form = {"object": "brick, leaf, sky", "data": str(shapes), "trials": "1", "searcher": "surrogate-grid",
                "input_size": "32", "iterations": "10", "batch": "8"}  # fmt: skip
        assert studio.post(f"{draft}/form", data=form).status_code == 200
        sent = studio.post(f"{draft}/start", data={"where": "cluster"})
        name = sent.url.path.rpartition("/")[2]
        deadline = time.monotonic() + 900
        while not any(run.state == "finished" for run in listed_runs(runs)):
            assert time.monotonic() < deadline, studio.get(f"/runs/{name}").text
            time.sleep(2)
        jobs = studio.get("/cluster").text
        assert f"/runs/{name}" in jobs
        assert "which material" in jobs
        assert "Download the bundle" in studio.get(f"/runs/{name}").text
