"""Runs in the studio: finished, interrupted, at work, damaged; nothing of them becomes HTML, nothing else is shown."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from autommlab.compare.records import OPTIONS_FILE
from autommlab.storage.run_folder import RunFolder
from autommlab.studio.app import make_app
from autommlab.studio.runs import listed_runs
from autommlab.studio.settings import StudioSettings
from tests.helpers.report_records import SENTENCE
from tests.helpers.run_making import make_run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, one below another folder that was interrupted, and one that is damaged."""
    root = tmp_path_factory.mktemp("runs")
    make_run(root / "trains")
    make_run(root / "team" / "half & half", "tell <b>cats</b> apart", finished=False)
    make_run(root / "broken", finished=False)
    (root / "broken" / "options.json").write_text('{"text": 3')
    return root


@pytest.fixture(scope="module")
def studio(root: Path) -> TestClient:
    return TestClient(make_app(StudioSettings(runs=root)), base_url="http://127.0.0.1")


def test_the_list_has_every_run_with_its_state(root: Path, studio: TestClient) -> None:
    assert {run.name: run.state for run in listed_runs(root)} == {
        "trains": "finished", "team/half & half": "stopped", "broken": "damaged",
    }  # fmt: skip
    text = studio.get("/").text
    assert "8 of 8" in text
    assert "4 of 8" in text
    assert "mAP 0.561" in text
    assert "tell &lt;b&gt;cats&lt;/b&gt; apart" in text
    assert "/runs/team/half%20%26%20half" in text
    assert "cannot be read" in text


def test_a_run_that_goes_on_is_seen_as_such(root: Path, tmp_path: Path) -> None:
    folder = RunFolder(make_run(tmp_path / "run", finished=False))
    assert [run.state for run in listed_runs(tmp_path)] == ["stopped"]
    folder.open(folder.options())
    try:
        assert [run.state for run in listed_runs(tmp_path)] == ["running"]
        text = TestClient(make_app(StudioSettings(runs=tmp_path)), base_url="http://127.0.0.1").get("/live/run").text
        assert 'data-state="running"' in text
        assert "left in this stage" in text
    finally:
        folder.close()


def test_a_page_shows_verdict_stages_trials_and_who_proposed_them(studio: TestClient) -> None:
    text = studio.get("/runs/trains").text
    assert "Every demand is met" in text
    assert text.count('class="done"') == 7
    assert "optuna-tpe" in text
    assert "out-of-memory" in text
    assert "The loss became NaN at iteration 12 &lt;lr too high&gt;." in text
    assert text.count('<svg role="img"') == 3, "best so far, learning curves, losses"
    assert '<iframe class="report" sandbox src="/report/trains"' in text


def test_texts_stay_texts(studio: TestClient) -> None:
    for path in ("/", "/runs/trains", "/live/trains", "/report/trains"):
        text = studio.get(path).text
        assert "<script>alert" not in text
        assert "<b>no photos" not in text
    assert SENTENCE not in text


def test_the_report_is_shut_in(studio: TestClient) -> None:
    answer = studio.get("/report/trains")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert studio.get("/report/team/half & half").status_code == 404


def test_the_bundle_comes_as_a_zip_without_what_links_lead_to(root: Path, studio: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    link = root / "trains" / "bundle" / "link.txt"
    link.symlink_to(secret)
    try:
        answer = studio.get("/bundle/trains")
    finally:
        link.unlink()
    assert "trains-bundle.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {"bundle/bundle.json", "bundle/model.onnx"} <= set(archive.namelist())
        assert "bundle/link.txt" not in archive.namelist()
    assert studio.get("/bundle/team/half & half").status_code == 404


def test_no_link_of_a_run_leads_out_of_it(root: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    mine = make_run(tmp_path / "runs" / "mine", finished=False)
    (mine / "report.html").symlink_to(other / "report.html")
    (mine / "bundle").symlink_to(other / "bundle")
    studio = TestClient(make_app(StudioSettings(runs=tmp_path / "runs")), base_url="http://127.0.0.1")
    assert "Download" not in studio.get("/runs/mine").text
    for page in ("report", "bundle", "try"):
        assert studio.get(f"/{page}/mine").status_code == 404


def test_no_name_leads_out_of_the_folder(root: Path, studio: TestClient, tmp_path: Path) -> None:
    outside = make_run(tmp_path / "outside")
    (root / "link").symlink_to(outside)
    try:
        for name in (f"..%2f{outside.parent.name}%2foutside", str(outside), "link", "%2e%2e", "x%2f..%2f..", "%00"):
            for page in ("runs", "live", "report", "bundle"):
                assert studio.get(f"/{page}/{name}").status_code == 404, (page, name)
        assert "outside" not in studio.get("/").text
    finally:
        (root / "link").unlink()


def test_a_damaged_run_is_a_message_and_a_comparison_is_no_run(root: Path, studio: TestClient) -> None:
    broken = studio.get("/runs/broken")
    assert broken.status_code == 400
    assert "options.json cannot be read" in broken.text
    mark = root / "trains" / OPTIONS_FILE
    mark.write_text("{}")
    try:
        assert studio.get("/runs/trains").status_code == 404
        assert "trains" not in {run.name for run in listed_runs(root)}
    finally:
        mark.unlink()
