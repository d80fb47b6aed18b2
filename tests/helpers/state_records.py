"""Files that hold the state of something that goes on later: how a sound one is made, and how it is taken up again."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from ray.tune.execution.tune_controller import TuneController
from ray.tune.search.search_generator import SearchGenerator
from safetensors.numpy import save_file

import searchers
from autommlab.common.errors import TrainingError
from autommlab.common.files import write_private
from autommlab.common.signing import run_key
from autommlab.progress.events import EventLog, Events
from autommlab.tasks import Task
from autommlab.training.ledger import Ledger
from autommlab.training.records import TrialRecord
from autommlab.training.study import run_study
from autommlab.training.study_options import StudyOptions
from autommlab.training.study_state import RAY_FOLDER
from searchers.base import BaseSearcher
from searchers.tune.snapshots import packed
from serve import daemon
from serve.adapters import CONFIG_FILE, TABLE_FILE, WEIGHTS_FILE, AdapterTable
from serve.daemon import SETTINGS_FILE
from serve.errors import AdapterError
from serve.settings import ServiceSettings
from tests.helpers.tiny_trials import make_setup, point, small_space
from training_data_gen.adapters.state import TrainingState, restore_state, snapshot

_TABLE = "home/serve/adapters"


def half_a_study(folder: Path) -> None:
    """Killed after two trials, with the state that Ray Tune would go on from."""
    folder.mkdir(parents=True)
    ledger = Ledger(folder / "trials.jsonl")
    for number in (1, 2):
        ledger.append(
            TrialRecord(
                number=number, trial_id=f"t{number}", hyperparameters=point(iterations=10 + number), score=0.5,
                status="ok",
            )
        )  # fmt: skip
    go_on_with_study(folder)  # notes what the state is of
    names = (TuneController.CKPT_FILE_TMPL, SearchGenerator.CKPT_FILE_TMPL, BaseSearcher.CKPT_FILE_TMPL)
    (folder / RAY_FOLDER).mkdir()
    (folder / RAY_FOLDER / "snapshot.zip").write_bytes(
        packed({name.format("1"): b'{"of": "two trials"}' for name in names}, run_key())
    )


def go_on_with_study(folder: Path) -> None:
    """As `run --resume` does it, up to where Ray Tune begins: what its state lacks, the ledger gives."""
    setup = make_setup(Task.CLASSIFICATION, folder / "data")
    options = StudyOptions(searcher="random", trials=3, max_concurrent=1)
    with (
        mock.patch("autommlab.training.study.require_resources"),
        mock.patch("autommlab.training.study._search", side_effect=TrainingError("nothing is searched here")) as search,
        contextlib.suppress(TrainingError),
    ):
        run_study(setup, small_space(), options, folder=folder, events=Events(EventLog(folder / "events.jsonl")))
    *_, earlier = search.call_args.args
    assert earlier == (0 if search.call_args.kwargs["resume"] else 2)


def saved_searcher(name: str, folder: Path) -> None:
    """After five trials, one of them still open."""
    folder.mkdir(parents=True, exist_ok=True)
    searcher = _searcher(name)
    for number in range(5):
        searcher.suggest(f"t{number}")
    for number in range(4):
        searcher.on_trial_complete(f"t{number}", {"score": 0.1 * number})
    searcher.save(str(folder / "state.json"))


def restored_searcher(name: str, folder: Path) -> None:
    """It proposes the next trial."""
    searcher = _searcher(name)
    searcher.restore(str(folder / "state.json"))
    assert isinstance(searcher.suggest("next"), dict)


def _searcher(name: str) -> Any:
    first = [point(iterations=5).model_dump() | {"optimizer": "SGD", "lr_schedule": "StepLR"}]
    return searchers.create(name, small_space(), metric="score", mode="max", seed=0, first_configs=first)


def adapter_table(folder: Path) -> None:
    """With two adapters, whose sources lie beside it."""
    table = AdapterTable(folder / _TABLE, max_rank=16)
    for value, name in enumerate(("first", "second")):
        source = folder / name
        source.mkdir(parents=True)
        (source / CONFIG_FILE).write_text(json.dumps({"r": 2}))
        matrix = np.full((2, 2), value, np.float32)
        layer = "base_model.model.model.layers.0.self_attn.q_proj"
        save_file({f"{layer}.lora_{side}.weight": matrix for side in "AB"}, source / WEIGHTS_FILE)
        table.put(table.prepare(name, source))


def use_adapters(folder: Path) -> None:
    """By a service that starts, takes one more and forgets the others; a table that it cannot read stays as it is."""
    table = AdapterTable(folder / _TABLE, max_rank=16)
    before = (table.folder / TABLE_FILE).read_bytes()
    try:
        known = table.read()
    except AdapterError:
        for change in (table.sweep, lambda: table.put(table.prepare("third", folder / "first"))):
            with pytest.raises(AdapterError, match="is damaged"):
                change()
        assert (table.folder / TABLE_FILE).read_bytes() == before
        raise
    table.sweep()
    table.put(table.prepare("third", folder / "second"))
    for name in known:
        table.remove(name)
    assert list(table.read()) == ["third"]


def started_service(folder: Path) -> None:
    """What `serve up` leaves for the background process."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = ServiceSettings(folder=folder, port=9, adapters={"mine": "adapter"})
    write_private(folder / SETTINGS_FILE, settings.model_dump_json())


def start_service(folder: Path) -> None:
    """The background process begins, or ends with a word."""
    with (
        mock.patch.object(sys, "argv", ["daemon", "up", str(folder)]),
        mock.patch("serve.daemon.signal.signal"),
        mock.patch("serve.daemon.prepare_ray_environment"),
        mock.patch("serve.daemon._Start") as start,
    ):
        try:
            daemon.main()
        except SystemExit as ended:
            if f"{SETTINGS_FILE} cannot be read" not in str(ended.code):
                raise AssertionError(f"it ended with {ended.code}") from ended
        else:
            assert isinstance(start.call_args.args[0], ServiceSettings)


def fine_tuning(folder: Path) -> None:
    """After one step."""
    import torch

    model, optimizer = _fine_tuned()
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    folder.mkdir(parents=True, exist_ok=True)
    snapshot(folder, model, optimizer, TrainingState(step=1, best_loss=0.5))


def go_on_with_fine_tuning(folder: Path) -> None:
    """From its state, or with a word about why not."""
    try:
        assert restore_state(folder, *_fine_tuned()) is not None
    except ValueError as error:
        if "cannot be gone on from" not in str(error):
            raise AssertionError("the reason is missing") from error


def _fine_tuned() -> tuple[Any, Any]:
    import torch

    model = torch.nn.Linear(3, 2)
    return model, torch.optim.AdamW(model.parameters())
