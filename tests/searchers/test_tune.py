"""Searchers inside real Ray Tune runs, killed and restored."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autommlab.common.errors import UntrustedSnapshot
from searchers import SearcherError
from searchers.tune.snapshots import packed, recover
from tests.helpers.tune_study import command, environment_with, finished, kill_after, reports, uninterrupted


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    # Ray's socket paths must stay below 107 characters, which tmp_path may exceed.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        yield environment_with(folder)


@pytest.mark.slow
def test_a_killed_study_goes_on_and_repeats_no_finished_trial(tmp_path: Path, environment: dict[str, str]) -> None:
    args = command(tmp_path, "tpe-few", "none", 8, 0.2)
    kill_after(subprocess.Popen(args, env=environment), tmp_path, trials=5)
    before = [line["trial"] for line in finished(tmp_path)]
    assert len({line["process"] for line in reports(tmp_path)}) == 1, "the actor was not reused"
    subprocess.run([*args, "restore"], env=environment, check=True)
    after = [line["trial"] for line in finished(tmp_path)][len(before) :]
    assert not set(before[:-1]) & set(after), "a finished trial was repeated"
    assert len(set(before) | set(after)) == 8
    configs = {line["trial"]: line["config"] for line in finished(tmp_path)}
    assert list(configs.values()) == uninterrupted("tpe-few", 8)
    assert len(json.loads((tmp_path / "summary.json").read_text())) == 8


NAMES = ("experiment_state-1.json", "search_gen_state-1.json", "searcher-state-1.json")


KEY = b"of these tests"


def bundle(study: Path, names: tuple[str, ...], key: bytes = KEY) -> None:
    contents = {name: f"whole {name}".encode() for name in names}
    (study / "snapshot.zip").write_bytes(packed(contents, key))


def test_recover_replaces_torn_files_by_those_of_one_moment(tmp_path: Path) -> None:
    bundle(tmp_path, NAMES)
    for name in ("searcher-state-1.json", "experiment_state-2.json", "tuner.pkl"):
        (tmp_path / name).write_text("")
    assert recover(tmp_path, key=KEY)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*NAMES, "snapshot.zip", "tuner.pkl"])
    assert (tmp_path / NAMES[2]).read_text() == f"whole {NAMES[2]}"


def test_recover_says_when_there_is_nothing_to_restore(tmp_path: Path) -> None:
    assert not recover(tmp_path, key=KEY)
    assert list(tmp_path.iterdir()) == []


def test_recover_refuses_a_broken_bundle_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / NAMES[0]).write_text("old")
    bundle(tmp_path, NAMES[:2])
    with pytest.raises(SearcherError, match=r"snapshot.zip holds 2 of 3 files \(experiment_state-1.json"):
        recover(tmp_path, key=KEY)
    (tmp_path / "snapshot.zip").write_bytes(b"PK torn")
    with pytest.raises(SearcherError, match=r"snapshot.zip is broken \(File is not a zip file"):
        recover(tmp_path, key=KEY)
    assert (tmp_path / NAMES[0]).read_text() == "old"


def _hostile(name: str) -> bytes:
    """A state file in Tune's own form, with a pickle in it that sets a mark."""

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return exec, ("import sys; sys.modules['payload_ran'] = sys",)

    pickled = pickle.dumps(Payload()).hex()
    return json.dumps(
        {"trial_data": [[json.dumps({"_type": "CLOUDPICKLE_FALLBACK", "value": pickled}), "{}"]]}
    ).encode()


@pytest.mark.parametrize("how", ["unsigned", "another key", "changed", "a file more", "another name"])
def test_a_state_that_somebody_else_wrote_is_not_put_in_place(tmp_path: Path, how: str) -> None:
    contents = {name: _hostile(name) for name in NAMES}
    stored = packed(contents, b"of somebody else" if how == "another key" else KEY)
    with zipfile.ZipFile(io.BytesIO(stored)) as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    if how == "unsigned":
        del files["manifest.json"]
    elif how == "changed":
        files[NAMES[0]] += b" "
    elif how == "a file more":
        files["callback-states-1.pkl"] = b"x"
    elif how == "another name":
        files["../" + NAMES[0]] = files.pop(NAMES[0])
    with zipfile.ZipFile(tmp_path / "snapshot.zip", "w") as pack:
        for name, content in files.items():
            pack.writestr(name, content)
    with pytest.raises(UntrustedSnapshot, match="was not written by this installation"):
        recover(tmp_path, key=KEY)
    assert [file.name for file in tmp_path.iterdir()] == ["snapshot.zip"]
    assert "payload_ran" not in sys.modules


def test_whoever_trusts_the_writer_takes_any_key_but_no_other_files(tmp_path: Path) -> None:
    bundle(tmp_path, NAMES, key=b"of another machine")
    assert recover(tmp_path, key=None)
    (tmp_path / "snapshot.zip").write_bytes(packed(dict.fromkeys((*NAMES[:2], "../evil.pkl"), b""), KEY))
    with pytest.raises(SearcherError, match="holds other files"):
        recover(tmp_path, key=None)


def test_pickles_that_ray_would_read_beside_the_bundle_are_deleted(tmp_path: Path) -> None:
    bundle(tmp_path, NAMES)
    checkpoint = tmp_path / "trial_1" / "checkpoint_000000"
    checkpoint.mkdir(parents=True)
    planted = [
        checkpoint / "_dict_checkpoint.pkl",
        tmp_path / "callback-states-1.pkl",
        tmp_path / "trial_1" / "error.pkl",
    ]
    for file in (*planted, checkpoint / "trial.pth"):
        file.write_bytes(b"x")
    assert recover(tmp_path, key=KEY)
    assert not any(file.exists() for file in planted)
    assert (checkpoint / "trial.pth").exists()
