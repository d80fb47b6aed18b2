"""Records of a run: they survive a move, and damaged ones are told or made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from autommlab.common.errors import ResumeError
from autommlab.compare.records import OPTIONS_FILE, CompareOptions, require_no_comparison
from autommlab.data.bag_files import read_bag, write_bag
from autommlab.data.mask_lists import read_pairs
from autommlab.data.records import Bag
from autommlab.deployment.records import Deployment, Verification
from autommlab.options import MAY_CHANGE, RunOptions
from autommlab.storage.run_folder import RunFolder
from autommlab.training.records import Hyperparameters, StudyResult, TrialRecord
from autommlab.training.usage import llm_usage
from autommlab.understanding.request import Device, Engine


def records(folder: Path) -> dict[str, BaseModel]:
    """One of each kind that names files of its run."""
    point = Hyperparameters(iterations=9, batch_size=4, optimizer="SGD", lr=0.1, weight_decay=0, lr_schedule="StepLR")
    trial = TrialRecord(number=1, trial_id="a", hyperparameters=point, score=0.5, status="ok")
    figures: dict[str, Any] = dict.fromkeys(
        ("max_difference", "tolerance", "torch_metric", "bundle_metric", "metric_tolerance", "p50_ms", "p95_ms"), 0.1
    )
    check = Verification(images=1, metric="accuracy", end_to_end_p50_ms=1, memory_mb=1, agrees=True, **figures)
    return {
        "bag": Bag(
            task="segmentation", folder=folder / "bag", classes=("a",), sources={}, datasets=("x",), splits={},
            median_size=(8, 8), seed=0, digest="0",
        ),
        "study": StudyResult(
            task="classification", objective="accuracy", trials=(trial,), best=trial, val_metrics={},
            test_metrics={"accuracy": 0.5},
            checkpoint=folder / "study" / "best.pth", config_file=folder / "study" / "config.py", seconds=1,
        ),
        "deployment": Deployment(
            bundle=folder / "bundle", asked=Engine.NONE, engine=Engine.ONNXRUNTIME, device=Device.CPU,
            verification=check, limits=(),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["bag", "study", "deployment"])
def test_records_name_files_of_their_run_wherever_it_lies(name: str, tmp_path: Path) -> None:
    old = RunFolder(tmp_path / "für old")
    old.path.mkdir()
    record = records(old.path)[name]
    old.write(name, record)
    assert old.read(name, type(record)) == record
    assert str(tmp_path) not in (old.path / f"{name}.json").read_text()
    new = RunFolder(old.path.rename(tmp_path / "new"))
    assert new.read(name, type(record)) == records(new.path)[name]


def test_a_bag_and_its_masks_follow_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "old" / "bag"
    folder.mkdir(parents=True)
    bag: Any = records(tmp_path / "old")["bag"]
    write_bag(bag)
    (folder / "train.txt").write_text("/pictures/a\u2028b.jpg\tmasks/train/0.png\n/c.jpg\t/far/away.png\n")
    assert str(tmp_path) not in (folder / "bag.json").read_text()
    new = folder.parent.rename(tmp_path / "new") / "bag"
    assert read_bag(new).folder == new
    assert read_pairs(new / "train.txt") == [
        ("/pictures/a\u2028b.jpg", str(new / "masks/train/0.png")),
        ("/c.jpg", "/far/away.png"),
    ]
    assert len(read_pairs(new / "train.txt", 1)) == 1


DAMAGE = ["", "{", "[" * 100_000, "\x00" * 20, '{"training": "long"}', "[]"]


@pytest.mark.parametrize("content", DAMAGE)
def test_damaged_figures_are_counted_anew(content: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "seconds.json").write_text(content)
    (tmp_path / "llm.json").write_text(content)
    folder.add_seconds("data", 2)
    assert folder.stage_seconds() == {"data": 2}
    assert llm_usage(tmp_path).calls == 0


@pytest.mark.parametrize("content", DAMAGE[:4])
def test_a_damaged_record_is_named(content: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for name, kind in (("options", RunOptions), ("bag", Bag), ("study", StudyResult)):
        (tmp_path / f"{name}.json").write_text(content)
        with pytest.raises(ResumeError, match=rf"{name}\.json cannot be read .* delete it to repeat its stage"):
            folder.read(name, kind)


def test_a_run_may_be_extended_and_rescheduled_but_not_become_another(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.open(RunOptions(text="x", trials=3)) == []
    folder.close()
    for name, value in {"trials": 9, "time_min": 5, "concurrent": 1, "searcher": "gp", "cpus_per_trial": 2}.items():
        assert name in MAY_CHANGE
        asked = folder.options().model_copy(update={name: value})
        with pytest.raises(ResumeError, match=name):
            folder.open(asked)
        (line,) = folder.open(asked, may_extend=True)
        folder.close()
        assert line.startswith(f"{name}: stored ")
        assert folder.options() == asked
    before = folder.options()
    for name, value in {"seed": 1, "text": "y", "data": "z", "workers_per_trial": 2, "task": "detection"}.items():
        with pytest.raises(ResumeError, match=rf"{name}: stored .*, now '?{value}'?"):
            folder.open(before.model_copy(update={name: value, "trials": 99}), may_extend=True)
        assert folder.options() == before
    assert folder.open(before, may_extend=True) == []


def test_trainings_of_finalists_are_set_aside_when_others_follow(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for turn in ("first", "second"):
        for part in (folder.folds, folder.final):
            part.mkdir()
            (part / "trials.jsonl").write_text(turn)
        folder.retire_finals()
    folder.retire_finals()  # nothing to set aside
    kept = {path.name: (path / "trials.jsonl").read_text() for path in tmp_path.iterdir() if path.is_dir()}
    assert kept == {"folds-1": "first", "folds-2": "second", "final-1": "first", "final-2": "second"}


def test_a_run_that_came_to_nothing_leaves_nothing_but_what_was_there(tmp_path: Path) -> None:
    fresh = RunFolder(tmp_path / "fresh")
    fresh.open(RunOptions(text="x"))
    fresh.events.write_text("{}\n")
    fresh.discard()
    fresh.close()
    assert not fresh.path.exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    theirs = RunFolder(mine)
    theirs.open(RunOptions(text="x"))
    theirs.discard()
    theirs.close()
    assert [entry.name for entry in mine.iterdir()] == ["notes.txt"]


def test_a_comparison_is_no_run_and_says_what_goes_on_with_it(tmp_path: Path) -> None:
    require_no_comparison(tmp_path)
    comparison = CompareOptions(run=RunOptions(text="find cats"), searchers=("random", "tpe"), seeds=3)
    (tmp_path / OPTIONS_FILE).write_text(comparison.model_dump_json())
    with pytest.raises(ResumeError, match="autommlab compare 'find cats' --searchers random,tpe --seeds 3 --out"):
        require_no_comparison(tmp_path)
    (tmp_path / OPTIONS_FILE).write_text("{")
    with pytest.raises(ResumeError, match="holds a comparison, not a run"):
        require_no_comparison(tmp_path)


@pytest.mark.parametrize(
    ("name", "entry", "value"),
    [
        ("bag", "folder", "../elsewhere"),
        ("bag", "folder", "/etc"),
        ("bag", "splits", {"train": {"images": 1, "annotations": "../../passwd", "per_class": {}}}),
        ("study", "checkpoint", "/home/other/best.pth"),
        ("study", "config_file", "study/../../config.py"),
        ("deployment", "bundle", "bundle/../../x"),
        ("deployment", "files", {"../../passwd": "0"}),
        ("deployment", "files", {"/etc/passwd": "0"}),
    ],
)
def test_a_record_that_names_a_place_outside_of_its_run_is_refused(
    name: str, entry: str, value: object, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    record = records(folder.path)[name]
    folder.write(name, record)
    stored = folder.path / f"{name}.json"
    stored.write_text(json.dumps(json.loads(stored.read_text()) | {entry: value}))
    with pytest.raises(ResumeError, match=rf"{name}\.json cannot be read \({entry}.*does not lie in"):
        folder.read(name, type(record))


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity", "1e30", "9" * 400, "9" * 5000])
def test_a_number_that_no_record_holds_is_damage(number: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write("study", records(tmp_path)["study"])
    stored = tmp_path / "study.json"
    stored.write_text(stored.read_text().replace('"seconds": 1', f'"seconds": {number}'))
    with pytest.raises(ResumeError, match=r"study\.json cannot be read"):
        folder.read("study", StudyResult)
    (tmp_path / "seconds.json").write_text(f'{{"data": {number}}}')
    (tmp_path / "llm.json").write_text(f'{{"calls": {number}}}')
    assert folder.stage_seconds() == {}
    assert llm_usage(tmp_path).calls == 0
