"""Weights & Biases without a network: what `wandb sync` would send, read from its files."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autommlab.common.signing import require_own
from autommlab.trackers.targets import Target, require_usable
from tests.helpers.tracked_run import LOSSES, Interrupted, RunWriter

pytestmark = pytest.mark.slow
_BLOCK, _HEADER = 32768, 7


def records(file: Path) -> Iterator[Any]:
    """Of a file of W&B's, which has the form of LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]  # made by protobuf at import

    content, place, whole = file.read_bytes(), _HEADER, b""
    if not content:
        return
    assert content[:4] == b":W&B"
    while place + _HEADER < len(content):
        if _BLOCK - place % _BLOCK < _HEADER:
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + _HEADER])
        whole += content[place + _HEADER : place + _HEADER + length]
        place += _HEADER + length
        if kind in (1, 4):  # all of it, or its last part
            yield Record.FromString(whole)
            whole = b""


def all_written(folder: Path) -> bool:
    """Whether each file has its last record."""
    files = list(folder.rglob("offline-run-*/*.wandb"))
    return bool(files) and all(any(record.HasField("exit") for record in records(file)) for file in files)


def offline_runs(folder: Path) -> dict[str, dict[str, Any]]:
    """Title -> what all files of that run hold: a resumed one has several."""
    runs: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.rglob("offline-run-*/*.wandb")):
        found: dict[str, Any] = {"history": [], "config": {}, "summary": {}, "exit": None, "artifacts": []}
        title = ""
        for record in records(file):
            if record.HasField("run"):
                title = record.run.display_name or title
                found |= {"group": record.run.run_group, "id": record.run.run_id}
                found["config"] |= {one.key: json.loads(one.value_json) for one in record.run.config.update}
            for one in record.config.update:
                found["config"][one.key] = json.loads(one.value_json)
            if record.HasField("history"):
                items = {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.history.item}
                found["history"].append(items)
            for one in record.summary.update:
                found["summary"][one.key or one.nested_key[0]] = json.loads(one.value_json)
            if record.HasField("artifact"):
                found["artifacts"] += [entry.path for entry in record.artifact.manifest.contents]
            if record.HasField("exit"):
                found["exit"] = record.exit.exit_code
        known = runs.setdefault(found["id"], {**found, "history": [], "titles": set()})
        known["titles"].add(title)
        known["history"] += found["history"]
        for name in ("config", "summary"):
            known[name] = known[name] | found[name]
        known["exit"] = found["exit"]
        known["artifacts"] += [path for path in found["artifacts"] if path not in known["artifacts"]]
    return {title: found for found in runs.values() for title in found["titles"]}


@pytest.mark.timeout(300)
def test_offline_runs_hold_curves_configuration_and_bundle(run: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    target = Target("wandb", "project")
    require_usable(target)
    with run.followed(target):
        run.trial("a_0")
        run.begin("a_1")
        run.report("a_1", range(1, 5))
        raise Interrupted
    with run.followed(target):
        run.report("a_1", range(4, 9))
        run.end("a_1", "diverged")
    assert run.warnings == []
    deadline = time.monotonic() + 60
    while not all_written(run.folder.parent / "wandb"):  # by a process of W&B's own, which may be behind
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found = offline_runs(run.folder.parent / "wandb")
    require_own(run.folder)  # a run with links out of its folder could not be resumed
    assert {"run", "search 1", "search 2", "bricks result"} <= set(found)
    assert len({one["group"] for one in found.values()}) == 1, "also of the resumed run"
    for title in ("search 1", "search 2"):
        history = {row["_step"]: row for row in found[title]["history"] if "train/loss" in row}
        assert {step: row["train/loss"] for step, row in history.items()} == pytest.approx(LOSSES)
        assert history[8]["val/score"] == 0.8
    first, second = found["search 1"], found["search 2"]
    assert first["config"]["lr"] == 0.001
    assert first["config"]["proposed_by"] == "tpe:start-up"
    assert first["summary"]["val/accuracy"] == 0.8
    assert (first["exit"], second["exit"]) == (0, 1)
    assert second["config"]["reason"] == "the loss became nan"
    result = found["bricks result"]
    assert result["summary"]["test/accuracy"] == 0.75
    assert "bundle.json" in result["artifacts"]
