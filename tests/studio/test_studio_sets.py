"""Uploads of data sets: no file leaves its folder, none is more than its share; and the pages of sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from autommlab.common.errors import DataError
from autommlab.studio import sets
from autommlab.studio.app import make_app
from autommlab.studio.sets import SetFolder, Upload
from autommlab.studio.settings import StudioSettings


@pytest.fixture
def errands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Words of what would be started; nothing is."""
    found: list[list[str]] = []
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sets, "start_errand", lambda _folder, words: found.append(list(words)))
    return found


@pytest.fixture
def studio(tmp_path: Path, errands: list[list[str]]) -> TestClient:
    settings = StudioSettings(runs=tmp_path / "runs", most_upload_mb=1)
    return TestClient(make_app(settings), base_url="http://127.0.0.1")


def begun(studio: TestClient) -> str:
    name: str = studio.post("/data/upload/new", params={"name": "mine"}, content=b"").json()["id"]
    return name


def sent(studio: TestClient, upload: str, path: str, content: bytes = b"x") -> tuple[int, str]:
    answer = studio.put(f"/data/upload/{upload}/file", params={"path": path}, content=content)
    return answer.status_code, answer.text


def test_a_folder_is_sent_file_by_file_and_registered(studio: TestClient, errands: list[list[str]]) -> None:
    upload = begun(studio)
    for path in ("set/train/cat/1.png", "set/train/dog/ü 1.png"):
        assert sent(studio, upload, path) == (200, "{}")
    done = studio.post(f"/data/upload/{upload}/done", params={"name": "mine", "task": "classification"}, content=b"")
    assert done.json()["next"] == f"/data/adding/{upload}?name=mine"
    (words,) = errands
    found = Upload.named(upload)
    assert found is not None
    assert words[2:] == ["autommlab", "data", "add", "--name=mine", "--task=classification", "--",
                         str(found.files / "set")]  # fmt: skip
    assert (found.files / "set/train/dog/ü 1.png").read_bytes() == b"x"


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/x", "a/../../x", "", ".", ".hidden", "a/.ssh/x", "a\\..\\x", "a" * 300, "a\0b", "/".join("a" * 600)],
)
def test_no_path_leads_out(studio: TestClient, tmp_path: Path, path: str) -> None:
    code, text = sent(studio, begun(studio), path)
    assert code == 400
    assert "leads out of the upload" in text
    assert [file for file in (tmp_path / "home" / "studio" / "uploads").rglob("*") if file.is_file()] == []


def test_all_files_together_have_a_limit(studio: TestClient) -> None:
    upload = begun(studio)
    half = b"x" * (600 << 10)
    assert sent(studio, upload, "a.png", half)[0] == 200
    code, text = sent(studio, upload, "b.png", half)
    assert code == 400
    assert "more than 1,048,576 bytes" in text
    found = Upload.named(upload)
    assert found is not None
    assert [file.name for file in found.files.iterdir()] == ["a.png"]


def test_a_file_comes_once_and_an_empty_upload_is_told(studio: TestClient) -> None:
    upload = begun(studio)
    done = studio.post(f"/data/upload/{upload}/done", params={"name": "mine"}, content=b"")
    assert "Nothing was uploaded" in done.json()["problem"]
    assert sent(studio, upload, "a.png")[0] == 200
    assert "came twice" in sent(studio, upload, "a.png")[1]
    assert sent(studio, "20261130-223102-69cc03fd", "a.png")[0] == 404
    assert sent(studio, "..", "a.png")[0] == 404


def test_a_zip_alone_is_the_source(tmp_path: Path, errands: list[list[str]]) -> None:
    upload = Upload.create()
    with pytest.raises(DataError, match="Nothing was uploaded"):
        upload.source()
    (upload.files / "set.zip").write_bytes(b"x")
    assert upload.source() == upload.files / "set.zip"
    (upload.files / "more.zip").write_bytes(b"x")
    assert upload.source() == upload.files


def test_the_page_of_a_set_tells_its_problems(studio: TestClient, errands: list[list[str]]) -> None:
    assert "openmoji-objects" in studio.get("/data").text
    assert "Check it and draw samples" in studio.get("/data/set/openmoji-objects").text
    studio.post("/data/look/openmoji-objects", content=b"")
    assert [words[3:5] for words in errands] == [["data", "check"], ["data", "preview"]]
    assert errands[0][-2:] == ["--", "openmoji-objects"]
    found = SetFolder.named("openmoji-objects")
    assert found is not None
    (found.path / "check").mkdir(parents=True)
    (found.path / "check" / "out.txt").write_text(
        '[{"kind": "k", "where": "<b>1.png", "what": "is broken", "remedy": "delete it", "severity": "error"}]'
    )
    (found.path / "check" / "started.json").write_text('{"words": [], "mark": {"pid": 1, "started": -1, "boot": null}}')
    text = studio.get("/data/set/openmoji-objects").text
    assert "1 errors" in text
    assert "&lt;b&gt;1.png" in text
    assert studio.get("/data/set/none").status_code == 404
    assert studio.get("/data/samples/openmoji-objects").status_code == 404


def test_a_name_that_is_none_is_told(studio: TestClient, errands: list[list[str]]) -> None:
    assert studio.post("/data/upload/new", params={"name": "a/b"}, content=b"").status_code == 400
    assert studio.post("/data/add", data={"path": "/x", "name": "a/b"}).status_code == 400
    assert studio.post("/data/add", data={"path": "--help", "name": "ok"}).status_code == 200
    assert errands[0][-2:] == ["--", "--help"]
