"""Which files of a run count as ours."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autommlab.common.errors import ResumeError, StorageError
from autommlab.common.files import exclusive
from autommlab.common.signing import TRUST_VARIABLE, read_signed, require_own, run_key, signed
from autommlab.options import RunOptions
from autommlab.storage.run_folder import RunFolder


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "own"))
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    return tmp_path / "own"


def test_the_key_is_one_and_the_users_own(own: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: run_key(), range(32)))
    assert len(keys) == 1
    assert [path.name for path in own.iterdir()] == ["run.key"]
    assert (own / "run.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "no hexadecimal digits", "00"])
def test_a_damaged_key_is_named(own: Path, content: str) -> None:
    own.mkdir()
    (own / "run.key").write_text(content)
    with pytest.raises(StorageError, match=r"run\.key, cannot be used: .*Delete it"):
        run_key()


@pytest.mark.parametrize("text", ["", "a = 1", "a = 1\n", "# signature: 0\n", "ä\u2028\n"])
def test_a_signed_text_comes_back(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.py"
    file.write_text(signed(text), encoding="utf-8")
    assert read_signed(file).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize("how", ["unsigned", "changed", "added", "another key"])
def test_other_peoples_texts_are_refused_unless_they_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    text = signed("a = 1\n")
    if how == "unsigned":
        text = "a = 1\n"
    elif how == "changed":
        text = text.replace("a = 1", "a = 2")
    elif how == "added":
        text += "b = 1\n"
    else:
        monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "another machine"))
    file = tmp_path / "config.py"
    file.write_text(text)
    with pytest.raises(ResumeError, match=f"was not written by this installation.*{TRUST_VARIABLE}=1"):
        read_signed(file)
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    assert read_signed(file).startswith("a = ")


def test_a_folder_of_another_user_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    folder = RunFolder(run)
    folder.open(RunOptions(text="x"))
    folder.close()
    monkeypatch.setattr(os, "geteuid", lambda: run.stat().st_uid + 1)
    with pytest.raises(ResumeError, match=rf"belongs to another user.*{TRUST_VARIABLE}=1"):
        RunFolder(run).open(RunOptions(text="x"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    require_own(run)


#: Own files of a run that are appended to, made anew, or whose folder is written to and emptied.
LINKS = [".lock", "events.jsonl", "study", "study/trials.jsonl", "bag/masks/0.png", "study/ray"]


@pytest.mark.parametrize("name", LINKS)
def test_a_link_out_of_a_run_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "shell.rc").write_text("alias ls='ls -l'\n")
    run = tmp_path / "run"
    RunFolder(run).write("options", RunOptions(text="$(touch ran)"))
    link = run / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(mine if name in ("study", "study/ray") else mine / "shell.rc")
    with pytest.raises(ResumeError, match=rf"{name} is a link that leads out of .*{TRUST_VARIABLE}=1"):
        RunFolder(run).open(RunOptions(text="$(touch ran)"))
    with pytest.raises(ResumeError, match="leads out"), exclusive(run):
        pass
    assert [entry.name for entry in mine.iterdir()] == ["shell.rc"]
    assert (mine / "shell.rc").read_text() == "alias ls='ls -l'\n"
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    require_own(run)


def test_a_link_inside_of_a_run_is_nobodys_trap(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "up").symlink_to("..")
    require_own(tmp_path)
