"""The comparison of one process with several, on tiny real trainings."""

import json
from pathlib import Path

import pytest

from tests.helpers.program import autommlab

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.timeout(600)
def test_both_kinds_are_trained_once_and_paired(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    asked = ("bench", "workers", "--parse", parse, "--data", shapes, "--seeds", 1, "--out", tmp_path / "out", "--json")
    first = autommlab(home, *asked)
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert (found["task"], found["metric"], found["workers"], found["seeds"]) == ("classification", "accuracy", 2, 1)
    assert len(found["alone"]) == len(found["together_test"]) == 1
    assert found["difference"]["mean"] == pytest.approx(found["together"][0] - found["alone"][0])
    assert found["noise"] == 0.0
    records = sorted((tmp_path / "out").rglob("trials.jsonl"))
    kept = [(file, file.stat().st_mtime_ns) for file in records]
    again = autommlab(home, *asked)
    assert json.loads(again.stdout) == found
    assert [(file, file.stat().st_mtime_ns) for file in records] == kept
