"""Every file that the program reads back, damaged: a person gets an answer or a reason, never a traceback."""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from autommlab.common.errors import AutoMMLabError, DeploymentError, TrainingError
from autommlab.report.samples import predicted_pictures, training_pictures
from serve.errors import ServiceError
from tests.helpers.damage import EXAMPLES, Damage, byte_damages, damages, try_examples
from tests.helpers.record_table import RECORDS, StoredRecord

#: Read in milliseconds, and of each kind one.
QUICK = (
    "run/bag.json", "half a run/trials.jsonl, appended to", "comparison/study.json", "a file of parses",
    "SHA256SUMS", "the service's settings", "the key of this user's runs", "a signed config",
)  # fmt: skip
_NUL_AND_BLANK = b"\x00 \t\r"


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is trained, exported, or started, and the program's own folder is that of the record."""

    def no_training(*_: Any, **__: Any) -> Any:
        raise TrainingError("nothing is trained here")

    def no_export(*_: Any, **__: Any) -> Any:
        raise DeploymentError("nothing is exported here")

    from autommlab.status.records import ServiceStatus

    nobody = ServiceStatus(state="down")
    for name, instead in {
        "autommlab.planning.training.run_study": no_training,
        "autommlab.planning.training.service_for": lambda *_, **__: None,
        "autommlab.planning.training.ray_session": lambda *_, **__: contextlib.nullcontext(),
        "autommlab.pipeline.run._deploy": no_export,
        "autommlab.pipeline.run.start_ahead": lambda *_: None,
        "autommlab.report.run_report.training_pictures": functools.partial(training_pictures, count=1),
        "autommlab.report.run_report.predicted_pictures": functools.partial(predicted_pictures, count=1),
        "autommlab.report.plots.against_hyperparameters": lambda *_: {},
        "autommlab.compare.run_compare.ray_session": lambda _: contextlib.nullcontext(),
        "autommlab.compare.run_compare.start_ahead": lambda *_: None,
        "autommlab.compare.run_compare.service_for": lambda *_, **__: None,
        "autommlab.compare.run_compare.run_study": no_training,
        "autommlab.status.clusters.clusters": lambda _: (),
        "autommlab.status.clusters.service_status": lambda: nobody,
        "serve.lifecycle._delete_from_cluster": lambda _: None,
    }.items():
        monkeypatch.setattr(name, instead)
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "now" / "home"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    for name in ("AUTOMMLAB_LLM_URL", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def laid_out(record: StoredRecord, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """(the folder of the record, a copy of how it was): records know their place, so it is always the same."""
    now, sound = tmp_path / "now", tmp_path / "sound"
    record.make(now)
    now.rename(sound)
    not_plotted = (
        contextlib.nullcontext()
        if record.is_plotted
        else mock.patch(
            "autommlab.report.render._plots", return_value={"best": "", "curves": "", "losses": "", "against": ()}
        )
    )
    with not_plotted:
        yield now, sound
    for folder in (now, sound):
        shutil.rmtree(folder, ignore_errors=True)


def put_and_read(record: StoredRecord, now: Path, sound: Path, damage: Damage) -> None:
    shutil.rmtree(now, ignore_errors=True)
    shutil.copytree(sound, now)
    file = now / record.file
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    with contextlib.suppress(AutoMMLabError, ServiceError):
        record.read(now)
    if record.kept == "whole":
        assert file.read_bytes() == damaged
    if record.kept == "lines":
        aside = file.with_name(f"{file.name}.damaged")
        left = file.read_bytes() + (aside.read_bytes() if aside.exists() else b"")
        for line in damaged.split(b"\n"):
            assert line.strip(_NUL_AND_BLANK) in left


def run_examples(record: StoredRecord, tmp_path: Path, count: int) -> None:
    drawn = byte_damages() if record.form == "bytes" else damages(lines=record.form == "lines")
    with laid_out(record, tmp_path) as (now, sound):
        try_examples(drawn, lambda damage: put_and_read(record, now, sound, damage), count)


def read_sound(record: StoredRecord, tmp_path: Path) -> None:
    with laid_out(record, tmp_path) as (now, sound):
        shutil.copytree(sound, now)
        record.read(now)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", QUICK)
def test_a_record_is_read_and_a_few_damaged_ones_are_told(name: str, tmp_path: Path) -> None:
    read_sound(RECORDS[name], tmp_path)
    run_examples(RECORDS[name], tmp_path, 3)


@pytest.mark.long
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", RECORDS)
def test_every_sound_record_is_read(name: str, tmp_path: Path) -> None:
    read_sound(RECORDS[name], tmp_path)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_ends_in_an_answer_or_a_reason(name: str, tmp_path: Path) -> None:
    run_examples(RECORDS[name], tmp_path, EXAMPLES)
