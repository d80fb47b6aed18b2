"""A bundle that lost something is found out, and deployed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.deployment.delivered import damaged, hashes_of
from tests.helpers.report_records import deployment


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name in ("model.onnx", "bundle.json", "bundle_runtime/images.py"):
        file = tmp_path / "bundle" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path / "bundle"


def test_every_file_is_in_the_record(bundle: Path) -> None:
    (bundle / "__pycache__").mkdir()
    (bundle / "__pycache__" / "x.pyc").touch()
    delivered = hashes_of(bundle)
    assert sorted(delivered) == ["bundle.json", "bundle_runtime/images.py", "model.onnx"]
    assert not damaged(bundle, delivered)
    assert not damaged(bundle, {}), "a record of an older version tells nothing"


@pytest.mark.parametrize("name", ["model.onnx", "bundle_runtime/images.py"])
def test_what_is_lost_or_changed_is_named(bundle: Path, name: str) -> None:
    delivered = hashes_of(bundle)
    (bundle / name).write_text("changed")
    assert damaged(bundle, delivered) == [name]
    (bundle / name).unlink()
    assert damaged(bundle, delivered) == [name]


def test_the_device_may_be_set_in_the_settings(bundle: Path) -> None:
    delivered = hashes_of(bundle)
    (bundle / "bundle.json").write_text('{"device": "gpu"}')
    assert not damaged(bundle, delivered)
    (bundle / "bundle.json").unlink()
    assert damaged(bundle, delivered) == ["bundle.json"]


def test_a_finished_run_that_is_asked_for_int8_deploys_again(tmp_path: Path) -> None:
    from autommlab.options import RunOptions
    from autommlab.pipeline.records import RunAtWork
    from autommlab.pipeline.reopening import reopen
    from autommlab.planning.run_time import RunClock
    from autommlab.progress.events import Events
    from autommlab.storage.run_folder import RunFolder
    from autommlab.storage.run_target import HERE

    folder = RunFolder(tmp_path)
    folder.write("deployment", deployment(tmp_path))
    for quantize, kept in (("auto", True), ("always", False)):
        reopen(RunAtWork(RunOptions(quantize=quantize), folder, Events(), HERE, RunClock()), extended=True)
        assert (tmp_path / "deployment.json").exists() is kept


def test_a_finished_run_whose_bundle_lost_its_model_deploys_again(tmp_path: Path, bundle: Path) -> None:
    from autommlab.pipeline.reopening import forget_damaged_bundle
    from autommlab.progress.events import Event, Events
    from autommlab.storage.run_folder import RunFolder

    folder, told = RunFolder(tmp_path), list[Event]()
    record = deployment(tmp_path).model_copy(update={"files": hashes_of(bundle)})
    folder.read = lambda *_: record  # type: ignore[method-assign,assignment]  # the rest of it does not matter
    (tmp_path / "deployment.json").write_text("{}")
    forget_damaged_bundle(folder, Events(told.append))
    assert (tmp_path / "deployment.json").exists()
    (bundle / "model.onnx").unlink()
    forget_damaged_bundle(folder, Events(told.append))
    assert not (tmp_path / "deployment.json").exists()
    assert [event.kind for event in told] == ["warning"]
    assert "model.onnx" in told[0].message
