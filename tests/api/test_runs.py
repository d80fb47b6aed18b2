"""A run as Python sees it: its records, figures, tables, predictions; what it says where a stage is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import autommlab
from autommlab.common.errors import DataError, DeploymentError, RequestError, ResumeError, UnfinishedError
from autommlab.progress.events import EventLog, Events
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task
from tests.helpers.record_table import finished_run, unfinished_run
from tests.helpers.tiny_bundles import make_picture


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> autommlab.Run:
    return autommlab.open_run(finished_run(tmp_path_factory.mktemp("finished")).path)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> autommlab.Run:
    return autommlab.open_run(str(unfinished_run(tmp_path_factory.mktemp("unfinished")).path))


def test_a_finished_run_has_everything(finished: autommlab.Run, tmp_path: Path) -> None:
    assert finished.finished
    assert finished.request.model.task == finished.dataset.task == Task.CLASSIFICATION
    assert finished.options.searcher == "tpe"
    assert finished.model.entry.title
    assert finished.figures == {"val": {"accuracy": 0.5}, "test": {"accuracy": 0.4}}
    assert finished.study.result.best.number == finished.study.best.number == 1  # type: ignore[union-attr]
    assert finished.stage_seconds == {"data": 3.5}
    assert finished.deployment.bundle == finished.bundle.folder
    assert finished.status.trials_done == 2
    assert "finished, 2 trials" in repr(finished)
    picture = make_picture(tmp_path / "a.png")
    answer = finished.predict(picture)
    assert answer["label"] in finished.bundle.classes
    assert finished.bundle is finished.bundle, "loaded once"


def test_a_picture_is_a_file_an_image_or_an_array(finished: autommlab.Run, tmp_path: Path) -> None:
    path = make_picture(tmp_path / "a.png")
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    answers = [finished.predict(each) for each in (path, str(path), rgb, np.asarray(rgb))]
    assert all(answer == answers[0] for answer in answers)
    assert finished.bundle.draw(path, answers[0]).size[0] >= rgb.width
    wrong: tuple[tuple[Any, str], ...] = (
        (tmp_path / "none.png", "none.png"),
        (np.zeros((4, 4, 3)), "an array of float64 with shape"),
        (np.zeros((4, 4, 9), np.uint8), "is no picture"),
        (None, "is no picture"),
    )
    for image, message in wrong:
        with pytest.raises(DataError, match=message):
            finished.predict(image)
    with pytest.raises(DeploymentError, match="is not a bundle"):
        autommlab.load_bundle(tmp_path)


def test_trials_are_a_table(finished: autommlab.Run) -> None:
    frame = finished.study.trials()
    assert list(frame["status"]) == ["ok", "diverged"]
    assert list(frame["stage"]) == ["search", "search"]
    assert {"params_lr", "params_optimizer", "val_accuracy", "proposed_by", "ended_at"} <= set(frame.columns)
    curves = finished.study.curves()
    assert list(curves[curves["number"] == 1]["score"]) == [0.25, 0.5]


def test_trials_are_a_result_grid_of_ray_tune(finished: autommlab.Run) -> None:
    from ray.tune import ResultGrid

    grid = finished.study.result_grid()
    assert isinstance(grid, ResultGrid)
    assert (len(grid), grid.num_terminated, grid.num_errors) == (2, 1, 1)
    best = grid.get_best_result()
    records = finished.study.searched
    assert best.config == records[0].hyperparameters.model_dump()
    assert (best.metrics or {})["accuracy"] == 0.5
    assert list(best.metrics_dataframe["score"]) == [0.25, 0.5]  # type: ignore[index]
    assert best.checkpoint is not None
    assert Path(best.checkpoint.path) == finished.folder / "study" / "best"
    assert grid[1].checkpoint is None
    assert len(grid.errors) == 1
    assert list(grid.get_dataframe()["config/lr"]) == [trial.hyperparameters.lr for trial in records]
    assert list(grid.get_dataframe()["score"]) == [0.5, 0.0], "a failed trial has the worst score"


def test_an_unfinished_run_has_what_is_there_and_says_how_to_go_on(unfinished: autommlab.Run) -> None:
    assert not unfinished.finished
    assert len(unfinished.study.trials()) == len(unfinished.study.searched) == 2
    assert unfinished.study.best is not None
    assert "not finished" in repr(unfinished)
    for name in ("plan", "figures", "deployment", "bundle", "report", "unmet"):
        with pytest.raises(UnfinishedError, match=r"has not finished\. Go on with autommlab\.resume"):
            getattr(unfinished, name)
    with pytest.raises(UnfinishedError, match="2 trials until now"):
        unfinished.study.result  # noqa: B018


def test_warnings_are_those_of_its_events(tmp_path: Path) -> None:
    folder = unfinished_run(tmp_path)
    events = Events(EventLog(folder.events))
    for _ in range(2):
        events.emit("warning", "data", "trained on drawings")
    assert autommlab.open_run(tmp_path).warnings == ["trained on drawings"]


def test_a_run_without_trials_has_empty_tables(tmp_path: Path) -> None:
    folder = unfinished_run(tmp_path)
    (folder.study / "trials.jsonl").unlink()
    study = autommlab.open_run(tmp_path).study
    assert study.best is None
    assert study.trials().empty
    assert study.curves().empty
    with pytest.raises(UnfinishedError, match="no finished trial"):
        study.result_grid()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="holds no run"):
        autommlab.open_run(tmp_path)
    RunFolder(tmp_path)
    (tmp_path / "comparison-options.json").write_text("{}")
    with pytest.raises(ResumeError, match="holds a comparison"):
        autommlab.open_run(tmp_path)


def test_tables_without_pandas_name_it(finished: autommlab.Run, no_pandas: None) -> None:
    with pytest.raises(RequestError, match="pip install pandas"):
        finished.study.trials()


@pytest.fixture
def no_pandas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as context:
        context.setitem(sys.modules, "pandas", None)
        yield


def test_the_package_is_light_and_offers_its_names() -> None:
    code = (
        "import sys, autommlab; before = sorted(name for name in sys.modules if name.startswith('autommlab'));"
        "autommlab.run; autommlab.AutoMMLabError;"
        "heavy = {'torch', 'ray', 'mmengine', 'vllm', 'optuna', 'pandas', 'matplotlib'};"
        "print(before, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "['autommlab'] []\n", done.stderr
    for name in autommlab.__all__:
        assert getattr(autommlab, name).__name__ == name
        assert getattr(autommlab, name).__doc__
    assert set(autommlab.__all__) <= set(dir(autommlab))
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        autommlab.rum  # type: ignore[attr-defined]  # noqa: B018
