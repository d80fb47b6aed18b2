"""Searchers inside real Ray Tune runs, killed and restored."""

from __future__ import annotations

import json
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchers import SearcherError
from searchers.tune.snapshots import recover
from tests.helpers.tune_study import (
    REPORTS,
    command,
    environment_with,
    finished,
    kill_after,
    reports,
    uninterrupted,
)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    # Ray's socket paths must stay below 107 characters, which tmp_path may exceed.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        yield environment_with(folder)


@pytest.mark.slow
def test_a_study_runs_what_the_searcher_proposes(tmp_path: Path, environment: dict[str, str]) -> None:
    subprocess.run(command(tmp_path, "random", "none", 5, 0.01), env=environment, check=True)
    assert [line["config"] for line in finished(tmp_path)] == uninterrupted("random", 5)
    assert len({line["process"] for line in reports(tmp_path)}) == 1, "the actor was not reused"


@pytest.mark.slow
def test_asha_stops_trials_early(tmp_path: Path, environment: dict[str, str]) -> None:
    subprocess.run(command(tmp_path, "tpe", "asha", 8, 0.05), env=environment, check=True)
    lengths = [trial["reports"] for trial in json.loads((tmp_path / "summary.json").read_text())]
    assert len(lengths) == 8
    assert min(lengths) < REPORTS
    assert max(lengths) == REPORTS


@pytest.mark.slow
def test_a_killed_study_goes_on_and_repeats_no_finished_trial(tmp_path: Path, environment: dict[str, str]) -> None:
    args = command(tmp_path, "tpe-few", "none", 8, 0.2)
    kill_after(subprocess.Popen(args, env=environment), tmp_path, trials=5)
    before = [line["trial"] for line in finished(tmp_path)]
    subprocess.run([*args, "restore"], env=environment, check=True)
    after = [line["trial"] for line in finished(tmp_path)][len(before) :]
    assert not set(before[:-1]) & set(after), "a finished trial was repeated"
    assert len(set(before) | set(after)) == 8
    configs = {line["trial"]: line["config"] for line in finished(tmp_path)}
    assert list(configs.values()) == uninterrupted("tpe-few", 8)
    assert len(json.loads((tmp_path / "summary.json").read_text())) == 8


NAMES = ("experiment_state-1.json", "search_gen_state-1.json", "searcher-state-1.json")


def bundle(study: Path, names: tuple[str, ...]) -> None:
    with zipfile.ZipFile(study / "snapshot.zip", "w") as pack:
        for name in names:
            pack.writestr(name, f"whole {name}")


def test_recover_replaces_torn_files_by_those_of_one_moment(tmp_path: Path) -> None:
    bundle(tmp_path, NAMES)
    for name in ("searcher-state-1.json", "experiment_state-2.json", "tuner.pkl"):
        (tmp_path / name).write_text("")
    assert recover(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*NAMES, "snapshot.zip", "tuner.pkl"])
    assert (tmp_path / NAMES[2]).read_text() == f"whole {NAMES[2]}"


def test_recover_says_when_there_is_nothing_to_restore(tmp_path: Path) -> None:
    assert not recover(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_recover_refuses_a_broken_bundle_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / NAMES[0]).write_text("old")
    bundle(tmp_path, NAMES[:2])
    with pytest.raises(SearcherError, match=r"snapshot.zip holds 2 of 3 files \(experiment_state-1.json"):
        recover(tmp_path)
    (tmp_path / "snapshot.zip").write_bytes(b"PK torn")
    with pytest.raises(SearcherError, match=r"snapshot.zip cannot be read .*start the study anew"):
        recover(tmp_path)
    assert (tmp_path / NAMES[0]).read_text() == "old"
